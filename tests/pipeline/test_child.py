"""The child pipeline, from plans of every shape."""

from __future__ import annotations

import base64
import gzip
import hashlib
import lzma
import subprocess
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ciforge.config.delivery import Pipeline, Runner, Runners
from ciforge.pipeline.child import child_pipeline
from ciforge.pipeline.names import job_name
from ciforge.plan.encode import encode_plan
from tests.pipeline.plans import FULL, child, deploy, jobs_of, plan, suite


def test_exactly_the_work_of_the_plan_in_order() -> None:
    made = child(FULL)
    jobs = jobs_of(made)
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
    assert made["deploy production"]["rules"][1]["if"] == "$CI_COMMIT_TAG"
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
    assert list(jobs_of(made)) == ["plan"]
    assert made["plan"]["artifacts"]["paths"] == ["plan.json"]
    assert made["plan"]["script"][-1] == "ciforge plan --read plan.json"


def test_a_second_try_is_for_the_runner_never_for_the_verdict() -> None:
    assert "script_failure" not in child(FULL)["default"]["retry"]["when"]


@settings(max_examples=40, deadline=None)
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


def test_much_is_packed_harder(tmp_path: Any) -> None:
    data = b"".join(hashlib.sha256(b"%d" % i).hexdigest().encode() for i in range(35_000))
    made = child(FULL, **{"graph.json": data})
    assert "| xz -d > graph.json" in made["plan"]["script"][0]
    packed = "".join(made["plan"]["script"][0].splitlines()[1:-1])
    assert lzma.decompress(base64.b64decode(packed)) == data


HOSTILE = st.text(
    st.sampled_from(list("ab \"'`$;(){}[]<>|&*?!#%:-\\\n\t"))
    | st.characters(codec="utf-8", exclude_characters="\0"),
    max_size=60,
)


@settings(max_examples=40, deadline=None)
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
    wild = yaml.load(child_pipeline(made, {"plan.json": b""}), yaml.CSafeLoader)
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


@pytest.mark.parametrize(
    ("name", "becomes"),
    [
        ("api", "build api"),
        ("@acme/api", "build @acme/api"),
        ("a" * 249, f"build {'a' * 249}"),
        ("a" * 250, f"build {'a' * 236}-"),
        ('"; rm -rf /', "build _rm_-rf_/-"),
        ("$(reboot)\n`🎉`", "build _reboot_-"),
    ],
)
def test_names_of_jobs_need_no_quoting_and_fit(name: str, becomes: str) -> None:
    made = job_name("build", name)
    assert len(made) <= 255
    assert made.startswith(becomes)
    assert made == becomes or len(made) == len(becomes) + 12


def test_names_that_look_alike_stay_different() -> None:
    assert len({job_name("build", name) for name in ("a$b", "a`b", "a\nb", "a_b", "🎉", "🚀")}) == 6
