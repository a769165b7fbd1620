"""Against what a plan compares: a policy of rules in a fixed order, never a silent guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Rule = Literal[
    "--base",
    "merge-request",
    "tag",
    "last-successful-pipeline",
    "before-sha",
    "default-branch",
]

ZERO_SHA = "0" * 40


def is_zero(revision: str | None) -> bool:
    """Whether GitLab says "there is none": no text, or the zero id of SHA-1 or SHA-256."""
    return not revision or (len(revision) >= 40 and set(revision) == {"0"})


@dataclass(frozen=True)
class Candidate:
    """One rule that may choose the base, with the revision it names.

    `revision` is None where the rule must ask the outside (git for the previous tag, GitLab
    for the last successful pipeline).
    """

    rule: Rule
    revision: str | None


@dataclass(frozen=True)
class Base:
    """The chosen base.

    `commit` None means that everything counts as changed. `reason` is a sentence for people.
    """

    commit: str | None
    rule: Rule
    reason: str


def candidates(
    explicit: str | None, env: Mapping[str, str], default_branch: str | None
) -> list[Candidate]:
    """The rules that apply, best first. GitLab's variables are as its documentation names them.

    A merge-request pipeline: CI_MERGE_REQUEST_DIFF_BASE_SHA. A tag: the previous tag. A
    branch in CI: the last successful pipeline of that branch, else CI_COMMIT_BEFORE_SHA.
    Elsewhere: the default branch.
    """
    if explicit is not None and explicit != "auto":
        return [Candidate("--base", explicit)]
    if env.get("CI_MERGE_REQUEST_DIFF_BASE_SHA"):
        return [Candidate("merge-request", env["CI_MERGE_REQUEST_DIFF_BASE_SHA"])]
    if env.get("CI_COMMIT_TAG"):
        return [Candidate("tag", None)]
    if env.get("GITLAB_CI") or env.get("CI_COMMIT_BRANCH"):
        return [
            Candidate("last-successful-pipeline", None),
            Candidate("before-sha", env.get("CI_COMMIT_BEFORE_SHA", ZERO_SHA)),
        ]
    return [Candidate("default-branch", default_branch)]
