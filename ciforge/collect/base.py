"""Resolves the base policy's rules against the real repository and GitLab."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ciforge.collect.workspace import Root
from ciforge.doors.git import Git, check_revision
from ciforge.doors.gitlab import gitlab_token
from ciforge.errors import InputError
from ciforge.plan.base import Base, Candidate, candidates, is_zero

_DEPTH_HINT = "set GIT_DEPTH: 0 in the job, or run: git fetch --unshallow"


def default_branch(root: Root, env: Mapping[str, str]) -> str | None:
    """What the configuration, GitLab or nx.json call the default branch."""
    nx_json = root.nx_json
    return (
        root.config.default_branch
        or env.get("CI_DEFAULT_BRANCH")
        or nx_json.default_base
        or (nx_json.affected.default_base if nx_json.affected else None)
    )


def _check_named(branch: str) -> None:
    try:
        check_revision(branch)
    except InputError as error:
        raise InputError(
            f"the default branch (default_branch) is {branch!r}, which is no name of a branch",
            hint="it comes from ciforge.yaml, CI_DEFAULT_BRANCH or nx.json's defaultBase",
        ) from error


def choose_base(
    git: Git,
    explicit: str | None,
    env: Mapping[str, str],
    default_branch: str | None,
    *,
    offline: bool = False,
) -> Base:
    """The base that the first applicable rule gives; `offline`: GitLab is not asked.

    Raises InputError for an explicit base that is no commit, for a shallow clone that no
    remote deepens, and where nothing names a base locally.
    """
    if git.commit("HEAD") is None:
        git.top_level()
        raise InputError(
            "the repository has no commit yet",
            where=str(git.workspace),
            hint="commit once: a plan compares commits",
        )
    chosen: Base | None = None
    for candidate in candidates(explicit, env, default_branch):
        chosen = _resolve(git, candidate, env, offline)
        if chosen is not None:
            break
    assert chosen is not None  # noqa: S101 - every list ends in a rule that answers or raises
    return chosen


def _resolve(git: Git, candidate: Candidate, env: Mapping[str, str], offline: bool) -> Base | None:
    rule, revision = candidate.rule, candidate.revision
    if rule == "--base":
        assert revision is not None  # noqa: S101
        if revision and is_zero(revision):
            return Base(None, rule, "the zero commit id was given: everything counts as changed")
        commit = git.commit(revision) or _deepened(git, revision)
        if commit is None:
            raise InputError(
                f"{revision!r} (--base) is no commit of this repository",
                hint="fetch it, or name another one: --base REV",
            )
        if git.common_ancestor(commit, "HEAD") is None and git.is_shallow():
            _deepened(git, None)
        return Base(git.merge_base(commit, "HEAD"), rule, f"--base {revision}")
    if rule == "merge-request":
        assert revision is not None  # noqa: S101
        return _ancestor(git, rule, revision, "the merge request's diff base")
    if rule == "tag":
        return _previous_tag(git, env["CI_COMMIT_TAG"])
    if rule == "last-successful-pipeline":
        return None if offline else _last_successful(git, env)
    if rule == "before-sha":
        if revision is None or is_zero(revision):
            return Base(
                None,
                rule,
                "CI_COMMIT_BEFORE_SHA is zero (a new branch, or the first pipeline of one): "
                "everything counts as changed",
            )
        base = _ancestor(git, rule, revision, "CI_COMMIT_BEFORE_SHA")
        if gitlab_token(env) and not offline:
            return base
        return replace(base, reason=f"{base.reason} (GitLab was not asked for a better one)")
    return _default_branch(git, revision)


def _ancestor(git: Git, rule: str, revision: str, what: str) -> Base:
    """`revision` when it is a commit in HEAD's history; else everything."""
    commit = git.commit(revision) or _deepened(git, revision)
    if commit is not None and not git.is_ancestor(commit, "HEAD") and git.is_shallow():
        _deepened(git, None)
    short = revision[:8]
    if commit is None:
        reason = f"{what}, {short}, has vanished: everything counts as changed"
        return Base(None, rule, reason)  # type: ignore[arg-type]
    if not git.is_ancestor(commit, "HEAD"):
        reason = (
            f"{what}, {short}, is no longer in this history (a forced push): "
            "everything counts as changed"
        )
        return Base(None, rule, reason)  # type: ignore[arg-type]
    return Base(commit, rule, what)  # type: ignore[arg-type]


def _deepened(git: Git, revision: str | None, *, tags: bool = False) -> str | None:
    """Fetches what a shallow clone lacks. Raises InputError when no remote gives it."""
    if not git.is_shallow():
        return None
    if not git.deepen(revision, tags=tags):
        missing = f"{revision[:8]} is" if revision else "the base's history is"
        raise InputError(
            f"{missing} not in this shallow clone, and the remote gives no more",
            where=str(git.workspace),
            hint=_DEPTH_HINT,
        )
    return git.commit(revision) if revision else None


def _previous_tag(git: Git, tag: str) -> Base:
    if git.is_shallow():
        _deepened(git, None, tags=True)
    previous = git.previous_tag(tag if git.commit(tag) else "HEAD")
    if previous is None:
        return Base(None, "tag", f"no tag before {tag}: everything counts as changed")
    return Base(git.commit(previous), "tag", f"the tag before {tag}: {previous}")


def _last_successful(git: Git, env: Mapping[str, str]) -> Base | None:
    from ciforge.doors.gitlab import last_successful_commit

    found = last_successful_commit(env)
    if found is None:
        return None
    return _ancestor(
        git,
        "last-successful-pipeline",
        found,
        f"the last successful pipeline of {env.get('CI_COMMIT_BRANCH')}",
    )


def _default_branch(git: Git, named: str | None) -> Base:
    if named:
        _check_named(named)
    names = [f"origin/{named}", named] if named else [git.default_branch(), "main", "master"]
    if named and git.commit(names[0] or "") is None and git.is_shallow():
        git.fetch_branch(named)
    for name in names:
        commit = git.commit(name) if name else None
        if name is None or commit is None:
            continue
        base = git.common_ancestor(commit, "HEAD")
        if base is None and git.is_shallow():
            _deepened(git, None)
            base = git.common_ancestor(commit, "HEAD")
        if base is None:
            reason = f"no history in common with {name}: everything counts as changed"
            return Base(None, "default-branch", reason)
        return Base(base, "default-branch", f"where this work left {name}")
    raise InputError(
        f"the default branch {named!r} is not here"
        if named
        else "no default branch was found to compare with",
        where=str(git.workspace),
        hint="fetch it, or name the base: --base REV, or set default_branch in ciforge.yaml",
    )
