"""The last successful pipeline, through the door to GitLab."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from ciforge.doors.gitlab import last_successful_commit
from ciforge.errors import OutsideError
from tests.doors.gitlab_server import TOKEN, Handler, environment, serving


class GitLab(Handler):
    operation = "GET /api/v4/projects/{id}/pipelines"
    pipelines: ClassVar[list[dict[str, Any]]] = []

    def result(self, asked: dict[str, Any]) -> object:
        found = [
            p for p in self.pipelines if p["ref"] == asked["ref"] and p["status"] == asked["status"]
        ]
        found.sort(key=lambda p: p[asked["order_by"]], reverse=asked["sort"] == "desc")
        return found[: int(asked["per_page"])]


def pipeline(number: int, status: str, sha: str, ref: str = "main") -> dict[str, Any]:
    return {"id": number, "status": status, "sha": sha, "ref": ref}


@pytest.fixture
def server() -> Iterator[str]:
    GitLab.pipelines = []
    with serving(GitLab) as address:
        yield address


def env(server: str, **more: str) -> dict[str, str]:
    variables = environment(server, CI_COMMIT_BRANCH="main", CIFORGE_GITLAB_TOKEN=TOKEN)
    del variables["GITLAB_TOKEN"]
    return {**variables, **more}


def test_the_newest_successful_pipeline_of_the_branch(server: str) -> None:
    GitLab.pipelines = [
        pipeline(1, "success", "old"),
        pipeline(3, "success", "newest"),
        pipeline(2, "success", "older"),
        pipeline(4, "failed", "red"),
        pipeline(5, "success", "elsewhere", "feature"),
    ]
    assert last_successful_commit(env(server)) == "newest"


def test_a_branch_without_one(server: str) -> None:
    assert last_successful_commit(env(server)) is None


@pytest.mark.parametrize(
    "missing", ["CIFORGE_GITLAB_TOKEN", "CI_SERVER_URL", "CI_PROJECT_ID", "CI_COMMIT_BRANCH"]
)
def test_nobody_is_asked_without(server: str, missing: str) -> None:
    GitLab.pipelines = [pipeline(1, "success", "x")]
    variables = env(server)
    del variables[missing]
    assert last_successful_commit(variables) is None


def test_a_token_of_the_other_name(server: str) -> None:
    GitLab.pipelines = [pipeline(1, "success", "x")]
    variables = env(server, GITLAB_TOKEN=TOKEN)
    del variables["CIFORGE_GITLAB_TOKEN"]
    assert last_successful_commit(variables) == "x"


def test_a_refused_token_is_named_but_never_shown(server: str) -> None:
    with pytest.raises(OutsideError) as error:
        last_successful_commit(env(server, CIFORGE_GITLAB_TOKEN="wrong-secret"))
    assert "401" in str(error.value)
    assert "wrong-secret" not in str(error.value)
    assert error.value.hint is not None
    assert "read_api" in error.value.hint


def test_nobody_answers() -> None:
    with pytest.raises(OutsideError, match="did not tell the last successful pipeline"):
        last_successful_commit(env("http://127.0.0.1:9"))
