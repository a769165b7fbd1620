"""Reads the workspace's files as git object ids: of a commit, or as they lie on disk."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from functools import cache

from ciforge.collect.workspace import Root
from ciforge.digest.tree import File, Tree
from ciforge.doors.git import Git
from ciforge.doors.process import ProcessError
from ciforge.errors import InputError


def commit_tree(root: Root, roots: Mapping[str, str], commit: str) -> Tree:
    """The files of a commit below the workspace."""
    files = {
        path: File(entry.mode, entry.object_id) for path, entry in root.git.tree(commit).items()
    }

    @cache
    def read(path: str) -> bytes | None:
        return root.git.show(commit, path) if path in files else None

    return Tree(files, roots, read)


def working_tree(
    root: Root, roots: Mapping[str, str], files: Mapping[str, File] | None = None
) -> Tree:
    """The files on disk; `files`: as `working_files` has found them just now."""
    return Tree(dict(working_files(root.git) if files is None else files), roots, root.read)


def working_files(git: Git) -> dict[str, File]:
    """The files on disk: those of the index, changed and untracked ones by their content.

    What git ignores is left out, as a fresh clone would not have it.
    """
    git.top_level()
    files = {path: File(entry.mode, entry.object_id) for path, entry in git.index().items()}
    changed = set(git.modified()) | set(git.untracked())
    submodules = {path for path in changed if path in files and files[path].mode == "160000"}
    for path in changed:
        files.pop(path, None)
    for path in submodules:
        commit = git.submodule_commit(path)
        if commit is not None:
            files[path] = File("160000", commit)
    files.update(files_on_disk(git, sorted(changed - submodules)))
    return files


def files_on_disk(git: Git, paths: list[str]) -> dict[str, File]:
    """Modes and blob ids of files on disk; those that are gone are left out."""
    for _ in range(3):
        modes = {path: mode for path in paths if (mode := _mode(git, path)) is not None}
        regular = [path for path, mode in modes.items() if mode.startswith("100")]
        try:
            ids = git.hash_files(regular)
        except ProcessError as error:
            if "could not open" not in error.stderr:
                raise
            continue  # a file vanished between the look and the read: look again
        found = {path: File(modes[path], ids[path]) for path in regular}
        for path, mode in modes.items():
            if mode == "120000":
                try:
                    target = os.fsencode((git.workspace / path).readlink())
                except OSError:
                    continue  # gone since the look
                found[path] = File(mode, _blob_id(target, len(next(iter(ids.values()), "0" * 40))))
        return found
    raise InputError(
        "files keep vanishing while they are read",
        where=str(git.workspace),
        hint="wait until the build or editor that writes here is done",
    )


def _mode(git: Git, path: str) -> str | None:
    try:
        status = (git.workspace / path).lstat()
    except OSError:
        return None
    if stat.S_ISLNK(status.st_mode):
        return "120000"
    if stat.S_ISREG(status.st_mode):
        return "100755" if status.st_mode & stat.S_IXUSR else "100644"
    return None


def _blob_id(content: bytes, length: int) -> str:
    """git's blob id; its length tells whether the repository uses SHA-1 or SHA-256."""
    data = b"blob %d\0%s" % (len(content), content)
    if length == 64:
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()
