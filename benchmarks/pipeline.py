"""`ciforge generate` for a plan in which every service is affected, and `ciforge lint` of it."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.generate import nx_graph
from benchmarks.measure import Runs, in_turn
from benchmarks.program import ciforge
from benchmarks.shape import Shape
from ciforge.config.delivery import Pipeline
from ciforge.plan.encode import encode_plan
from ciforge.plan.model import (
    Counts,
    DeployPlan,
    Head,
    InputChange,
    Plan,
    PlanBase,
    RegistryAnswer,
    ServicePlan,
    SmokePlan,
)

# Seconds for 1,000 affected services.
GENERATE_BUDGET = 1.0
LINT_BUDGET = 2.0
GENERATE, LINT = "generate", "lint"
_PER_IMAGE = Pipeline(build="per-image", max_jobs=1500)


@dataclass(frozen=True)
class Generated:
    """One size; `size`: bytes of the child, `jobs`: what `pipeline.build` asked for."""

    services: int
    jobs: str
    size: int
    runs: dict[str, Runs]

    @property
    def budgets(self) -> dict[str, float]:
        scale = max(self.services, 1000) / 1000
        return {GENERATE: GENERATE_BUDGET * scale, LINT: LINT_BUDGET * scale}

    def as_json(self) -> dict[str, object]:
        return {
            "services": self.services,
            "build": self.jobs,
            "bytes": self.size,
            "budget_seconds": self.budgets,
            "runs": {name: runs.as_json() for name, runs in self.runs.items()},
        }


def measure_pipeline(services: int, rounds: int) -> list[Generated]:
    """With few build jobs, and, up to 1,000 services, with one for each image."""
    ways = {"auto": Pipeline(), "per-image": _PER_IMAGE}
    return [
        _measure(services, name, pipeline, rounds)
        for name, pipeline in ways.items()
        if name == "auto" or services <= 1000
    ]


def _measure(services: int, name: str, pipeline: Pipeline, rounds: int) -> Generated:
    with tempfile.TemporaryDirectory(prefix="ciforge-bench-") as scratch:
        folder = Path(scratch)
        plan = msgspec.structs.replace(affected_plan(services), pipeline=pipeline)
        (folder / "plan.json").write_bytes(encode_plan(plan))
        graph = nx_graph(Shape(services, 4, pnpm=True))
        (folder / "graph.json").write_text(json.dumps(graph))
        files = ("--plan", "plan.json", "--graph", "graph.json", "-o", "child.yml")
        generate = ciforge(GENERATE, folder, "generate", *files)
        runs = in_turn([generate], rounds)
        runs |= in_turn([ciforge(LINT, folder, "lint", "child.yml")], rounds)
        return Generated(services, name, (folder / "child.yml").stat().st_size, runs)


def affected_plan(services: int) -> Plan:
    """A plan as `ciforge plan` makes it after a change of a library that all services read."""
    names = [f"service-{i:05}" for i in range(services)]
    smoke = SmokePlan(
        suite="default",
        run=True,
        services=names,
        compose=["docker-compose.yml"],
        timeout=600,
        gpu=False,
        runner_tags=[],
        reason=f"{names[0]} and {services - 1} more are new to it",
    )
    deploy = DeployPlan(
        environment="staging",
        run=True,
        when="auto",
        services=names,
        release="shop",
        chart="deploy/helm/shop",
        namespace="staging",
        values=[],
        timeout=600,
        needs=["default"],
        reason=f"{names[0]} and {services - 1} more changed",
    )
    return Plan(
        ciforge="0",
        head=Head(commit="a" * 40, ref="main", uncommitted=0),
        base=PlanBase(commit="b" * 40, rule="before-sha", reason="CI_COMMIT_BEFORE_SHA"),
        registry=RegistryAnswer(
            host="registry.example.com", prefix="acme/shop", asked=True, reason="it holds none"
        ),
        counts=Counts(build=services, reuse=0, unaffected=0),
        affected=["common", *names],
        services=[_service(name, i) for i, name in enumerate(names)],
        smoke=[smoke],
        deployed=names,
        deploys=[deploy],
        levels=[names],
    )


def _service(name: str, number: int) -> ServicePlan:
    digest = hashlib.sha256(name.encode()).hexdigest()
    source = f"libs/area-{number % 100}/shared/src/lib/feature-{number % 7}.ts"
    return ServicePlan(
        name=name,
        kind="nestjs",
        projects=[name],
        recognised=f"apps/{name}/src/main.ts calls NestFactory.create",
        action="build",
        reason=f"{source} changed",
        chain=[source, f"area-{number % 100}-shared", name],
        changed=True,
        input_changes=[InputChange(change="changed", kind="file", name=source)],
        input_changes_total=1,
        digest=f"sha256:{digest}",
        image=f"registry.example.com/acme/shop/{name}",
        tag=f"in-{digest[:40]}",
        dockerfile="Dockerfile",
        build_args={"SERVICE": name},
        platforms=["linux/amd64"],
    )
