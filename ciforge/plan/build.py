"""Joins what is affected, what the inputs say and what the registry holds into one plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from ciforge import __version__
from ciforge.affected.why import Reason
from ciforge.config.delivery import Environment
from ciforge.config.model import Config, Suite
from ciforge.digest.diff import EntryChange
from ciforge.plan.model import (
    Action,
    Counts,
    DeployPlan,
    Head,
    InputChange,
    Plan,
    PlanBase,
    PlanGraph,
    RegistryAnswer,
    ServicePlan,
    SmokePlan,
)
from ciforge.workspace.services import Service

MAX_INPUT_CHANGES = 20

# What a workspace without a configuration deploys to: each green smoke to staging, production
# on a click.
DEFAULT_ENVIRONMENTS = {
    "staging": Environment(when="auto"),
    "production": Environment(when="manual"),
}


@dataclass(frozen=True)
class Evidence:
    """What is known of one service.

    `digest` of its inputs now; `changes` against the base, None when the base is unknown or
    has no such service (`new`). `build_args` are those that a build gets, SERVICE included.
    `reason` is Nx's chain to one of its projects, None when Nx calls none of them affected.
    `image_digest`: the manifest under the digest's tag, None when the registry has none or
    was not asked.
    """

    service: Service
    digest: str
    tag: str | None
    changes: Sequence[EntryChange] | None
    reason: Reason | None
    image_digest: str | None = None
    new: bool = False
    build_args: Mapping[str, str] = field(default_factory=dict)
    level: int = 1


@dataclass(frozen=True)
class Circumstances:
    """Everything else that a plan tells."""

    head: Head
    base: PlanBase
    registry: RegistryAnswer
    affected: Sequence[str]
    config: Config
    workspace: str = "."
    graph: PlanGraph | None = None
    warnings: Sequence[str] = field(default_factory=tuple)


def make_plan(evidence: Sequence[Evidence], around: Circumstances) -> Plan:
    """The plan; pure, and equal for equal arguments."""
    services = [_service(e, around) for e in sorted(evidence, key=lambda e: e.service.name)]
    smoke = _smoke(services, around.config)
    deployable = {e.service.name for e in evidence if e.service.deploy}
    levels: dict[int, list[str]] = {}
    for service in services:
        levels.setdefault(service.level, []).append(service.name)
    actions = [service.action for service in services]
    return Plan(
        ciforge=__version__,
        workspace=around.workspace,
        pipeline=around.config.pipeline,
        runners=around.config.runners,
        head=around.head,
        base=around.base,
        graph=around.graph,
        registry=around.registry,
        counts=Counts(
            build=actions.count("build"),
            reuse=actions.count("reuse"),
            unaffected=actions.count("unaffected"),
        ),
        affected=sorted(around.affected),
        services=services,
        smoke=smoke,
        deployed=sorted(deployable),
        deploys=_deploys(services, smoke, around, deployable),
        levels=[levels[level] for level in sorted(levels)],
        warnings=list(around.warnings),
    )


def _service(evidence: Evidence, around: Circumstances) -> ServicePlan:
    service = evidence.service
    action, assumed, reason = _verdict(evidence, around)
    changes = evidence.changes or ()
    return ServicePlan(
        name=service.name,
        kind=service.kind,
        projects=sorted(service.projects),
        recognised=service.recognised,
        action=action,
        assumed=assumed,
        reason=reason,
        chain=_chain(evidence.reason),
        changed=_changed(evidence),
        input_changes=[
            InputChange(change=c.change, kind=c.kind, name=c.name)
            for c in changes[:MAX_INPUT_CHANGES]
        ],
        input_changes_total=len(changes),
        digest=evidence.digest,
        image=service.image.partition("@")[0]
        if service.image
        else _repository(service.name, around.registry),
        tag=evidence.tag,
        image_digest=evidence.image_digest,
        dockerfile=None if service.image else service.dockerfile,
        build_args=dict(sorted(evidence.build_args.items())),
        start_env=dict(sorted(service.start_env.items())),
        platforms=sorted(service.platforms),
        gpu=service.gpu,
        port=service.port,
        ready=service.ready,
        runner_tags=_runner_tags(around.config, service.gpu),
        level=evidence.level,
    )


def _changed(evidence: Evidence) -> bool:
    return evidence.changes is None or bool(evidence.changes)


def _verdict(evidence: Evidence, around: Circumstances) -> tuple[Action, bool, str]:
    """Action, whether its image is only assumed to exist, and why.

    The digest decides; that Nx calls a service affected only decides how a kept image is
    called, since an equal digest means that the build would read the same.
    """
    service, changes = evidence.service, evidence.changes
    if service.image is not None:
        if changes is None or changes:
            return "reuse", False, "a ready image, taken as it is"
        return "unaffected", False, "a ready image, the same as at the base"
    held = around.registry.asked and evidence.image_digest is not None
    if changes is None:
        if held:
            return "reuse", False, "the registry holds an image of the same inputs"
        if evidence.new:
            return "build", False, "a new service: at the base there was none of this name"
        return "build", False, "nothing is known of the base, so it counts as changed"
    if changes:
        if held:
            return (
                "reuse",
                False,
                f"the registry holds an image of these inputs ({_first(changes)})",
            )
        return "build", False, _first(changes)
    if around.registry.asked and not held:
        return "build", False, "its inputs are those of the base, but the registry has no image"
    assumed = not around.registry.asked
    if evidence.reason is None:
        return "unaffected", assumed, "no input of its image changed"
    return "reuse", assumed, "affected, but no input of its image changed"


def _first(changes: Sequence[EntryChange]) -> str:
    """The most telling change in words: a file before what was derived from it."""
    order = {"file": 0, "root": 1, "package": 2}
    change = min(changes, key=lambda c: (order.get(c.kind, 4), c.name))
    more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
    return f"{change.describe()}{more}"


def _chain(reason: Reason | None) -> list[str]:
    if reason is None:
        return []
    start = reason.touch.file if reason.touch.file is not None else reason.touch.rule
    return [start, *(step.node for step in reason.steps)]


def _repository(service: str, registry: RegistryAnswer) -> str:
    return "/".join(part for part in (registry.host, registry.prefix, service) if part)


def _runner_tags(config: Config, gpu: bool) -> list[str]:
    return sorted(config.runners.gpu.tags if gpu else config.runners.default.tags)


def _smoke(services: Sequence[ServicePlan], config: Config) -> list[SmokePlan]:
    suites = dict(config.smoke) or _default_suites(services)
    return [_suite(name, suite, services, config) for name, suite in sorted(suites.items())]


def _default_suites(services: Sequence[ServicePlan]) -> dict[str, Suite]:
    """One suite of everything that runs anywhere, one for what needs a GPU."""
    suites = {}
    plain = tuple(s.name for s in services if not s.gpu)
    gpu = tuple(s.name for s in services if s.gpu)
    if plain:
        suites["default"] = Suite(services=plain)
    if gpu:
        suites["gpu"] = Suite(services=gpu, gpu=True)
    return suites


def _suite(name: str, suite: Suite, services: Sequence[ServicePlan], config: Config) -> SmokePlan:
    members = [s for s in services if any(fnmatchcase(s.name, p) for p in suite.services)]
    fresh = [s.name for s in members if _is_fresh(s)]
    if not members:
        reason = "no service is called as its 'services' say"
    elif fresh:
        reason = f"{_names(fresh)} {'is' if len(fresh) == 1 else 'are'} new to it"
    else:
        reason = "none of its services changed"
    return SmokePlan(
        suite=name,
        run=bool(fresh),
        services=[s.name for s in members],
        compose=list(suite.compose),
        timeout=suite.timeout,
        gpu=suite.gpu,
        runner_tags=_runner_tags(config, suite.gpu),
        reason=reason,
    )


def _is_fresh(service: ServicePlan) -> bool:
    """Whether its image may never have been tested: other inputs than at the base, or an image
    that no earlier pipeline has left behind."""
    return service.changed or service.action == "build"


def _deploys(
    services: Sequence[ServicePlan],
    smoke: Sequence[SmokePlan],
    around: Circumstances,
    deployable: set[str],
) -> list[DeployPlan]:
    config = around.config
    changed = [s.name for s in services if _is_fresh(s) and s.name in deployable]
    needs = [s.suite for s in smoke if s.run]
    reason = f"{_names(changed)} changed" if changed else "no service changed"
    environments = dict(config.environments) or DEFAULT_ENVIRONMENTS
    prefix = (around.registry.prefix or "").rpartition("/")[2]
    release = config.helm.release or prefix or "app"
    return [
        DeployPlan(
            environment=name,
            run=bool(changed),
            when="auto" if environment.when == "auto" else "manual",
            services=changed,
            release=release,
            chart=config.helm.chart or f"deploy/helm/{release}",
            namespace=environment.namespace,
            values=list(environment.values),
            timeout=config.helm.timeout,
            max_restarts=config.helm.max_restarts,
            needs=needs,
            may_be_missing=sorted(set(needs) & set(environment.may_be_missing)),
            on=["merge-request"] if environment.review else sorted(set(environment.on)),
            review=environment.review,
            tier=environment.tier,
            url=environment.url,
            stop=environment.stop or environment.review,
            auto_stop_in=environment.auto_stop_in if environment.review else None,
            reason=reason,
        )
        for name, environment in environments.items()
    ]


def _names(names: Sequence[str], limit: int = 3) -> str:
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
