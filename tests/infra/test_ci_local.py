"""A parent pipeline whose first job generates its child, run to the end."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.infra import ci_local
from tests.infra.base import ENVIRONMENT, run

pytestmark = pytest.mark.docker

_PARENT = """
stages: [plan, child]
plan:
  stage: plan
  script:
    - cat committed.txt
    - |
      cat > child.yml <<'END'
      workflow: {rules: [{when: always}]}
      first:
        stage: build
        script: ["echo from $GIVEN in $CI_REGISTRY > word.txt"]
        artifacts: {paths: [word.txt]}
      the second:
        stage: test
        needs: [first]
        script: ["echo second read: $(cat word.txt)", "exit $OUTCOME"]
      END
  artifacts: {paths: [child.yml]}
child:
  stage: child
  trigger:
    include: [{artifact: child.yml, job: plan}]
    strategy: depend
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    run(["git", "init", "--quiet", "--bare", tmp_path / "origin.git"])
    run(["git", "init", "--quiet", "--initial-branch=main", folder])
    (folder / ".gitlab-ci.yml").write_text(_PARENT)
    (folder / "committed.txt").write_text("the committed file\n")
    for command in (
        ["add", "--all"],
        [*identity, "commit", "--quiet", "--message=first"],
        ["remote", "add", "origin", str(tmp_path / "origin.git")],
        ["push", "--quiet", "origin", "main"],
    ):
        run(["git", "-C", folder, *command])
    return folder


def _run(repository: Path, outcome: int) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "GIVEN": "outside", "OUTCOME": str(outcome)}
    variables = {"CI_REGISTRY": "registry.test"}
    return ci_local.run(repository, env=environment, variables=variables, timeout=60)


def test_a_generated_child_runs_with_its_artifacts(repository: Path) -> None:
    done = _run(repository, outcome=0)

    assert done.returncode == 0, done.stdout
    assert "the committed file" in done.stdout
    assert "second read: from outside in registry.test" in ci_local.logs(repository)["the second"]
    assert (ci_local.artifacts(repository, "first") / "word.txt").exists()


def test_a_failing_job_of_the_child_is_seen(repository: Path) -> None:
    done = _run(repository, outcome=7)

    assert "second read: from outside in registry.test" in done.stdout
    assert ci_local.outcomes(done.stdout) == {
        "first": "PASS",
        "the second": "FAIL",
        "plan": "PASS",
        "child": "PASS",
    }


def test_the_second_start_is_quick() -> None:
    assert ci_local.start() == ci_local.start()
    assert "4.75" in run([ci_local.start(), "--version"], environment={"HOME": ENVIRONMENT["HOME"]})
