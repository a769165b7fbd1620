"""A CI file and the repository around it, as `lint` and `simulate` read them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ciforge.doors import files
from ciforge.doors.git import Git
from ciforge.errors import InputError

_SKIPPED = (".git", "node_modules")
_MOST = 200_000


def read_ci_file(path: Path) -> str:
    """The text of a CI file; bytes that are no UTF-8 stay as surrogates.

    Raises InputError when there is none.
    """
    content = files.read_bytes(path, pipe=True)
    if content is None:
        raise InputError("there is no such file", where=str(path), hint="name a CI file")
    return content.decode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class CiFiles:
    """The files below `root`, for local includes and `rules:exists`."""

    root: Path

    @classmethod
    def around(cls, file: Path, root: Path | None = None) -> CiFiles:
        """Below `root`, by default the root of the repository of `file`, else its folder.

        Raises InputError when `root` is no folder.
        """
        if root is not None:
            if not root.is_dir():
                raise InputError("is no folder", where=str(root), hint="name one: --root DIR")
            return cls(root.resolve())
        folder = file.resolve().parent
        above = (f for f in (folder, *folder.parents) if files.exists(f / ".git"))
        return cls(next(above, folder))

    def read(self, path: str) -> str | None:
        """The text of a file below the root, None when there is none; nothing outside of it."""
        try:
            found = (self.root / path.lstrip("/")).resolve()
        except (OSError, RuntimeError, ValueError):
            return None
        if not found.is_relative_to(self.root):
            return None
        content = files.read_bytes(found)
        return None if content is None else content.decode("utf-8", "surrogateescape")

    def paths(self) -> Sequence[str]:
        """What git tracks; outside of a repository what lies there, without node_modules."""
        return self._paths

    @cached_property
    def _paths(self) -> Sequence[str]:
        if files.exists(self.root / ".git"):
            return sorted(Git(self.root).tracked())
        return sorted(self._walk())

    def _walk(self) -> Iterator[str]:
        number = 0
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(name for name in folders if name not in _SKIPPED)
            for name in names:
                number += 1
                if number > _MOST:
                    return
                yield (Path(folder) / name).relative_to(self.root).as_posix()
