"""Whatever a workspace and its configuration hold, GitLab takes what is generated."""

from __future__ import annotations

import os
from typing import Any

import msgspec
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ciforge.config.delivery import BuildRunner, GpuRunner, Pipeline, Runner, Runners, SmokeRunner
from ciforge.pipeline.child import child_pipeline
from ciforge.pipeline.verify import findings, refusals
from ciforge.plan.encode import decode_plan, encode_plan
from ciforge.plan.model import DeployPlan, Plan, ServicePlan, SmokePlan
from tests.pipeline.plans import deploy, jobs_of, plan, suite

REPLACE = msgspec.structs.replace
ODD = ['"; rm -rf /', "$(reboot)", "`id`", "a\nb", "🎉" * 20, "x" * 300, "{{x}}", "- a b", "'"]
HOSTILE = st.sampled_from(ODD) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30
)
NAME = st.from_regex(r"[a-z][a-z0-9]{0,8}([.-][a-z0-9]{1,4})?", fullmatch=True)
TAGS = st.lists(NAME, max_size=3, unique=True).map(lambda tags: tuple(sorted(tags)))
ENGINE = st.sampled_from(["host", "docker-in-docker"])
WORDS = st.fixed_dictionaries(
    {},
    optional={
        "before_script": st.lists(HOSTILE, min_size=1, max_size=2),
        "variables": st.dictionaries(st.from_regex(r"[A-Z]{1,6}", fullmatch=True), HOSTILE),
        "id_tokens": st.just({"TOKEN": {"aud": "https://vault.example.com"}}),
        "timeout": st.sampled_from(["1 hour", "90 minutes"]),
        "cache": st.just([{"key": "a", "paths": [".cache/"]}]),
        "interruptible": st.booleans(),
    },
)


@st.composite
def services(draw: st.DrawFn) -> list[ServicePlan]:
    names = draw(st.lists(HOSTILE | NAME, max_size=5, unique=True))
    names += [f"s{i}" for i in range(draw(st.sampled_from([0, 0, 0, 12, 49, 51, 130])))]
    made = plan(build=sorted(set(names))).services
    held = draw(st.booleans())
    digest = "sha256:" + "1" * 64
    return [REPLACE(s, image_digest=digest) if held and i % 3 else s for i, s in enumerate(made)]


@st.composite
def suites(draw: st.DrawFn) -> list[SmokePlan]:
    names = draw(st.lists(NAME, max_size=3, unique=True))
    names += [f"t{i}" for i in range(draw(st.sampled_from([0, 0, 0, 47, 60])))]
    return [suite(n, gpu=draw(st.booleans()), run=draw(st.booleans())) for n in sorted(set(names))]


@st.composite
def deploys(draw: st.DrawFn) -> list[DeployPlan]:
    names = draw(st.lists(NAME, max_size=3, unique=True))
    made = []
    for name in names:
        review = draw(st.booleans())
        on = (
            ["merge-request"]
            if review
            else draw(st.sampled_from([["tag"], ["default-branch"], ["default-branch", "tag"]]))
        )
        when = draw(st.sampled_from(["auto", "manual"]))
        made.append(
            REPLACE(
                deploy(name, when, []),
                review=review,
                on=on,
                stop=review or draw(st.booleans()),
                auto_stop_in="1 week" if review else None,
                namespace=draw(st.none() | HOSTILE),
                run=draw(st.booleans()),
            )
        )
    return made


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    made_services, smoke = draw(services()), draw(suites())
    base = plan(
        build=[s.name for s in made_services],
        suites=smoke,
        deploys=draw(deploys()),
        workspace=draw(HOSTILE),
        reason=draw(HOSTILE),
    )
    patterns = ["plan", "*", "build*"] + [f"smoke {s.suite}" for s in smoke[:1]]
    return REPLACE(
        base,
        ciforge=draw(st.just("1") | HOSTILE),
        head=REPLACE(base.head, commit=draw(HOSTILE), ref=draw(HOSTILE)),
        services=made_services,
        pipeline=Pipeline(
            image=draw(st.none() | st.just("$CI_REGISTRY/ciforge:1")),
            build=draw(st.sampled_from(["auto", "grouped", "per-image"])),
            images_per_job=draw(st.integers(1, 20)),
            max_jobs=draw(st.sampled_from([20, 100, 500])),
            defaults=draw(WORDS),
            jobs=draw(st.dictionaries(st.sampled_from(patterns), WORDS, max_size=2)),
            extra_jobs=draw(st.dictionaries(st.just("scan x"), st.just({"script": ["x"]}))),
        ),
        runners=Runners(
            default=Runner(tags=draw(TAGS)),
            build=BuildRunner(
                tags=draw(TAGS),
                builder=draw(st.sampled_from(["docker", "buildkit", "buildah"])),
                engine=draw(ENGINE),
            ),
            smoke=SmokeRunner(engine=draw(ENGINE)),
            gpu=GpuRunner(
                engine=draw(ENGINE),
                resource_group=draw(st.none() | st.just("gpu")),
                missing=draw(st.sampled_from(["fail", "manual"])),
            ),
        ),
    )


def size_of(job: dict[str, Any]) -> int:
    return int(job.get("parallel", 1))


# Thousands, once in a while: CIFORGE_EXAMPLES=5000 pytest tests/pipeline/test_properties.py
@settings(max_examples=int(os.environ.get("CIFORGE_EXAMPLES", "40")), deadline=None)
@given(made=plans())
def test_gitlab_takes_whatever_is_generated(made: Plan) -> None:
    data = encode_plan(made)
    content = child_pipeline(decode_plan(data, "plan.json"), {"plan.json": data})
    assert all(line.startswith("#") for line in content.decode().split("\n")[:3])
    assert findings(content) == []
    assert list(refusals(content)) == []
    # What the lint says is not all that is believed.
    document = yaml.load(content, yaml.CSafeLoader)
    jobs = jobs_of(document)
    assert len(jobs) == sum(1 for key in document if key not in FIXED)
    assert sum(map(size_of, jobs.values())) <= made.pipeline.max_jobs
    own = [s for job in jobs.values() for s in job["script"][-1:]]
    for name in [made.workspace, *(s.name for s in made.services)]:
        assert name not in ODD[:-1] or not any(name in line for line in own)
    for name, job in jobs.items():
        assert len(name) <= 255
        assert name.isprintable() and name.isascii()
        needs = job.get("needs", [])
        assert sum(size_of(jobs[need]) for need in needs) <= 50
        stages = document["stages"]
        assert all(stages.index(jobs[n]["stage"]) < stages.index(job["stage"]) for n in needs)
        if name.startswith("deploy "):
            smoke = {n for n in jobs if n.startswith("smoke ")}
            assert "needs" not in job or smoke <= {*needs}
    again = child_pipeline(decode_plan(data, "plan.json"), {"plan.json": data})
    assert again == content


FIXED = {"include", "workflow", "stages", "default", "variables"}
