"""The durations of a project's jobs, through the door to GitLab."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from ciforge.doors.gitlab import job_durations
from ciforge.errors import InputError, OutsideError
from tests.doors.gitlab_server import Handler, environment, serving


class GitLab(Handler):
    """Newest first, `per_page` 100 at most."""

    operation = "GET /api/v4/projects/{id}/jobs"
    jobs: ClassVar[list[dict[str, Any]]] = []
    pages: ClassVar[list[str]] = []

    def result(self, asked: dict[str, Any]) -> object:
        self.pages.append(asked["page"])
        found = [job for job in self.jobs if job["status"] in asked["scope"]]
        size = min(int(asked["per_page"]), 100)
        start = (int(asked["page"]) - 1) * size
        return found[start : start + size]


def job(name: str, duration: float | None, status: str = "success") -> dict[str, Any]:
    return {"id": 1, "name": name, "status": status, "duration": duration}


@pytest.fixture
def server() -> Iterator[str]:
    GitLab.jobs, GitLab.pages = [], []
    with serving(GitLab) as address:
        yield address


def test_the_median_of_each_name(server: str) -> None:
    GitLab.jobs = [
        job("build", 100),
        job("build", 1, "failed"),
        job("build", 900),
        job("build", 120.25),
        job("smoke: [a]", 10),
        job("smoke: [a]", 20),
        job("odd", None),
    ]
    assert job_durations(environment(server)) == {"build": 120.2, "smoke: [a]": 15}
    assert GitLab.pages == ["1"]


def test_the_last_five_hundred_jobs_are_enough(server: str) -> None:
    GitLab.jobs = [job("a", 1)] * 500 + [job("old", 2)] * 500
    assert job_durations(environment(server)) == {"a": 1}
    assert GitLab.pages == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("missing", ["CI_SERVER_URL", "CI_PROJECT_ID", "GITLAB_TOKEN"])
def test_what_is_missing(missing: str) -> None:
    variables = environment("http://127.0.0.1:9")
    del variables[missing]
    with pytest.raises(InputError) as error:
        job_durations(variables)
    assert missing in (error.value.hint or "")


def test_a_refused_token_is_not_shown(server: str) -> None:
    with pytest.raises(OutsideError) as error:
        job_durations(environment(server, GITLAB_TOKEN="wrong-secret"))
    assert "401" in str(error.value)
    assert "wrong-secret" not in f"{error.value}{error.value.hint}"


def test_nobody_answers() -> None:
    with pytest.raises(OutsideError, match="did not tell the durations"):
        job_durations(environment("http://127.0.0.1:9"))
