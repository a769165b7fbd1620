"""CI Lint, through the door to GitLab."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from ciforge.doors.gitlab import ci_lint
from ciforge.errors import InputError, OutsideError
from tests.doors.gitlab_server import Handler, environment, serving


class GitLab(Handler):
    operation = "POST /api/v4/projects/{id}/ci/lint"
    errors: ClassVar[list[str]] = []
    asked: ClassVar[list[dict[str, Any]]] = []

    def result(self, asked: dict[str, Any]) -> object:
        self.asked.append(asked)
        return {
            "valid": not self.errors,
            "errors": self.errors,
            "warnings": [],
            "merged_yaml": "---\n",
            "includes": [],
        }


@pytest.fixture
def server() -> Iterator[str]:
    GitLab.errors, GitLab.asked = [], []
    with serving(GitLab) as address:
        yield address


def test_a_valid_file(server: str) -> None:
    assert ci_lint(environment(server), "j: {script: x}") == []
    assert GitLab.asked == [{"content": "j: {script: x}"}]


def test_what_gitlab_says(server: str) -> None:
    GitLab.errors = ["jobs:j script can't be blank", "another"]
    assert ci_lint(environment(server), "j: {script: }") == GitLab.errors


@pytest.mark.parametrize("missing", ["GITLAB_TOKEN", "CI_SERVER_URL", "CI_PROJECT_ID"])
def test_nobody_is_asked_without(server: str, missing: str) -> None:
    variables = environment(server)
    del variables[missing]
    with pytest.raises(InputError, match="can't be asked"):
        ci_lint(variables, "j: {script: x}")
    assert GitLab.asked == []


def test_a_refused_token_is_never_shown(server: str) -> None:
    with pytest.raises(OutsideError, match="401") as error:
        ci_lint(environment(server, GITLAB_TOKEN="wrong-secret"), "j: {script: x}")
    assert "wrong-secret" not in f"{error.value}{error.value.hint}"


def test_another_project(server: str) -> None:
    with pytest.raises(OutsideError, match="404"):
        ci_lint(environment(server, CI_PROJECT_ID="43"), "j: {script: x}")


def test_nobody_answers() -> None:
    with pytest.raises(OutsideError, match="did not tell what it thinks"):
        ci_lint(environment("http://127.0.0.1:9"), "j: {script: x}")
