"""Plans of every shape, and the child pipeline of each."""

from __future__ import annotations

from typing import Any

import yaml

from ciforge.pipeline.child import child_pipeline
from ciforge.plan.encode import encode_plan
from ciforge.plan.model import (
    Counts,
    DeployPlan,
    Head,
    Plan,
    PlanBase,
    RegistryAnswer,
    ServicePlan,
    SmokePlan,
)


def plan(
    *,
    build: list[str] = [],  # noqa: B006 - never changed
    suites: list[SmokePlan] = [],  # noqa: B006
    deploys: list[DeployPlan] = [],  # noqa: B006
    workspace: str = ".",
    reason: str = "changed",
) -> Plan:
    services = [
        ServicePlan(
            name=name,
            kind="nestjs",
            projects=[name],
            recognised="",
            action="build",
            reason=reason,
            changed=True,
            digest="sha256:" + "0" * 64,
            image=f"registry/{name}",
            tag="in-0",
        )
        for name in build
    ]
    return Plan(
        ciforge="1",
        workspace=workspace,
        head=Head(commit="a" * 40, ref="main", uncommitted=0),
        base=PlanBase(commit="b" * 40, rule="--base", reason=reason),
        registry=RegistryAnswer(host="registry", prefix=None, asked=True, reason=reason),
        counts=Counts(build=len(build), reuse=0, unaffected=0),
        affected=[],
        services=services,
        smoke=suites,
        deployed=build,
        deploys=deploys,
        levels=[],
    )


def suite(name: str, *, gpu: bool = False, run: bool = True) -> SmokePlan:
    return SmokePlan(
        suite=name,
        run=run,
        services=["api"],
        compose=["docker-compose.yml"],
        timeout=600,
        gpu=gpu,
        runner_tags=["gpu", "a100"] if gpu else [],
        reason="",
    )


def deploy(name: str, when: Any, needs: list[str]) -> DeployPlan:
    return DeployPlan(
        environment=name,
        run=True,
        when=when,
        services=["api"],
        release="app",
        chart="deploy/helm/app",
        namespace=None,
        values=[],
        timeout=600,
        needs=needs,
        reason="",
    )


def child(made: Plan, **handed: bytes) -> dict[str, Any]:
    files = {"plan.json": encode_plan(made), **handed}
    return yaml.load(child_pipeline(made, files), yaml.CSafeLoader)


FULL = plan(
    build=["api"],
    suites=[suite("default"), suite("gpu", gpu=True), suite("idle", run=False)],
    deploys=[deploy("staging", "auto", ["default"]), deploy("production", "manual", ["default"])],
)


def jobs_of(made: dict[str, Any]) -> dict[str, Any]:
    """The jobs of a child, by name, in order."""
    return {name: job for name, job in made.items() if isinstance(job, dict) and "script" in job}
