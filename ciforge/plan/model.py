"""The plan as it is written to plan.json: versioned, and the only thing that later steps read.

Field names are the JSON's own; lists are sorted, so that equal plans are equal bytes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from ciforge.config.delivery import Duration, Pipeline, Runners, Tier, Url

PLAN_VERSION = 1

Action = Literal["build", "reuse", "unaffected"]


class Head(Struct, frozen=True, kw_only=True):
    commit: Annotated[str | None, Meta(description="full commit id; null without a commit")]
    ref: Annotated[str | None, Meta(description="branch or tag; null on a detached head")]
    uncommitted: Annotated[int, Meta(ge=0, description="uncommitted and untracked files counted")]


class PlanBase(Struct, frozen=True, kw_only=True):
    commit: Annotated[
        str | None, Meta(description="full commit id; null: everything counts as changed")
    ]
    rule: Annotated[str, Meta(description="which rule of the base policy chose it")]
    reason: str


class RegistryAnswer(Struct, frozen=True, kw_only=True):
    host: str | None
    prefix: str | None
    insecure: Annotated[bool, Meta(description="plain HTTP is spoken to it")] = False
    asked: Annotated[
        bool, Meta(description="false: whether images exist is assumed from the base's digests")
    ]
    reason: Annotated[str, Meta(description="why it was not asked, or what it answered")]


class PlanGraph(Struct, frozen=True, kw_only=True):
    source: Annotated[
        Literal["nx", "file", "cache"],
        Meta(description="nx: Nx ran; file: --graph; cache: --graph-cache, proved unchanged"),
    ]
    reason: Annotated[
        str | None,
        Meta(description="with --graph-cache: why Nx ran, or why it didn't have to"),
    ] = None


class InputChange(Struct, frozen=True, kw_only=True):
    """One difference between the inputs at the base and now."""

    change: Literal["added", "removed", "changed"]
    kind: Annotated[
        str, Meta(description="file, root, package, base-image, build-arg, setting or image")
    ]
    name: Annotated[str, Meta(description="path, argument or reference")]


class ServicePlan(Struct, frozen=True, kw_only=True):
    name: str
    kind: Annotated[str, Meta(description="nestjs, nextjs, spa, node, python, docker or image")]
    projects: Annotated[list[str], Meta(description="Nx projects that go into the image")]
    recognised: Annotated[str, Meta(description="how it was recognised as a service")]
    action: Action
    assumed: Annotated[
        bool, Meta(description="true: the image is assumed to exist, no registry was asked")
    ] = False
    reason: str
    chain: Annotated[
        list[str],
        Meta(description="from the changed file through the graph to the service's project"),
    ] = []
    changed: Annotated[
        bool, Meta(description="its inputs differ from those at the base, so it is tested again")
    ]
    input_changes: Annotated[list[InputChange], Meta(description="the first twenty of them")] = []
    input_changes_total: int = 0
    digest: Annotated[str, Meta(description="of the image's inputs, sha256:…")]
    image: Annotated[str, Meta(description="repository of the image, without a tag")]
    tag: Annotated[str | None, Meta(description="the tag made of the digest; null: not ours")]
    image_digest: Annotated[
        str | None, Meta(description="the manifest that the registry holds under the tag")
    ] = None
    dockerfile: str | None = None
    build_args: dict[str, str] = {}
    start_env: Annotated[
        dict[str, str], Meta(description="variables for the one start before the tag")
    ] = {}
    platforms: list[str] = []
    gpu: bool = False
    port: Annotated[int, Meta(description="where it listens inside its container")] = 3000
    ready: Annotated[str, Meta(description="path of its readiness answer")] = "/health/ready"
    runner_tags: Annotated[list[str], Meta(description="tags of the runner that it needs")] = []
    level: Annotated[
        int, Meta(ge=1, description="services of one level don't depend on each other")
    ] = 1


class SmokePlan(Struct, frozen=True, kw_only=True):
    suite: str
    run: bool
    services: list[str]
    compose: list[str]
    timeout: Annotated[int, Meta(description="seconds")]
    gpu: bool
    runner_tags: list[str]
    reason: str


class DeployPlan(Struct, frozen=True, kw_only=True):
    environment: str
    run: bool
    when: Literal["auto", "manual"]
    services: Annotated[list[str], Meta(description="services whose release changes")]
    release: Annotated[str, Meta(description="name of the Helm release")]
    chart: Annotated[str, Meta(description="folder of the Helm chart, below the workspace")]
    namespace: Annotated[str | None, Meta(description="null: the one of the kube context")]
    values: Annotated[list[str], Meta(description="values files; later ones win")]
    timeout: Annotated[int, Meta(description="seconds until it counts as failed")]
    max_restarts: Annotated[
        int, Meta(description="of a new container, until the deploy counts as failed; 0: any")
    ] = 3
    needs: Annotated[list[str], Meta(description="smoke suites that must be green")]
    may_be_missing: Annotated[
        list[str], Meta(description="of these suites, those that may also be 'not run'")
    ] = []
    on: Annotated[
        list[Literal["default-branch", "tag", "merge-request"]],
        Meta(description="pipelines that deploy there"),
    ] = field(default_factory=lambda: ["default-branch", "tag"])
    review: Annotated[bool, Meta(description="a release of its own for each merge request")] = False
    tier: Tier | None = None
    url: Url | None = None
    stop: Annotated[bool, Meta(description="with a job that uninstalls it")] = False
    auto_stop_in: Duration | None = None
    reason: str


class Counts(Struct, frozen=True, kw_only=True):
    build: int
    reuse: int
    unaffected: int


class Plan(Struct, frozen=True, kw_only=True):
    version: Annotated[int, Meta(ge=1, le=PLAN_VERSION)] = PLAN_VERSION
    ciforge: Annotated[str, Meta(description="the version that made the plan")]
    workspace: Annotated[
        str, Meta(description="folder of the Nx workspace in the repository; '.' is its root")
    ] = "."
    pipeline: Annotated[Pipeline, Meta(description="how its jobs are written")] = Pipeline()
    runners: Annotated[Runners, Meta(description="where they run")] = Runners()
    head: Head
    base: PlanBase
    graph: Annotated[PlanGraph | None, Meta(description="where the project graph came from")] = None
    registry: RegistryAnswer
    counts: Counts
    affected: Annotated[list[str], Meta(description="what Nx calls affected, all projects")]
    services: list[ServicePlan]
    smoke: list[SmokePlan]
    deployed: Annotated[
        list[str], Meta(description="services that are part of the release, changed or not")
    ]
    deploys: list[DeployPlan]
    levels: Annotated[list[list[str]], Meta(description="services by level, first to last")]
    warnings: list[str] = []

    @property
    def unseen(self) -> list[str]:
        """Services of which the registry was not seen to hold an image: what needs a builder."""
        return [s.name for s in self.services if s.kind != "image" and s.image_digest is None]


def plan_schema() -> dict[str, object]:
    """The JSON Schema (2020-12) of plan.json."""
    import msgspec

    schema = msgspec.json.schema(Plan)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://ciforge.dev/schema/plan-1.json",
        "title": "ciforge plan",
        **schema,
    }
