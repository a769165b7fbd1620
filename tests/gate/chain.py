"""A chain of files that opens the gate: two services of ours, one ready image, two suites."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

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
from ciforge.results.encode import encode, sha256_of
from ciforge.results.model import BuiltImage, Images, Smoke, SuiteResult, TestedImage


def sha(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


PLAN_SHA, IMAGES_SHA = sha("plan"), sha("images")


def service(name: str, kind: str = "nestjs", host: str = "registry.test") -> ServicePlan:
    return ServicePlan(
        name=name,
        kind=kind,
        projects=[name],
        recognised="by its name",
        action="build",
        reason="a test",
        changed=True,
        digest=sha(f"inputs {name}"),
        image=f"{host}/all-erp/{name}",
        tag=None,
    )


def plan(
    services: Sequence[str] = ("api", "web"),
    *,
    host: str = "registry.test",
    gpu_services: Sequence[str] = ("vllm",),
    run: bool = True,
    release: str = "all-erp",
    chart: str = "chart",
    namespace: str | None = None,
    timeout: int = 60,
    max_restarts: int = 3,
    values: Sequence[str] = (),
    needs: Sequence[str] = ("default", "gpu"),
) -> Plan:
    def suite(name: str, members: Sequence[str], gpu: bool) -> SmokePlan:
        return SmokePlan(
            suite=name,
            run=run,
            services=list(members),
            compose=[],
            timeout=60,
            gpu=gpu,
            runner_tags=[],
            reason="",
        )

    deploys = [
        DeployPlan(
            environment=environment,
            run=run,
            when="manual",
            services=list(services) if run else [],
            release=release,
            chart=chart,
            namespace=namespace,
            values=list(values),
            timeout=timeout,
            max_restarts=max_restarts,
            needs=list(needs) if run else [],
            reason="a test" if run else "no service changed",
        )
        for environment in ("production", "staging")
    ]
    return Plan(
        ciforge="0.1.0",
        head=Head(commit="0" * 40, ref="main", uncommitted=0),
        base=PlanBase(commit=None, rule="none", reason=""),
        registry=RegistryAnswer(
            host=host, prefix="all-erp", insecure=True, asked=True, reason="it answered"
        ),
        counts=Counts(build=len(services), reuse=1, unaffected=0),
        affected=[],
        services=[*(service(n, host=host) for n in services), service("vllm", "image", host)],
        smoke=[suite("default", services, False), suite("gpu", gpu_services, True)],
        deployed=sorted([*services, "vllm"]),
        deploys=deploys,
        levels=[list(services)],
    )


def image(name: str, digest: str | None = None, host: str = "registry.test") -> BuiltImage:
    return BuiltImage(
        service=name,
        action="built",
        reason="a test",
        input_digest=sha(f"inputs {name}"),
        image=f"{host}/all-erp/{name}",
        digest=digest or sha(f"manifest {name}"),
    )


def ran(name: str, digest: str | None = None) -> TestedImage:
    digest = digest or sha(f"manifest {name}")
    return TestedImage(service=name, reference=f"x/{name}@{digest}", digest=digest)


def smoke(
    images: Sequence[BuiltImage], plan_sha: str = PLAN_SHA, images_sha: str = IMAGES_SHA
) -> Smoke:
    images_ran = [ran(i.service, i.digest) for i in images]
    return Smoke(
        ciforge="0.1.0",
        plan=plan_sha,
        images=images_sha,
        suites=[
            SuiteResult(suite="default", verdict="passed", reason="2 checks", images=images_ran),
            SuiteResult(suite="gpu", verdict="passed", reason="1 check"),
        ],
    )


def open_state(gpu_services: Sequence[str] = ("vllm",)) -> tuple[Plan, Images, dict[str, Smoke]]:
    built = [image("api"), image("web")]
    images = Images(ciforge="0.1.0", plan=PLAN_SHA, commit="0" * 40, pushed=True, images=built)
    return plan(gpu_services=gpu_services), images, {"smoke.json": smoke(built)}


def write(folder: Path, the_plan: Plan, built: Sequence[BuiltImage], *, red: str = "") -> None:
    """plan.json, images.json and smoke.json in `folder`, each naming the one before."""
    plan_bytes = encode_plan(the_plan)
    images = Images(
        ciforge="0.1.0",
        plan=sha256_of(plan_bytes),
        commit=the_plan.head.commit,
        pushed=True,
        images=list(built),
    )
    images_bytes = encode(images)
    result = smoke(built, sha256_of(plan_bytes), sha256_of(images_bytes))
    if red:
        result.suites[0] = SuiteResult(suite="default", verdict="failed", reason=red)
    (folder / "plan.json").write_bytes(plan_bytes)
    (folder / "images.json").write_bytes(images_bytes)
    (folder / "smoke.json").write_bytes(encode(result))
