"""What a simulation is about: the event, the jobs that GitLab would create, those it would not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

EDGES = (".pre", ".post")
"""Stages that alone make no pipeline."""


@dataclass(frozen=True)
class Event:
    """Why a pipeline would begin.

    `variables` are GitLab's own (`CI_…`) and those that the user gives. `changed` are the files
    of the push or merge request; None means that GitLab has nothing to compare with (a tag, a
    schedule), and takes every `changes` as true. `files` are those of the commit, for `exists`.
    `has_cluster`: a Kubernetes cluster is connected to the project (`only:kubernetes`).
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    changed: tuple[str, ...] | None = None
    files: tuple[str, ...] = ()
    has_cluster: bool = True

    @property
    def source(self) -> str:
        return self.variables.get("CI_PIPELINE_SOURCE", "push")

    @property
    def is_tag(self) -> bool:
        return bool(self.variables.get("CI_COMMIT_TAG"))

    @property
    def is_merge_request(self) -> bool:
        return self.source == "merge_request_event" or bool(
            self.variables.get("CI_MERGE_REQUEST_IID")
        )

    @property
    def is_branch(self) -> bool:
        """As GitLab has it: neither a tag nor a merge request, whatever the branch is called."""
        return not self.is_tag and not self.is_merge_request

    @property
    def ref(self) -> str:
        names = ("CI_COMMIT_TAG", "CI_COMMIT_BRANCH", "CI_COMMIT_REF_NAME")
        return next((self.variables[n] for n in names if self.variables.get(n)), "")


@dataclass(frozen=True)
class Need:
    """One job that another waits for; `optional` ones may be missing."""

    job: str
    optional: bool = False


@dataclass(frozen=True)
class Job:
    """A job that the pipeline would have, after `parallel` made several out of one.

    `base` is its name in the file. `needs` is None for a job that waits for the stages before
    its own. `start_in` is in seconds. `rule` says why the job is there.
    """

    name: str
    base: str
    stage: str
    when: str = "on_success"
    needs: tuple[Need, ...] | None = None
    allow_failure: bool = False
    start_in: float = 0
    tags: tuple[str, ...] = ()
    resource_group: str | None = None
    is_trigger: bool = False
    waits_for_child: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    rule: str = ""


@dataclass(frozen=True)
class LeftOut:
    """A job of the file that the pipeline would not have, and the rule that says so."""

    name: str
    stage: str
    reason: str


Status = Literal["created", "error", "empty", "no_pipeline_workflow"]


@dataclass(frozen=True)
class Pipeline:
    """GitLab's answer to an event.

    `stages` in order, `jobs` in the order in which GitLab creates them. `errors` are GitLab's
    words; `reason` says why there is no pipeline. `auto_cancel` is what the matching rule of
    `workflow` sets, or the workflow itself.
    """

    status: Status
    stages: tuple[str, ...] = ()
    jobs: tuple[Job, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    errors: tuple[str, ...] = ()
    reason: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    auto_cancel: Mapping[str, Any] = field(default_factory=dict)
