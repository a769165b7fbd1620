"""Build jobs: how the work is cut, and what each runner needs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ciforge.config.delivery import BuildRunner, Pipeline, Runners
from ciforge.plan.model import Plan
from tests.pipeline.plans import FULL, child, deploy, jobs_of, plan, suite

REPLACE = msgspec.structs.replace


def of(count: int, *, build: Any = "auto", runner: BuildRunner | None = None, **more: Any) -> Plan:
    made = plan(
        build=[f"s{i:03}" for i in range(count)],
        suites=[suite("default")],
        deploys=[deploy("staging", "auto", ["default"])],
    )
    pipeline = Pipeline(build=build, **more)
    return REPLACE(made, pipeline=pipeline, runners=Runners(build=runner or BuildRunner()))


def builds(made: Plan) -> dict[str, Any]:
    return {n: j for n, j in jobs_of(child(made)).items() if j["stage"] in ("build", "images")}


def test_one_job_builds_all_and_sets_the_tags_itself() -> None:
    for made in (of(10), of(300, build="grouped"), of(1, build="per-image")):
        (name,) = builds(made)
        assert name == "build"
        assert child(made)["smoke default"]["needs"] == ["plan", "build"]
        assert child(made)["build"]["artifacts"]["paths"] == ["images.json"]


def test_one_job_for_each_image_and_one_that_joins() -> None:
    jobs = builds(of(3, build="per-image"))
    assert list(jobs) == ["build s000", "build s001", "build s002", "images"]
    job = jobs["build s001"]
    assert job["variables"]["CIFORGE_SERVICE"] == {"value": "s001", "expand": False}
    assert '--service "$CIFORGE_SERVICE" --push -o part-2.json' in job["script"][-1]
    assert jobs["images"]["needs"] == ["plan", "build s000", "build s001", "build s002"]
    join = "ciforge build --plan plan.json --join 'part-*.json'"
    tags = '--tag "$CI_COMMIT_REF_SLUG" --push -o images.json'
    assert jobs["images"]["script"] == [f"{join} {tags}"]
    made = child(of(3, build="per-image"))
    assert made["smoke default"]["needs"] == ["plan", "images"]
    assert made["deploy staging"]["needs"] == ["plan", "images", "smoke default"]


def test_a_few_jobs_share_many_images() -> None:
    jobs = builds(of(95))
    assert list(jobs) == ["build", "images"]
    assert jobs["build"]["parallel"] == 10
    assert '--part "$CI_NODE_INDEX/$CI_NODE_TOTAL"' in jobs["build"]["script"][-1]
    assert jobs["build"]["artifacts"]["paths"] == ["part-$CI_NODE_INDEX.json"]
    assert jobs["images"]["needs"] == ["plan", "build"]


@pytest.mark.parametrize("count", [48, 49, 50, 51])
def test_above_fifty_needs_the_stage_itself_is_the_barrier(count: int) -> None:
    job = builds(of(count, build="per-image"))["images"]
    # plan is one of them
    assert ("needs" in job) is (count < 50)
    assert job["stage"] == "images"


def test_more_images_than_jobs_are_allowed() -> None:
    jobs = builds(of(1000, build="per-image", max_jobs=100))
    assert list(jobs) == ["build", "images"]
    # 100 jobs: plan, images, one smoke, one deploy, and the parts
    assert jobs["build"]["parallel"] == 96
    # GitLab's limit of `parallel`
    assert builds(of(5000, images_per_job=1, max_jobs=1500))["build"]["parallel"] == 200
    assert len(builds(of(300, build="per-image"))) == 301


def test_images_that_the_registry_holds_need_no_builder() -> None:
    held = of(3)
    services = [REPLACE(s, image_digest="sha256:" + "1" * 64) for s in held.services]
    made = REPLACE(held, services=services)
    assert builds(made) == {"images": child(made)["images"]}
    assert child(made)["images"]["variables"] == {"GIT_STRATEGY": "none"}
    assert child(made)["smoke default"]["needs"] == ["plan", "images"]
    one = REPLACE(held, services=[held.services[0], *services[1:]])
    assert list(builds(one)) == ["build"]


@pytest.mark.parametrize("way", ["grouped", "per-image"])
def test_who_has_all_images_sets_the_pipelines_tags(way: str) -> None:
    made = of(3, build=way, image_tags=("$CI_COMMIT_REF_SLUG", "v-${CI_PIPELINE_IID}"))
    jobs = builds(made)
    tags = '--tag "$CI_COMMIT_REF_SLUG" --tag "v-${CI_PIPELINE_IID}" --push -o images.json'
    last = list(jobs)[-1]
    assert jobs[last]["script"][-1].endswith(tags)
    assert not any("--tag" in " ".join(jobs[name]["script"]) for name in jobs if name != last)
    none = builds(of(3, build=way, image_tags=()))
    assert not any("--tag" in " ".join(job["script"]) for job in none.values())


def test_docker_in_docker_waits_for_its_engine_and_makes_a_builder() -> None:
    job = builds(of(1, runner=BuildRunner(engine="docker-in-docker", tags=("dind",))))["build"]
    assert job["services"] == [{"name": "docker:29-dind", "alias": "docker"}]
    assert job["variables"]["DOCKER_HOST"] == "tcp://docker:2376"
    assert job["tags"] == ["dind"]
    assert job["script"][:3] == [
        "timeout 60 sh -c 'until docker info >/dev/null 2>&1; do sleep 1; done'",
        "docker context create ciforge",
        "docker buildx create --name ciforge --driver docker-container --use ciforge",
    ]


def test_builders_without_an_engine() -> None:
    image = "$CI_REGISTRY/tools/ciforge-buildkit:1"
    job = builds(of(1, runner=BuildRunner(builder="buildkit", image=image)))["build"]
    assert job["image"] == {"name": image, "entrypoint": [""]}
    assert job["variables"] == {"BUILDKITD_FLAGS": "--oci-worker-no-process-sandbox"}
    assert "services" not in job
    built = 'build --plan plan.json --builder buildkit --tag "$CI_COMMIT_REF_SLUG" --push'
    assert built in job["script"][0]
    job = builds(of(1, runner=BuildRunner(builder="buildah")))["build"]
    assert job["variables"] == {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"}
    assert "--builder buildah" in job["script"][0]


def test_the_graph_goes_to_who_lays_out_contexts() -> None:
    made = child(of(3, build="per-image"), **{"graph.json": b"{}"})
    assert "--graph graph.json" in made["build s000"]["script"][0]
    assert "--graph" not in made["images"]["script"][0]
    assert "graph" not in child(FULL)["build"]["script"][0]
