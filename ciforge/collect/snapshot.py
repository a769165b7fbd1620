"""The files of a working tree, and whether they are all that Nx can see in it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ciforge.collect.background import Background
from ciforge.collect.tree import files_on_disk, working_files
from ciforge.collect.workspace import Root
from ciforge.digest.tree import File
from ciforge.doors import files as disk

# Read from folders above the workspace too, by Nx or by TypeScript.
_ABOVE = (".gitignore", ".nxignore", "package.json", "tsconfig.base.json", "tsconfig.json")
# Where Nx does not look for projects or sources.
_UNSEEN = ("node_modules", ".git", ".nx")
# Variables of Nx that say how it runs, not what it finds; its door sets some of them itself.
_OF_THE_RUN = (
    *("NX_BASE", "NX_HEAD", "NX_BRANCH", "NX_CI_", "NX_CLOUD_", "NX_TASK_", "NX_DAEMON"),
    *("NX_NO_CLOUD", "NX_TUI", "NX_INTERACTIVE", "NX_VERBOSE", "NX_PERF", "NX_CACHE_"),
    *("NX_WORKSPACE_DATA_", "NX_SOCKET_", "NX_PARALLEL", "NX_SKIP_", "NX_PROFILE"),
)


@dataclass(frozen=True)
class Snapshot:
    """`files` as ciforge sees them; `ids` of all that Nx may see, as a cache index keeps them.

    `doubt` says what of the tree can't be seen through git.
    """

    files: Mapping[str, File] = field(repr=False)
    ids: Mapping[str, str] = field(repr=False)
    links: frozenset[str] = frozenset()
    doubt: str | None = None


def take_snapshot(root: Root, without: Path) -> Snapshot:
    """The tree now; `without`: a folder that does not count, for it holds the cache."""
    git = root.git
    aside, others = Background(git.set_aside), Background(git.untracked_for_all)
    files = working_files(git)
    prefix = _inside(without, root.path)
    seen = dict(files)
    untracked = [p for p in others.result() if not _unseen(p)]
    seen.update(files_on_disk(git, [p for p in untracked if p not in files]))
    ids = {
        path: file.object_id if file.mode[:3] == "100" else f"{file.mode}:{file.object_id}"
        for path, file in seen.items()
        if not _unseen(path) and not (prefix and path.startswith(prefix))
    }
    ids.update(_above(root))
    links = _links(root, ids)
    nested = min((path for path in untracked if path.endswith("/")), default=None)
    doubt = f"the repository {nested} has files of its own" if nested else None
    doubt = doubt or _doubt(ids, links, aside.result())
    return Snapshot(files, ids, frozenset(links.values()), doubt)


def environment(names: tuple[str, ...], env: Mapping[str, str]) -> str:
    """A digest of the values of these variables, and of those that steer Nx."""
    steering = {n for n in env if n.startswith("NX_") and not n.startswith(_OF_THE_RUN)}
    hashed = hashlib.sha256()
    for name in sorted({*names, *steering, "NODE_ENV"}):
        value = env.get(name)
        hashed.update(f"{name}{'=' if value is not None else '?'}{value or ''}\0".encode())
    return hashed.hexdigest()


def _doubt(ids: Mapping[str, str], links: Mapping[str, str], aside: list[str]) -> str | None:
    if aside:
        return f"git does not look whether {aside[0]} lies on disk (sparse, or assumed unchanged)"
    module = min((path for path, id_ in ids.items() if id_.startswith("160000:")), default=None)
    if module is not None:
        return f"the submodule {module} has files of its own"
    outside = min((p for p, target in links.items() if target.startswith("..")), default=None)
    if outside is not None:
        return f"the link {outside} leads out of the workspace"
    return None


def _unseen(path: str) -> bool:
    parts = path.split("/")
    return any(part in parts for part in _UNSEEN)


def _inside(folder: Path, workspace: Path) -> str:
    """The folder as a prefix of workspace paths, "" when it lies elsewhere."""
    relative = os.path.relpath(folder.resolve(), workspace.resolve())
    return "" if relative == "." or relative.startswith("..") else f"{relative}/"


def _links(root: Root, ids: Mapping[str, str]) -> dict[str, str]:
    """Where each symbolic link leads to, as a path of the workspace."""
    base = root.path.resolve()
    return {
        path: os.path.relpath(os.path.realpath(base / path), base)
        for path, id_ in ids.items()
        if id_.startswith("120000:")
    }


def _above(root: Root) -> dict[str, str]:
    found = {}
    top = root.git.top_level().resolve()
    folder, up = root.path.resolve(), ""
    while folder != top and folder != folder.parent:
        folder, up = folder.parent, f"../{up}"
        for name in _ABOVE:
            content = disk.read_bytes(folder / name)
            if content is not None:
                found[up + name] = hashlib.sha256(content).hexdigest()
    return found
