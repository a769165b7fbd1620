"""The child pipeline, from plans of every shape."""

from __future__ import annotations

import base64
import gzip
import subprocess
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ciforge.config.model import Pipeline, Runner, Runners
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
    return yaml.safe_load(child_pipeline(made, files))


FULL = plan(
    build=["api"],
    suites=[suite("default"), suite("gpu", gpu=True), suite("idle", run=False)],
    deploys=[deploy("staging", "auto", ["default"]), deploy("production", "manual", ["default"])],
)


def test_exactly_the_work_of_the_plan_in_order() -> None:
    made = child(FULL)
    jobs = {name: job for name, job in made.items() if isinstance(job, dict) and "script" in job}
    assert list(jobs) == [
        "plan",
        "build",
        "smoke default",
        "smoke gpu",
        "deploy staging",
        "deploy production",
    ]
    for name, job in jobs.items():
        stages = made["stages"]
        for need in job.get("needs", []):
            assert stages.index(jobs[need]["stage"]) < stages.index(job["stage"]), name


def test_a_deploy_waits_for_every_smoke_and_production_for_a_person() -> None:
    made = child(FULL)
    for name in ("staging", "production"):
        job = made[f"deploy {name}"]
        assert {"smoke default", "smoke gpu"} <= set(job["needs"])
        assert job["resource_group"] == name
        assert job["interruptible"] is False
    assert made["deploy production"]["rules"][0]["when"] == "manual"
    assert made["deploy production"]["rules"][0]["allow_failure"] is False
    assert "when" not in made["deploy staging"]["rules"][0]


def test_gpu_suites_go_to_their_runners_and_look_for_the_gpu_first() -> None:
    job = child(FULL)["smoke gpu"]
    assert job["tags"] == ["gpu", "a100"]
    assert job["script"][0] == "nvidia-smi"
    assert "tags" not in child(FULL)["smoke default"]


def test_a_child_of_a_merge_request_has_jobs() -> None:
    # Without it GitLab takes the parent's rules, under which a child is an empty pipeline.
    assert child(FULL)["workflow"] == {"rules": [{"when": "always"}]}


def test_nothing_to_do_is_one_job_that_says_so() -> None:
    made = child(plan())
    jobs = [name for name, job in made.items() if isinstance(job, dict) and "script" in job]
    assert jobs == ["plan"]
    assert made["plan"]["script"][-1] == "ciforge plan --read plan.json"


def test_a_second_try_is_for_the_runner_never_for_the_verdict() -> None:
    assert "script_failure" not in child(FULL)["default"]["retry"]["when"]


@given(data=st.binary(max_size=3000))
def test_what_is_handed_over_comes_out_of_the_script_unchanged(data: bytes) -> None:
    made = child(FULL, **{"graph.json": data})
    packed = "".join(made["plan"]["script"][0].splitlines()[1:-1])
    assert gzip.decompress(base64.b64decode(packed)) == data


def test_a_shell_unpacks_it(tmp_path: Any) -> None:
    made = child(FULL, **{"graph.json": b'{"graph": "$(touch pwned)`"}'})
    for line in made["plan"]["script"][:2]:
        subprocess.run(["sh", "-ec", line], cwd=tmp_path, check=True, timeout=20)
    assert (tmp_path / "graph.json").read_bytes() == b'{"graph": "$(touch pwned)`"}'
    assert (tmp_path / "plan.json").read_bytes() == encode_plan(FULL)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["graph.json", "plan.json"]


HOSTILE = st.text(
    st.sampled_from(list("ab \"'`$;(){}[]<>|&*?!#%:-\\\n\t"))
    | st.characters(codec="utf-8", exclude_characters="\0"),
    max_size=60,
)


@given(name=HOSTILE, reason=HOSTILE)
def test_names_from_the_workspace_reach_no_script(name: str, reason: str) -> None:
    """Scripts are the same whatever services, folders and reasons are called."""
    tame = child(plan(build=["x"], suites=[suite("s")], deploys=[deploy("d", "auto", ["s"])]))
    made = plan(
        build=[name],
        suites=[suite("s")],
        deploys=[deploy("d", "auto", ["s"])],
        workspace=name,
        reason=reason,
    )
    wild = yaml.safe_load(child_pipeline(made, {"plan.json": b""}))
    for job in ("build", "smoke s", "deploy d"):
        assert wild[job]["script"] == tame[job]["script"]
    assert wild["variables"]["CIFORGE_WORKSPACE"] == {"value": name, "expand": False}
    assert wild["plan"]["script"][-1] == tame["plan"]["script"][-1]


@pytest.mark.parametrize("name", ["$(reboot)", "a b", "a;b", "-rf", "A", ""])
def test_a_plan_with_such_a_suite_or_environment_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        child(plan(build=["x"], suites=[suite(name)]))
    with pytest.raises(ValueError, match="no name"):
        child(plan(build=["x"], deploys=[deploy(name, "auto", [])]))


def test_the_image_of_the_jobs_may_name_a_variable_of_gitlab() -> None:
    made = msgspec.structs.replace(
        FULL,
        pipeline=Pipeline(image="$CI_REGISTRY/tools/ciforge:1"),
        runners=Runners(default=Runner(tags=("k8s",))),
    )
    assert child(made)["default"]["image"] == "$CI_REGISTRY/tools/ciforge:1"
    assert child(made)["default"]["tags"] == ["k8s"]


def test_every_scalar_keeps_its_type_for_yaml_1_1() -> None:
    text = child_pipeline(FULL, {"plan.json": b""}).decode()
    assert yaml.safe_load(text)["variables"]["GIT_DEPTH"] == "1"
    assert child_pipeline(FULL, {"plan.json": b""}) == child_pipeline(FULL, {"plan.json": b""})
