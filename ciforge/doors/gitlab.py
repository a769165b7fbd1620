"""The door to GitLab's API, through python-gitlab."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING

from ciforge.doors.process import innermost, report_call
from ciforge.errors import InputError, OutsideError

if TYPE_CHECKING:
    from gitlab.v4.objects import Project

# Pages of 100 jobs that durations are taken from.
_RECENT = 5

# A job token may not list pipelines: a token with read_api is needed, given by one of these.
TOKEN_VARIABLES = ("CIFORGE_GITLAB_TOKEN", "GITLAB_TOKEN")


def gitlab_token(env: Mapping[str, str]) -> str | None:
    return next((env[name] for name in TOKEN_VARIABLES if env.get(name)), None)


def last_successful_commit(env: Mapping[str, str]) -> str | None:
    """The commit of the newest successful pipeline of this branch, or None.

    None without a token, outside CI, and where the branch has no successful pipeline yet.
    Raises OutsideError when GitLab refuses or does not answer.
    """
    branch = env.get("CI_COMMIT_BRANCH")
    if not branch or not _names_project(env):
        return None
    hint = "the token needs the scope read_api; or name the base: --base REV"
    with _project(env, f"pipelines of {branch}", "the last successful pipeline", hint) as project:
        pipelines = project.pipelines.list(
            ref=branch, status="success", order_by="id", sort="desc", per_page=1, get_all=False
        )
    return str(pipelines[0].sha) if pipelines else None


def ci_lint(env: Mapping[str, str], content: str) -> list[str]:
    """What the project's CI Lint says against a CI file; an empty list: it is valid.

    Raises InputError when the project or a token is not named, OutsideError when GitLab refuses
    or does not answer.
    """
    _check_project(env, "--online", "api")
    hint = "the token needs the scope api; without --online nobody is asked"
    with _project(env, "CI Lint", "what it thinks of the file", hint) as project:
        answer = project.ci_lint.create({"content": content})
    if answer.valid:
        return []
    return [str(error) for error in answer.errors] or ["GitLab calls it invalid, without a word"]


def job_durations(env: Mapping[str, str]) -> dict[str, float]:
    """The median seconds of the project's last successful jobs, by name.

    Trigger jobs are not among them: GitLab lists those elsewhere, and their time is their
    child's. Raises InputError when the project or a token is not named, OutsideError when
    GitLab refuses or does not answer.
    """
    _check_project(env, "--durations-from gitlab", "read_api")
    found: dict[str, list[float]] = {}
    hint = "the token needs the scope read_api; or give them: --durations FILE"
    with _project(env, "jobs", "the durations of jobs", hint) as project:
        for page in range(1, _RECENT + 1):
            listed = project.jobs.list(scope=["success"], per_page=100, page=page, get_all=False)
            for job in listed:
                if isinstance(job.duration, int | float):
                    found.setdefault(str(job.name), []).append(float(job.duration))
            if len(listed) < 100:
                break
    return {name: round(median(seconds), 1) for name, seconds in sorted(found.items())}


def _names_project(env: Mapping[str, str]) -> bool:
    return bool(env.get("CI_SERVER_URL") and env.get("CI_PROJECT_ID") and gitlab_token(env))


def _check_project(env: Mapping[str, str], option: str, scope: str) -> None:
    if not _names_project(env):
        names = f"CI_SERVER_URL, CI_PROJECT_ID and {' or '.join(TOKEN_VARIABLES)}"
        raise InputError(
            f"GitLab can't be asked ({option}): the project or a token is missing",
            hint=f"set {names} (scope {scope})",
        )


@contextmanager
def _project(env: Mapping[str, str], what: str, told: str, hint: str) -> Iterator[Project]:
    """The environment's project, to be asked; whatever GitLab refuses is an OutsideError."""
    import gitlab
    import requests

    server, number = env["CI_SERVER_URL"], env["CI_PROJECT_ID"]
    started = time.perf_counter()
    try:
        client = gitlab.Gitlab(server, private_token=gitlab_token(env), timeout=30)
        yield client.projects.get(number, lazy=True)
    except (gitlab.exceptions.GitlabError, requests.RequestException) as error:
        raise OutsideError(
            f"GitLab did not tell {told}: {_said(error)}", where=server, hint=hint
        ) from error
    finally:
        report_call(f"{server} project {number}: {what}", time.perf_counter() - started)


def _said(error: Exception) -> str:
    if isinstance(error, OSError):  # what requests raises: the reason is deep inside
        return innermost(error)
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
