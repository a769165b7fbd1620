"""Plans, images and compose models of one's own."""

from __future__ import annotations

from typing import Any

from ciforge.plan.model import (
    Counts,
    Head,
    Plan,
    PlanBase,
    RegistryAnswer,
    ServicePlan,
    SmokePlan,
)
from ciforge.results.model import BuiltImage, Images

PLAN_SHA = "sha256:" + "0" * 64


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def service(name: str, **changes: Any) -> ServicePlan:
    known: dict[str, Any] = {
        "name": name,
        "kind": "node",
        "projects": [name],
        "recognised": "a target",
        "action": "build",
        "reason": "changed",
        "changed": True,
        "digest": digest("a"),
        "image": f"registry.example/erp/{name}",
        "tag": "in-aaaa",
    }
    return ServicePlan(**{**known, **changes})


def suite(name: str, *services: str, **changes: Any) -> SmokePlan:
    known: dict[str, Any] = {
        "suite": name,
        "run": True,
        "services": list(services),
        "compose": ["docker-compose.yml"],
        "timeout": 60,
        "gpu": False,
        "runner_tags": [],
        "reason": "new to it",
    }
    return SmokePlan(**{**known, **changes})


def plan(services: list[ServicePlan], suites: list[SmokePlan], host: str | None = None) -> Plan:
    return Plan(
        ciforge="0",
        head=Head(commit=None, ref=None, uncommitted=0),
        base=PlanBase(commit=None, rule="none", reason="none"),
        registry=RegistryAnswer(host=host, prefix=None, asked=False, reason="none"),
        counts=Counts(build=len(services), reuse=0, unaffected=0),
        affected=[],
        services=services,
        smoke=suites,
        deployed=[],
        deploys=[],
        levels=[],
    )


def built(name: str, **changes: Any) -> BuiltImage:
    known: dict[str, Any] = {
        "service": name,
        "action": "built",
        "reason": "changed",
        "input_digest": digest("a"),
        "image": f"registry.example/erp/{name}",
        "digest": digest("b"),
    }
    return BuiltImage(**{**known, **changes})


def images(*found: BuiltImage, plan_sha: str = PLAN_SHA) -> Images:
    return Images(ciforge="0", plan=plan_sha, commit=None, pushed=True, images=list(found))
