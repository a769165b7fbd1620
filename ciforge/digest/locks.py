"""The part of a lockfile, and of the root manifest, that one image's install reads."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ciforge.digest.tree import Tree
from ciforge.lockfile import (
    LOCKFILE_NAMES,
    LockfileError,
    PnpmLockfile,
    reached_packages,
    reduce_pnpm,
)
from ciforge.workspace.jsonc import strip_comments

PNPM_FILES = ("pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json")


@dataclass(frozen=True)
class LockPart:
    """What an install of some projects reads.

    `generated`: contents of root files that are reduced, by path. `values`: digests of parts
    that are not files of their own, by name. `paths`: further files (patches) and folders that
    the install reads as they are. `whole`: root files that could not be reduced.
    `importers`: project folders whose package.json must be there.
    """

    generated: dict[str, bytes]
    values: dict[str, str]
    paths: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    importers: tuple[str, ...] = ()
    problem: str | None = None


class Locks:
    """The lockfile of one tree, parsed once, reduced for each image."""

    def __init__(self, tree: Tree, keep_root_dev: Set[str] | None) -> None:
        self._tree = tree
        self._keep = keep_root_dev
        self._parts: dict[tuple[str, ...], LockPart] = {}

    def equals(self, other: Locks) -> bool:
        """Whether both give the same parts: pnpm's, made of the same three root files."""
        if self.name != "pnpm-lock.yaml" or self._keep != other._keep:
            return False
        return all(self._tree.files.get(n) == other._tree.files.get(n) for n in PNPM_FILES)

    @cached_property
    def name(self) -> str | None:
        """The root's lockfile; the first of Nx's order where there are several."""
        return next((n for n in LOCKFILE_NAMES if n in self._tree.files), None)

    @cached_property
    def _text(self) -> str:
        content = self._tree.read(self.name) if self.name else None
        return (content or b"").decode("utf-8", "replace")

    @cached_property
    def _pnpm(self) -> PnpmLockfile:
        return PnpmLockfile.parse(self._text)

    def part(self, folders: Sequence[str]) -> LockPart:
        """The part that an install of the projects in `folders` reads."""
        key = tuple(sorted(folders))
        if key not in self._parts:
            self._parts[key] = self._part(key)
        return self._parts[key]

    def _part(self, folders: tuple[str, ...]) -> LockPart:
        name = self.name
        whole = tuple(n for n in (name, "package.json") if n is not None and n in self._tree.files)
        try:
            if name == "pnpm-lock.yaml":
                return self._pnpm_part(folders)
            if name in ("package-lock.json", "yarn.lock"):
                return self._reached_part(name, folders)
        except LockfileError as error:
            return LockPart({}, {}, whole=whole, problem=f"{name}: {error}; it counts as a whole")
        return LockPart({}, {}, whole=whole)

    def _reached_part(self, name: str, folders: tuple[str, ...]) -> LockPart:
        """npm and yarn: the packages themselves, since where a package lies says nothing."""
        manifests = {
            folder: manifest
            for folder in sorted({".", *folders})
            if (manifest := self._manifest_in(folder)) is not None
        }
        reached = reached_packages(name, self._text, list(manifests), manifests=manifests)
        packages = {f"{package}@{version}": integrity for package, version, integrity in reached}
        whole = ("package.json",) if "package.json" in self._tree.files else ()
        return LockPart({}, packages, whole=whole)

    def _manifest_in(self, folder: str) -> dict[str, Any] | None:
        content = self._tree.read(posixpath.normpath(posixpath.join(folder, "package.json")))
        if content is None:
            return None
        try:
            parsed = json.loads(strip_comments(content))
        except (ValueError, RecursionError):
            return {}
        return parsed if isinstance(parsed, dict) else {}

    def _pnpm_part(self, folders: tuple[str, ...]) -> LockPart:
        reduced = reduce_pnpm(
            self._pnpm,
            workspace_yaml=self._workspace_yaml,
            root_package_json=json.dumps(self._manifest_in(".") or {}),
            importers=folders,
            keep_root_dev=self._keep,
        )
        generated = {
            "pnpm-lock.yaml": reduced.lockfile.encode(),
            "package.json": reduced.package_json.encode(),
        }
        if reduced.workspace_yaml is not None:
            generated["pnpm-workspace.yaml"] = reduced.workspace_yaml.encode()
        return LockPart(
            generated,
            {},
            paths=tuple(sorted({*reduced.patches, *reduced.local_paths})),
            importers=tuple(reduced.importers),
        )

    @cached_property
    def _workspace_yaml(self) -> str | None:
        content = self._tree.read("pnpm-workspace.yaml")
        return None if content is None else content.decode("utf-8", "replace")


def content_digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
