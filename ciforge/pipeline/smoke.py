"""Smoke jobs: one per suite, those with a GPU on their own runners."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ciforge.pipeline.names import Job, safe
from ciforge.pipeline.runners import docker_in_docker, tags
from ciforge.plan.model import Plan, SmokePlan


def smoke_name(suite: str) -> str:
    return f"smoke {safe(suite)}"


def smoke_jobs(plan: Plan, suites: Sequence[SmokePlan], images: str, most: int) -> dict[str, Job]:
    """Jobs by name; `images` is the job that leaves images.json.

    One for each suite; with more than `most`, jobs of several suites, one after the other.
    """
    if len(suites) <= most:
        return {smoke_name(s.suite): _job(plan, [s], safe(s.suite), images) for s in suites}
    jobs: dict[str, Job] = {}
    plain = [s for s in suites if not s.gpu]
    gpu = [s for s in suites if s.gpu]
    share = max(1, most * len(plain) // len(suites)) if plain else 0
    for kind, some, parts in (("", plain, share), ("gpu ", gpu, max(1, most - share))):
        for number, part in enumerate(_split(some, parts), 1):
            key = f"{kind.strip()}PART{number}"  # no suite is called so
            jobs[f"smoke {kind}part {number}"] = _job(plan, part, key, images)
    return jobs


def _split(suites: Sequence[SmokePlan], parts: int) -> Iterable[Sequence[SmokePlan]]:
    return [part for i in range(parts) if (part := suites[i::parts])]


def _job(plan: Plan, suites: Sequence[SmokePlan], key: str, images: str) -> Job:
    gpu = suites[0].gpu
    runner = plan.runners.gpu if gpu else plan.runners.smoke
    around: Job = {}
    prepared: list[str] = []
    if runner.engine == "docker-in-docker":
        around, prepared = docker_in_docker(builds=False)
    wanted = suites[0].runner_tags
    if gpu and wanted:
        prepared = ["nvidia-smi", *prepared]
        around |= _gpu(plan)
    names = " ".join(f"--suite {safe(suite.suite)}" for suite in suites)
    command = (
        f'ciforge -C "$CIFORGE_WORKSPACE" smoke --plan plan.json --images images.json {names} '
        f"--junit junit-{key}.xml --logs smoke-logs -o smoke-{key}.json"
    )
    seconds = sum(suite.timeout for suite in suites)
    default = list(plan.runners.default.tags)
    return {
        "stage": "smoke",
        "needs": ["plan", images],
        **tags(wanted if sorted(default) != wanted else ()),
        **around,
        "script": [*prepared, command],
        "artifacts": {
            "when": "always",
            "paths": [f"smoke-{key}.json", "smoke-logs/"],
            "reports": {"junit": f"junit-{key}.xml"},
            "expire_in": "1 week",
        },
        "timeout": f"{seconds // 60 + 15} minutes",
    }


def _gpu(plan: Plan) -> Job:
    """A job that no runner takes is failed by GitLab; a second try would only wait again."""
    runner = plan.runners.gpu
    job: Job = {"retry": {"max": 1, "when": ["runner_system_failure", "scheduler_failure"]}}
    if runner.resource_group:
        job["resource_group"] = runner.resource_group
    if runner.missing == "manual":
        # Blocking: what was not tested is not deployed because nobody looked.
        job |= {"when": "manual", "allow_failure": False}
    return job
