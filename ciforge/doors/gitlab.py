"""The door to GitLab's API, through python-gitlab."""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median

from ciforge.doors.process import innermost, report_call
from ciforge.errors import InputError, OutsideError

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
    token = gitlab_token(env)
    server, project, branch = (
        env.get(name) for name in ("CI_SERVER_URL", "CI_PROJECT_ID", "CI_COMMIT_BRANCH")
    )
    if token is None or not server or not project or not branch:
        return None
    import gitlab
    import requests

    started = time.perf_counter()
    try:
        client = gitlab.Gitlab(server, private_token=token, timeout=20)
        pipelines = client.projects.get(project, lazy=True).pipelines.list(
            ref=branch, status="success", order_by="id", sort="desc", per_page=1, get_all=False
        )
    except (gitlab.exceptions.GitlabError, requests.RequestException) as error:
        raise OutsideError(
            f"GitLab did not tell the last successful pipeline: {_said(error)}",
            where=server,
            hint="the token needs the scope read_api; or name the base: --base REV",
        ) from error
    finally:
        report_call(f"GET {server} pipelines of {branch}", time.perf_counter() - started)
    return str(pipelines[0].sha) if pipelines else None


def ci_lint(env: Mapping[str, str], content: str) -> list[str]:
    """What the project's CI Lint says against a CI file; an empty list: it is valid.

    Raises InputError when the project or a token is not named, OutsideError when GitLab refuses
    or does not answer.
    """
    token = gitlab_token(env)
    server, project = env.get("CI_SERVER_URL"), env.get("CI_PROJECT_ID")
    if token is None or not server or not project:
        raise InputError(
            "GitLab can't be asked (--online): the project or a token is missing",
            hint=f"set CI_SERVER_URL, CI_PROJECT_ID and {' or '.join(TOKEN_VARIABLES)} (scope api)",
        )
    import gitlab
    import requests

    started = time.perf_counter()
    try:
        answer = (
            gitlab.Gitlab(server, private_token=token, timeout=60)
            .projects.get(project, lazy=True)
            .ci_lint.create({"content": content})
        )
    except (gitlab.exceptions.GitlabError, requests.RequestException) as error:
        raise OutsideError(
            f"GitLab did not lint the file: {_said(error)}",
            where=server,
            hint="the token needs the scope api; without --online nobody is asked",
        ) from error
    finally:
        report_call(f"POST {server} CI Lint of {project}", time.perf_counter() - started)
    if answer.valid:
        return []
    return [str(error) for error in answer.errors] or ["GitLab calls it invalid, without a word"]


def _said(error: Exception) -> str:
    if isinstance(error, OSError):  # what requests raises: the reason is deep inside
        return innermost(error)
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def job_durations(env: Mapping[str, str]) -> dict[str, float]:
    """The median seconds of the project's last successful jobs, by name.

    Trigger jobs are not among them: GitLab lists those elsewhere, and their time is their
    child's. Raises InputError when the project or a token is not named, OutsideError when
    GitLab refuses or does not answer.
    """
    token = gitlab_token(env)
    server, project = env.get("CI_SERVER_URL"), env.get("CI_PROJECT_ID")
    if token is None or not server or not project:
        raise InputError(
            "GitLab can't be asked for durations: the project or a token is missing",
            hint=f"set CI_SERVER_URL, CI_PROJECT_ID and {' or '.join(TOKEN_VARIABLES)} (read_api)",
        )
    import gitlab
    import requests

    found: dict[str, list[float]] = {}
    started = time.perf_counter()
    try:
        jobs = (
            gitlab.Gitlab(server, private_token=token, timeout=20)
            .projects.get(project, lazy=True)
            .jobs
        )
        for page in range(1, _RECENT + 1):
            listed = jobs.list(scope=["success"], per_page=100, page=page, get_all=False)
            for job in listed:
                if isinstance(job.duration, int | float):
                    found.setdefault(str(job.name), []).append(float(job.duration))
            if len(listed) < 100:
                break
    except (gitlab.exceptions.GitlabError, requests.RequestException) as error:
        raise OutsideError(
            f"GitLab did not tell the durations of jobs: {_said(error)}",
            where=server,
            hint="the token needs the scope read_api; or give them: --durations FILE",
        ) from error
    finally:
        report_call(f"GET {server} jobs of {project}", time.perf_counter() - started)
    return {name: round(median(seconds), 1) for name, seconds in sorted(found.items())}
