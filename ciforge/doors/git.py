"""The door to git. Paths in and out are relative to the workspace, which may be a subfolder.

Everything is asked with `-z`, so that a file name may hold any byte but NUL; bytes that are
not UTF-8 survive as surrogates. Revisions never reach git when they could be read as options.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ciforge.doors.process import ProcessError, run
from ciforge.errors import InputError, OutsideError

# Nx reads a file at a revision through a buffer of this size; a larger one counts as unreadable.
_NX_READ_LIMIT = 1024 * 10_000


# A remote that does not answer must not hold a job for its whole time limit.
_FETCH_SECONDS = 600

# No lock for a look, no question on the terminal, and nothing of what git sets for a hook:
# the workspace's folder alone decides.
_ENVIRONMENT: dict[str, str | None] = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
    "GIT_DIR": None,
    "GIT_INDEX_FILE": None,
    "GIT_PREFIX": None,
    "GIT_WORK_TREE": None,
}


@dataclass(frozen=True)
class TreeEntry:
    """A file of a tree or of the working tree: git mode (`100644`, …) and blob id."""

    mode: str
    object_id: str


def check_revision(revision: str) -> str:
    """Refuses what git would read as an option or a range, and what no revision can hold."""
    odd = any(c in revision for c in "\n\0") or ".." in revision
    if not revision or revision.startswith(("-", "^")) or odd:
        raise InputError(
            f"{revision!r} is not a git revision",
            hint="name a branch, a tag or a commit",
        )
    return revision


class Git:
    """git, asked from one workspace folder."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace

    def _run(self, *args: str, stdin: bytes | None = None, timeout: float | None = None) -> bytes:
        try:
            return run(
                ["git", *args],
                cwd=self.workspace,
                stdin=stdin,
                env=_ENVIRONMENT,
                timeout=timeout,
            )
        except ProcessError as error:
            if "dubious ownership" in error.stderr:
                raise InputError(
                    "git refuses this repository: it belongs to somebody else",
                    where=str(self.workspace),
                    hint=f"git config --global --add safe.directory '{self.workspace}'",
                ) from error
            raise

    def _text(self, *args: str) -> str:
        return os.fsdecode(self._run(*args)).strip()

    @cached_property
    def _prefix(self) -> str:
        """The workspace's folder inside the repository, "" or ending in a slash."""
        return self._text("rev-parse", "--show-prefix")

    def _paths(self, *args: str) -> list[str]:
        return [os.fsdecode(p) for p in self._run(*args).split(b"\0") if p]

    # -- commits ---------------------------------------------------------------------------

    def top_level(self) -> Path:
        """The repository's root. Raises InputError when the workspace is in no repository."""
        try:
            return Path(self._text("rev-parse", "--show-toplevel"))
        except ProcessError as error:
            raise InputError(
                "not inside a git repository",
                where=str(self.workspace),
                hint="run ciforge in a clone of the monorepo, or name it with -C DIR",
            ) from error

    def commit(self, revision: str) -> str | None:
        """The full id of the commit that `revision` names, or None when there is none here."""
        check_revision(revision)
        try:
            return self._text("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        except ProcessError:
            return None

    def merge_base(self, base: str, head: str) -> str:
        """As Nx finds it: `merge-base`, else the fork point, else `base` as given."""
        check_revision(base)
        check_revision(head)
        try:
            return self._text("merge-base", base, head)
        except ProcessError:
            try:
                return self._text("merge-base", "--fork-point", base, head)
            except ProcessError:
                return base

    def common_ancestor(self, one: str, other: str) -> str | None:
        """The merge base, or None when the two have no history in common here."""
        try:
            return self._text("merge-base", check_revision(one), check_revision(other))
        except ProcessError:
            return None

    def is_shallow(self) -> bool:
        return self._text("rev-parse", "--is-shallow-repository") == "true"

    def is_ancestor(self, older: str, newer: str) -> bool:
        check_revision(older)
        check_revision(newer)
        try:
            self._run("merge-base", "--is-ancestor", older, newer)
        except ProcessError:
            return False
        return True

    def deepen(self, commit: str | None, *, tags: bool = False, remote: str = "origin") -> bool:
        """Fetches the missing history, with all tags or without; True when the remote gave it."""
        which = "--tags" if tags else "--no-tags"
        attempts = [["fetch", "--quiet", which, "--unshallow", remote]]
        if commit is not None:
            check_revision(commit)
            attempts.insert(0, ["fetch", "--quiet", "--no-tags", "--depth=1", remote, commit])
        ok = False
        for attempt in attempts:
            try:
                self._run(*attempt, timeout=_FETCH_SECONDS)
                ok = True
            except OutsideError:
                continue
        return ok

    def previous_tag(self, tag: str) -> str | None:
        """The nearest tag on the way back from `tag`, itself left out."""
        check_revision(tag)
        try:
            name = self._text("describe", "--tags", "--abbrev=0", f"{tag}^{{commit}}^")
        except ProcessError:
            return None
        return name or None

    def branch(self) -> str | None:
        """The checked-out branch, or None on a detached head."""
        try:
            return self._text("symbolic-ref", "--quiet", "--short", "HEAD")
        except ProcessError:
            return None

    def default_branch(self, *, remote: str = "origin") -> str | None:
        """What the remote calls its default branch, as `origin/main`."""
        try:
            return self._text("symbolic-ref", "--quiet", "--short", f"refs/remotes/{remote}/HEAD")
        except ProcessError:
            return None

    # -- changes ---------------------------------------------------------------------------

    def changed(self, base: str, head: str) -> list[str]:
        """Files that differ between two commits; a rename is a deletion and an addition."""
        check_revision(base)
        check_revision(head)
        return self._paths(
            "diff", "--name-only", "--no-renames", "--relative", "-z", base, head, "--"
        )

    def uncommitted(self) -> list[str]:
        return self._paths("diff", "--name-only", "--no-renames", "--relative", "-z", "HEAD", ".")

    def untracked(self) -> list[str]:
        return self._paths("ls-files", "--others", "--exclude-standard", "-z")

    def untracked_for_all(self) -> list[str]:
        """Untracked files that no .gitignore names, whatever this clone or user ignores besides.

        A repository within this one is a path with a slash at its end.
        """
        return self._paths("ls-files", "--others", "--exclude-per-directory=.gitignore", "-z")

    def set_aside(self) -> list[str]:
        """Tracked files that git does not compare with the disk: sparse, or assumed unchanged."""
        records = self._run("ls-files", "-v", "-z").split(b"\0")
        return [os.fsdecode(r[2:]) for r in records if r and (r[:1].islower() or r[:1] == b"S")]

    def tracked(self, *patterns: str) -> list[str]:
        """Files that git knows below the workspace, all or those matching pathspecs."""
        return self._paths("ls-files", "-z", "--", *patterns)

    # -- contents --------------------------------------------------------------------------

    def show(self, revision: str, path: str) -> bytes | None:
        """A file's bytes at a revision, or None when it isn't there."""
        check_revision(revision)
        try:
            return self._run("cat-file", "blob", f"{revision}:./{path}")
        except ProcessError:
            return None

    def show_as_nx(self, revision: str, path: str) -> str:
        """A file's text at a revision as Nx reads it: trimmed, and empty when unreadable."""
        content = self.show(revision, path)
        if content is None or len(content) > _NX_READ_LIMIT:
            return ""
        return content.decode("utf-8", "replace").strip(_JS_WHITESPACE)

    def tree(self, revision: str) -> dict[str, TreeEntry]:
        """All files of a commit below the workspace."""
        check_revision(revision)
        entries: dict[str, TreeEntry] = {}
        place = f"{revision}:{self._prefix.rstrip('/')}" if self._prefix else revision
        for record in self._run("ls-tree", "-r", "-z", "--full-tree", place).split(b"\0"):
            if record:
                meta, _, path = record.partition(b"\t")
                mode, _, object_id = meta.split(b" ", 2)
                entries[os.fsdecode(path)] = TreeEntry(mode.decode(), object_id.decode())
        return entries

    def index(self) -> dict[str, TreeEntry]:
        """All files of the index below the workspace (the lowest stage of an unmerged one)."""
        entries: dict[str, TreeEntry] = {}
        for record in self._run("ls-files", "--stage", "-z").split(b"\0"):
            if record:
                meta, _, path = record.partition(b"\t")
                mode, object_id, _ = meta.split(b" ")
                entries.setdefault(os.fsdecode(path), TreeEntry(mode.decode(), object_id.decode()))
        return entries

    def modified(self) -> list[str]:
        """Tracked files whose working-tree content, mode or existence differs from the index."""
        return self._paths("diff-files", "--name-only", "--relative", "-z")

    def hash_files(self, paths: Sequence[str]) -> dict[str, str]:
        """Blob ids of working-tree files, as `git add` would compute them.

        A file that vanished meanwhile makes git fail as a whole; the caller decides.
        """
        if not paths:
            return {}
        # hash-object has no -z: a name with a newline goes as an argument, the rest by stdin.
        odd = [p for p in paths if "\n" in p or "\r" in p or p.startswith('"')]
        plain = [p for p in paths if p not in odd]
        ids: dict[str, str] = {}
        if plain:
            out = self._run(
                "hash-object",
                "--stdin-paths",
                # Unlike arguments, these are read from the repository's root.
                stdin=b"".join(os.fsencode(self._prefix + p) + b"\n" for p in plain),
            )
            ids.update(zip(plain, out.decode().split(), strict=True))
        for path in odd:
            ids[path] = self._text("hash-object", "--", path)
        return ids

    def submodule_commit(self, path: str) -> str | None:
        """The commit that is checked out in a submodule, None when none is."""
        try:
            return os.fsdecode(
                run(["git", "rev-parse", "--verify", "--quiet", "HEAD"], cwd=self.workspace / path)
            ).strip()
        except OutsideError:
            return None

    def fetch_branch(self, branch: str, *, remote: str = "origin") -> bool:
        """Fetches one branch that a single-branch clone left out; True when that worked."""
        check_revision(branch)
        refspec = f"+refs/heads/{branch}:refs/remotes/{remote}/{branch}"
        try:
            self._run(
                "fetch",
                "--quiet",
                "--no-tags",
                "--unshallow",
                remote,
                refspec,
                timeout=_FETCH_SECONDS,
            )
        except OutsideError:
            return False
        return True


_JS_WHITESPACE = "\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    chr(c) for c in range(0x2000, 0x200B)
)
