"""Build jobs: one for all images, one each, or a few of some images each; then one that tags.

With several jobs nothing has a tag until the job `images` has seen the result of every one of
them, so a pipeline that dies half-way leaves nothing behind that another would take for done.
"""

from __future__ import annotations

from dataclasses import dataclass

from ciforge.gitlab_ci.limits import MAX_NEEDS, MAX_PARALLEL
from ciforge.pipeline.names import Job, job_name, literal
from ciforge.pipeline.runners import docker_in_docker, tags
from ciforge.plan.model import Plan

_TIMEOUT = "2 hours"


@dataclass(frozen=True)
class Builds:
    """`jobs` in order; `last` is the one that leaves images.json; `count` of jobs as they run."""

    jobs: dict[str, Job]
    last: str
    count: int


def build_jobs(plan: Plan, has_graph: bool, most: int) -> Builds:
    """The jobs after which every image of the plan is in the registry, `most` at most (2 or more).

    Only what the plan has not seen in the registry needs a builder; the rest needs no more than
    its tags.
    """
    names = plan.unseen
    if not names:
        return Builds({"images": _images_job(plan, "--join", needs=["plan"])}, "images", 1)
    parts = _parts(plan, len(names), most - 1)
    if parts == 1:
        job = _job(plan, has_graph, options=_tags(plan), output="images.json")
        return Builds({"build": job}, "build", 1)
    if parts == len(names) and plan.pipeline.build == "per-image":
        jobs = {
            job_name("build", name): _job(
                plan,
                has_graph,
                options='--service "$CIFORGE_SERVICE" ',
                output=f"part-{number}.json",
                variables={"CIFORGE_SERVICE": literal(name)},
            )
            for number, name in enumerate(names, 1)
        }
    else:
        parts = min(parts, MAX_PARALLEL)
        job = _job(
            plan,
            has_graph,
            options='--part "$CI_NODE_INDEX/$CI_NODE_TOTAL" ',
            output="part-$CI_NODE_INDEX.json",
        )
        jobs = {"build": {"parallel": parts, **job}}
    # Above the limit the stage itself is what it waits for.
    needs = ["plan", *jobs] if parts < MAX_NEEDS else None
    jobs = {**jobs, "images": _images_job(plan, "--join 'part-*.json'", needs=needs)}
    return Builds(jobs, "images", parts + 1)


def _parts(plan: Plan, images: int, most: int) -> int:
    pipeline = plan.pipeline
    per_job = {"grouped": images, "per-image": 1}.get(pipeline.build, pipeline.images_per_job)
    return max(1, min(-(-images // per_job), most))


def _job(
    plan: Plan, has_graph: bool, options: str, output: str, variables: Job | None = None
) -> Job:
    runner = plan.runners.build
    file = f'"{output}"' if "$" in output else output
    graph = " --graph graph.json" if has_graph else ""
    builder = "" if runner.builder == "docker" else f"--builder {runner.builder} "
    prepared: list[str] = []
    around: Job = {}
    if runner.builder == "docker" and runner.engine == "docker-in-docker":
        around, prepared = docker_in_docker(builds=True)
    elif runner.builder == "buildkit":
        around = {"variables": {"BUILDKITD_FLAGS": "--oci-worker-no-process-sandbox"}}
    elif runner.builder == "buildah":
        around = {"variables": {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"}}
    if runner.image:
        around["image"] = {"name": runner.image, "entrypoint": [""]}
    command = (
        f'ciforge -C "$CIFORGE_WORKSPACE" build --plan plan.json{graph} {builder}{options}'
        f"--push -o {file}"
    )
    named = {**around.pop("variables", {}), **(variables or {})}
    return {
        "stage": "build",
        "needs": ["plan"],
        **tags(runner.tags),
        **around,
        **({"variables": named} if named else {}),
        "script": [*prepared, command],
        "artifacts": {"paths": [output], "expire_in": "1 week"},
        "timeout": _TIMEOUT,
    }


def _tags(plan: Plan) -> str:
    """Only where all images are there: a part sets no tag."""
    return "".join(f'--tag "{tag}" ' for tag in plan.pipeline.image_tags)


def _images_job(plan: Plan, join: str, needs: list[str] | None) -> Job:
    """Sets tags in the registry alone: no layer moves, no engine is needed."""
    return {
        "stage": "images",
        **({"needs": needs} if needs is not None else {}),
        "variables": {"GIT_STRATEGY": "none"},
        "script": [f"ciforge build --plan plan.json {join} {_tags(plan)}--push -o images.json"],
        "artifacts": {"paths": ["images.json"], "expire_in": "1 week"},
        "timeout": "15 minutes",
    }
