"""The changed files, chosen as `nx show projects --affected` chooses them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ciforge.affected.touched import Change, needs_content
from ciforge.doors import files
from ciforge.doors.git import Git, check_revision
from ciforge.doors.process import ProcessError
from ciforge.errors import CiforgeError, InputError
from ciforge.plan.base import Base, is_zero
from ciforge.workspace.ignores import Ignores
from ciforge.workspace.model import NxJson


@dataclass(frozen=True)
class Selection:
    """How the user asked for the change; at most one way may be set."""

    base: str | None = None
    head: str | None = None
    files: tuple[str, ...] | None = None
    uncommitted: bool = False
    untracked: bool = False

    def __post_init__(self) -> None:
        ways = {
            "--files": self.files is not None,
            "--uncommitted": self.uncommitted,
            "--untracked": self.untracked,
            "--base": self.base is not None or self.head is not None,
        }
        chosen = [way for way, used in ways.items() if used]
        if len(chosen) > 1:
            raise InputError(
                f"{chosen[0]} and {chosen[1]} exclude each other",
                hint="name the change in one way",
            )
        if self.head is not None and self.base is None:
            raise InputError("--head needs --base", hint="add --base REV, or leave --head out")
        for path in self.files or ():
            if path.startswith(("/", "./", "../")) or path in ("", ".", ".."):
                raise InputError(
                    f"--files takes paths relative to the workspace, not {path!r}",
                    hint="write it as git does: apps/api/src/main.ts",
                )


@dataclass(frozen=True)
class ChangedFiles:
    """Paths with the revisions between which they changed.

    `head` is None where the working tree is the newer side. `base_rule` says in words where
    the base came from.
    """

    paths: tuple[str, ...]
    base: str | None
    head: str | None
    base_rule: str
    everything: bool = False


def with_environment(
    selection: Selection, nx_json: NxJson, env: Mapping[str, str]
) -> tuple[Selection, str]:
    """Fills in the base as Nx does: NX_BASE and NX_HEAD, nx.json's defaultBase, `main`.

    Returns the selection and the rule that chose the base.
    """
    base, head, rule = selection.base, selection.head, "--base"
    if base is None and env.get("NX_BASE"):
        base, rule = env["NX_BASE"], "NX_BASE"
    if head is None and env.get("NX_HEAD"):
        head = env["NX_HEAD"]
    if base is None:
        if nx_json.default_base is not None:
            base, rule = nx_json.default_base, "defaultBase in nx.json"
        elif nx_json.affected is not None and nx_json.affected.default_base is not None:
            base, rule = nx_json.affected.default_base, "affected.defaultBase in nx.json"
        else:
            base, rule = "main", "Nx's default"
    if selection.files is not None or selection.uncommitted or selection.untracked:
        return selection, rule
    return replace(selection, base=base, head=head), rule


def changed_files(git: Git, selection: Selection, rule: str) -> ChangedFiles:
    """Asks git for the changed files. Raises InputError where Nx fails with git's own words."""
    if selection.files is not None:
        return ChangedFiles(tuple(dict.fromkeys(selection.files)), None, None, "--files")
    try:
        if selection.uncommitted:
            return ChangedFiles(tuple(git.uncommitted()), "HEAD", None, "--uncommitted")
        if selection.untracked:
            return ChangedFiles(tuple(git.untracked()), "HEAD", None, "--untracked")
        assert selection.base is not None  # noqa: S101 - with_environment has set it
        head = "HEAD" if selection.head is None else selection.head
        base = git.merge_base(check_revision(selection.base), head)
        paths = git.changed(base, head)
        if selection.head is None:
            paths += git.uncommitted() + git.untracked()
    except ProcessError as error:
        raise explain(git, selection, rule, error) from error
    return ChangedFiles(tuple(dict.fromkeys(paths)), base, selection.head, rule)


def changed_since(git: Git, base: Base, head: str | None = None) -> ChangedFiles:
    """The files that differ from a base that the policy chose.

    Without `head` the newer side is what lies on disk, in CI as elsewhere: that is what a
    build would read.
    """
    if base.commit is None:
        return ChangedFiles((), None, head, base.reason, everything=True)
    paths = git.changed(base.commit, head or "HEAD")
    if head is None:
        paths += git.uncommitted() + git.untracked()
    return ChangedFiles(tuple(dict.fromkeys(paths)), base.commit, head, base.reason)


def explain(git: Git, selection: Selection, rule: str, error: ProcessError) -> CiforgeError:
    """Turns git's refusal of a revision into an error with the way out."""
    git.top_level()
    if git.commit("HEAD") is None:
        return InputError(
            "the repository has no commit yet",
            where=str(git.workspace),
            hint="commit once, or name the files: --files a,b",
        )
    for name, revision in ((rule, selection.base), ("--head", selection.head)):
        if revision is None or git.commit(revision) is not None:
            continue
        if revision and is_zero(revision):
            return InputError(
                f"the base is the zero commit id ({name}), which GitLab sends for a new branch",
                hint="use --base auto: it takes everything then, and says so",
            )
        if git.is_shallow():
            return InputError(
                f"{revision!r} ({name}) is not in this shallow clone",
                hint="set GIT_DEPTH: 0 in the job, or run: git fetch --unshallow",
            )
        return InputError(
            f"{revision!r} ({name}) is no commit of this repository",
            hint="fetch it, or name another one: --base REV",
        )
    return error


def read_changes(
    git: Git, changed: ChangedFiles, root_tsconfig: str | None, ignores: Ignores
) -> list[Change]:
    """The changes that count: ignored paths dropped, texts read where a rule looks inside."""
    return list(_read(git, changed, root_tsconfig, ignores))


def _read(
    git: Git, changed: ChangedFiles, root_tsconfig: str | None, ignores: Ignores
) -> Iterable[Change]:
    for path in changed.paths:
        if ignores.ignores(path):
            continue
        deleted = not files.exists(git.workspace / os.fsdecode(path))
        if deleted or changed.base is None or not needs_content(path, root_tsconfig):
            yield Change(path, deleted)
            continue
        before = git.show_as_nx(changed.base, path)
        if changed.head is not None:
            after = git.show_as_nx(changed.head, path)
        else:
            content = files.read_bytes(git.workspace / path)
            after = "" if content is None else content.decode("utf-8", "replace")
        yield Change(path, deleted, before, after)
