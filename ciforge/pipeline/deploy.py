"""Deploy jobs, one per environment, and those that take a release away again."""

from __future__ import annotations

from collections.abc import Sequence

from ciforge.pipeline.names import Job, literal, safe
from ciforge.pipeline.runners import tags
from ciforge.plan.model import DeployPlan, Plan

# What a pipeline is told by: in a child the source is always 'parent_pipeline'.
_PIPELINES = {
    "default-branch": (
        "$CI_COMMIT_BRANCH && $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH "
        "&& $CI_MERGE_REQUEST_IID == null"
    ),
    "tag": "$CI_COMMIT_TAG",
    "merge-request": "$CI_MERGE_REQUEST_IID",
}
_TIERS = {
    "production": "production",
    "staging": "staging",
    "testing": "testing",
    "development": "development",
}


def deploy_name(environment: str) -> str:
    return f"deploy {safe(environment)}"


def stop_name(environment: str) -> str:
    return f"stop {safe(environment)}"


def deploy_jobs(plan: Plan, deploy: DeployPlan, needs: Sequence[str] | None) -> dict[str, Job]:
    """The job of an environment, and the one that stops it where it has one.

    `needs`: the jobs that must be green before, every smoke among them, on every tier of GitLab;
    None: all earlier stages.
    """
    name = safe(deploy.environment)
    jobs = {deploy_name(name): _deploy_job(plan, deploy, name, needs)}
    if deploy.stop:
        jobs[stop_name(name)] = _stop_job(plan, deploy, name)
    return jobs


def _deploy_job(plan: Plan, deploy: DeployPlan, name: str, needs: Sequence[str] | None) -> Job:
    instance = '--instance "$CI_ENVIRONMENT_SLUG" ' if deploy.review else ""
    environment: Job = {"name": _environment(deploy)}
    tier = deploy.tier or ("development" if deploy.review else _TIERS.get(name))
    if tier:
        environment["deployment_tier"] = tier
    if deploy.url:
        environment["url"] = deploy.url
    if deploy.stop:
        environment["on_stop"] = stop_name(name)
    if deploy.auto_stop_in:
        environment["auto_stop_in"] = deploy.auto_stop_in
    command = (
        f'ciforge -C "$CIFORGE_WORKSPACE" deploy {name} {instance}--plan plan.json '
        f"--images images.json --smoke 'smoke-*.json' -o deploy-{name}.json"
    )
    return {
        "stage": "deploy",
        **({"needs": list(needs)} if needs is not None else {}),
        **tags(plan.runners.deploy.tags),
        "script": [command],
        "rules": _rules(deploy, manual=deploy.when == "manual", allow_failure=False),
        "environment": environment,
        "resource_group": _environment(deploy),
        "interruptible": False,
        "artifacts": {
            "when": "always",
            "paths": [f"deploy-{name}.json"],
            "expire_in": "4 weeks",
        },
        "timeout": f"{deploy.timeout // 60 + 30} minutes",
    }


def _stop_job(plan: Plan, deploy: DeployPlan, name: str) -> Job:
    """Runs long after the pipeline, perhaps without its branch: it reads no file of either."""
    instance = ' --instance "$CI_ENVIRONMENT_SLUG"' if deploy.review else ""
    variables: Job = {"GIT_STRATEGY": "none", "CIFORGE_RELEASE": literal(deploy.release)}
    namespace = ""
    if deploy.namespace:
        variables["CIFORGE_NAMESPACE"] = literal(deploy.namespace)
        namespace = ' --namespace "$CIFORGE_NAMESPACE"'
    return {
        "stage": "deploy",
        "needs": [],
        **tags(plan.runners.deploy.tags),
        "variables": variables,
        "script": [
            f'ciforge deploy {name}{instance} --uninstall --release "$CIFORGE_RELEASE"{namespace}'
        ],
        # It must not hold the pipeline, and must exist wherever its deploy does.
        "rules": _rules(deploy, manual=True, allow_failure=True),
        "environment": {"name": _environment(deploy), "action": "stop"},
        "resource_group": _environment(deploy),
        "interruptible": False,
        "timeout": f"{deploy.timeout // 60 + 15} minutes",
    }


def _environment(deploy: DeployPlan) -> str:
    """Its name in GitLab: a review has one for each merge request, by its number."""
    return f"{deploy.environment}/$CI_MERGE_REQUEST_IID" if deploy.review else deploy.environment


def _rules(deploy: DeployPlan, *, manual: bool, allow_failure: bool) -> list[Job]:
    # A manual job holds the pipeline unless it may fail: always written, never left to a default.
    how = {"when": "manual", "allow_failure": allow_failure} if manual else {}
    return [{"if": _PIPELINES[kind], **how} for kind in deploy.on]
