"""The files of one state of the workspace: at a commit, or in the working tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from ciforge.affected.touched import owner_of


@dataclass(frozen=True)
class File:
    """`mode` is git's (100644, 100755, 120000 a link, 160000 a submodule), `object_id` its blob."""

    mode: str
    object_id: str


@dataclass(frozen=True)
class Tree:
    """All files by workspace-relative path, and a way to read one (None when it is absent).

    `roots` maps project folders to names (the workspace's own folder is "").
    """

    files: Mapping[str, File]
    roots: Mapping[str, str]
    read: Callable[[str], bytes | None]

    @cached_property
    def by_project(self) -> dict[str, list[str]]:
        """Sorted paths of each project; a nested project's files belong to it alone, as in Nx."""
        found: dict[str, list[str]] = {name: [] for name in self.roots.values()}
        owners: dict[str, str | None] = {}
        for path in sorted(self.files):
            folder = path.rpartition("/")[0]
            if folder not in owners:
                owners[folder] = owner_of(path, self.roots)
            owner = owners[folder]
            if owner is not None:
                found[owner].append(path)
        return found

    @cached_property
    def paths(self) -> list[str]:
        return sorted(self.files)

    def below(self, folder: str) -> list[str]:
        """Paths inside a folder of any depth, sorted."""
        prefix = f"{folder.rstrip('/')}/"
        return [path for path in self.paths if path.startswith(prefix)]
