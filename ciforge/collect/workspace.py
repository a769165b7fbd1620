"""Finds the Nx workspace and reads what is in its root."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ciforge.affected.touched import ROOT_TSCONFIGS, Surroundings
from ciforge.config.model import Config
from ciforge.doors import files
from ciforge.doors.git import Git
from ciforge.errors import InputError
from ciforge.workspace.globs import GlobSet, nx_glob_set
from ciforge.workspace.graph_file import parse_nx_json
from ciforge.workspace.ignores import Ignores
from ciforge.workspace.jsonc import strip_comments
from ciforge.workspace.model import NxJson

_PROJECT_FILES = ("project.json", "*/project.json", "package.json", "*/package.json")
CONFIG_NAMES = ("ciforge.yaml", "ciforge.yml")


@dataclass(frozen=True)
class Root:
    """An Nx workspace on disk; each file in it is read when first asked for."""

    path: Path

    @cached_property
    def git(self) -> Git:
        return Git(self.path)

    @cached_property
    def in_git(self) -> bool:
        return any(files.exists(f / ".git") for f in (self.path, *self.path.parents))

    @cached_property
    def nx_json(self) -> NxJson:
        content = files.read_bytes(self.path / "nx.json")
        if content is None:
            raise InputError("is no file", where=str(self.path / "nx.json"), hint="put it back")
        return parse_nx_json(content)

    @cached_property
    def package_json(self) -> dict[str, Any]:
        """The root manifest, empty when absent or broken (as Nx takes it)."""
        return self.manifest(".") or {}

    def manifest(self, folder: str) -> dict[str, Any] | None:
        """A folder's package.json, None when absent or broken."""
        try:
            parsed = json.loads(strip_comments(self.read(f"{folder}/package.json") or b""))
        except (ValueError, RecursionError):
            return None
        return parsed if isinstance(parsed, dict) else None

    @cached_property
    def root_tsconfig(self) -> str | None:
        return next((n for n in ROOT_TSCONFIGS if files.exists(self.path / n)), None)

    @cached_property
    def ignores(self) -> Ignores:
        """The root's .gitignore and .nxignore, as they are in the working tree."""
        return Ignores(self.text(".gitignore") or "", self.text(".nxignore") or "")

    @cached_property
    def surroundings(self) -> Surroundings:
        return Surroundings(self.nx_json, self.package_json, self.root_tsconfig)

    @cached_property
    def config(self) -> Config:
        """ciforge.yaml of the workspace or of a folder above it, or the defaults."""
        found = find_config(self.path)
        return load_config(found) if found else Config()

    def project_files(self) -> list[str]:
        """The project.json and package.json files that git knows; none outside a repository."""
        return self.git.tracked(*_PROJECT_FILES) if self.in_git else []

    @cached_property
    def packages(self) -> GlobSet | None:
        """The package.json files that make a project in this package manager's workspace.

        As `workspaces` in package.json and `packages` in pnpm-workspace.yaml say; None where
        neither says anything that can be read.
        """
        globs: object = self.package_json.get("workspaces")
        if isinstance(globs, dict):
            globs = globs.get("packages")
        text = self.text("pnpm-workspace.yaml")
        if text is not None:
            from ciforge.lockfile import LockfileError, yaml12

            try:
                document = yaml12.load(text)
            except LockfileError:
                return None
            globs = document.get("packages") if isinstance(document, dict) else None
        if not isinstance(globs, list) or not all(isinstance(glob, str) for glob in globs):
            return None
        try:
            return nx_glob_set(
                f"{'!' * glob.startswith('!')}{glob.lstrip('!').removeprefix('./').rstrip('/')}"
                "/package.json"
                for glob in globs
            )
        except ValueError:
            return None

    def read(self, path: str) -> bytes | None:
        """A workspace file's bytes, None when it is not there."""
        return files.read_bytes(self.path / path)

    def text(self, path: str) -> str | None:
        content = self.read(path)
        return None if content is None else content.decode("utf-8", "replace")


def open_root(directory: Path) -> Root:
    """The workspace of `directory`: the nearest folder upwards with an nx.json.

    Where there is none, the one that ciforge.yaml names, or the only one below. Raises
    InputError when there is none or more than one.
    """
    try:
        directory = directory.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        hint = "name the folder of nx.json: ciforge -C DIR …"
        raise InputError("no such directory", where=str(directory), hint=hint) from error
    if not directory.is_dir():
        hint = "name the folder of nx.json: ciforge -C DIR …"
        raise InputError("is not a directory", where=str(directory), hint=hint)
    for folder in (directory, *directory.parents):
        if files.exists(folder / "nx.json"):
            return Root(folder)
        if files.exists(folder / ".git"):
            break
    configured = find_config(directory)
    if configured is not None:
        folder = (configured.parent / load_config(configured).workspace).resolve()
        if files.exists(folder / "nx.json"):
            return Root(folder)
        if load_config(configured).workspace != ".":
            raise InputError(
                f"names the workspace {load_config(configured).workspace!r}, which has no nx.json",
                where=str(configured),
                hint="name the folder of nx.json, relative to this file",
            )
    below = sorted(_workspaces_below(directory))
    if len(below) == 1:
        return Root(below[0])
    if below:
        names = ", ".join(str(p.relative_to(directory)) for p in below[:5])
        raise InputError(
            f"there are {len(below)} Nx workspaces below: {names}",
            where=str(directory),
            hint="name one: ciforge -C DIR …, or 'workspace: DIR' in ciforge.yaml",
        )
    raise InputError(
        "no nx.json here, above or below",
        where=str(directory),
        hint="run ciforge in an Nx workspace, or name it: ciforge -C DIR …",
    )


def _workspaces_below(directory: Path, depth: int = 3) -> Iterator[Path]:
    """Folders with an nx.json, a few levels down; not in hidden, linked or installed ones."""
    try:
        children = list(os.scandir(directory))
    except OSError:
        return
    for child in children:
        if child.name.startswith(".") or child.name in ("node_modules", "dist"):
            continue
        if not child.is_dir(follow_symlinks=False):
            continue
        folder = Path(child.path)
        if files.exists(folder / "nx.json"):
            yield folder
        elif depth > 1:
            yield from _workspaces_below(folder, depth - 1)


def find_config(directory: Path) -> Path | None:
    """ciforge.yaml of `directory` or the nearest folder above it, up to the repository's root.

    CIFORGE_CONFIG names another file, whatever it is called.
    """
    if named := os.environ.get("CIFORGE_CONFIG"):
        return Path(named).absolute()
    for folder in (directory, *directory.parents):
        for name in CONFIG_NAMES:
            # Also one that can't be read: it must not count as absent.
            if os.path.lexists(folder / name):
                return folder / name
        if files.exists(folder / ".git"):
            break
    return None


def load_config(path: Path) -> Config:
    from ciforge.config.load import parse_config

    content = files.read_bytes(path)
    if content is None:
        raise InputError("is no file that can be read", where=str(path), hint="mend or remove it")
    try:
        return parse_config(content, path.name)
    except InputError as error:
        error.hint = error.hint or "ciforge schema prints what may stand there"
        raise
