"""examples/all-erp as a project of its own: a repository with a remote, a registry, a cluster,
and a runner (gitlab-ci-local) that executes its pipelines."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import STARTED_WITH, Repo
from tests.example import copy_example
from tests.infra import ci_local
from tests.infra.base import CACHE

NAMESPACE = "all-erp-e2e"
RELEASE = "all-erp"
VALUES = "deploy/values-e2e.yaml"
# Commits until the machine is asked: nothing a job does takes longer than this, all cold.
TIMEOUT = 1500.0
# What a project includes, from a place of its own as GitLab takes it from a component.
_PARENT = Path(__file__).parents[2] / "pipelines/ciforge.gitlab-ci.yml"
_INCLUDED = "ci/ciforge.yml"
_INCLUDE = f"""\
include:
  - local: {_INCLUDED}
    inputs: {{graph: project-graph.json, strategy: depend, tags: [any]}}
"""


@dataclass(frozen=True)
class Pipeline:
    """What one run of parent and child left. `outcomes`: job name → PASS or FAIL."""

    repository: Path
    log: str
    outcomes: Mapping[str, str]
    logs: Mapping[str, str]

    def file(self, job: str, name: str) -> bytes:
        return (ci_local.artifacts(self.repository, job) / name).read_bytes()

    @property
    def plan(self) -> Any:
        return json.loads(self.file("plan", "plan.json"))

    @property
    def built(self) -> list[str]:
        return sorted(s["service"] for s in self.images if s["action"] == "built")

    @property
    def images(self) -> list[Any]:
        listed: list[Any] = json.loads(self.file("build", "images.json"))["images"]
        return listed

    def assert_all_passed(self) -> None:
        failed = [job for job, outcome in self.outcomes.items() if outcome != "PASS"]
        assert self.outcomes, self.log
        assert not failed, "\n".join(self.logs.get(job, self.log) for job in failed)


@dataclass
class Workspace:
    """The project. `variables` are the ones that GitLab sets in its settings; secrets too."""

    repo: Repo
    environment: Mapping[str, str]
    variables: Mapping[str, str] = field(repr=False)
    before: str = "0" * 40

    @property
    def path(self) -> Path:
        return self.repo.path

    def commit(self, message: str, files: Mapping[str, str]) -> str:
        """Commits on main and pushes, as a merge does."""
        before = self.repo.git("rev-parse", "HEAD")
        revision = self.repo.commit(message, dict(files))
        self.repo.git("push", "--quiet", "origin", "main")
        self.before = before
        return revision

    def read(self, name: str) -> str:
        return (self.path / name).read_text()

    def pipeline(self, *jobs: str, timeout: float = TIMEOUT) -> Pipeline:
        """Runs the pipeline of HEAD; with `jobs` only these of the parent."""
        shutil.rmtree(self.path / ".gitlab-ci-local", ignore_errors=True)
        done = ci_local.run(
            self.path,
            *jobs,
            env=self.environment,
            variables={**self.variables, "CI_COMMIT_BEFORE_SHA": self.before},
            timeout=timeout,
        )
        return Pipeline(
            repository=self.path,
            log=done.stdout,
            outcomes=ci_local.outcomes(done.stdout),
            logs=ci_local.logs(self.path),
        )

    def start_ciforge(self, *arguments: str) -> subprocess.Popen[str]:
        """ciforge by hand in a process group of its own, in the workspace; output into pipes."""
        return subprocess.Popen(
            ["ciforge", *arguments],
            cwd=self.path,
            env={**self.environment, **self.variables, "HOME": str(self.path.parent)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def ciforge(self, *arguments: str) -> tuple[int, str]:
        with self.start_ciforge(*arguments) as process:
            output, _ = process.communicate(timeout=TIMEOUT)
        return process.returncode, output


def make(
    folder: Path,
    *,
    image: str,
    environment: Mapping[str, str],
    variables: Mapping[str, str],
    values: Mapping[str, object],
) -> Workspace:
    """The example below `folder`, pushed to a bare `origin`; `image` is host[:port]/prefix."""
    repo = copy_example(folder / "all-erp")
    host, _, prefix = image.partition("/")
    settings = yaml.safe_load((repo.path / "ciforge.yaml").read_text())
    settings["registry"] = {"host": host, "prefix": prefix}
    settings["helm"] = {"release": RELEASE, "chart": "deploy/helm/all-erp", "timeout": 240}
    settings["environments"] = {
        "staging": {"when": "auto", "namespace": NAMESPACE, "values": [VALUES]}
    }
    # There is no GPU, and gitlab-ci-local would run its suite here, since it ignores tags.
    del settings["services"]["vllm"]
    settings["detection"] = {"exclude": ["vllm"]}
    repo.git("init", "--quiet", "--bare", "--initial-branch=main", str(folder / "origin.git"))
    repo.git("remote", "add", "origin", str(folder / "origin.git"))
    exclude = repo.path / ".git/info/exclude"
    exclude.parent.mkdir(exist_ok=True)
    exclude.write_text(".gitlab-ci-local/\n")
    workspace = Workspace(repo, environment, variables)
    workspace.commit(
        "Deliver by ciforge",
        {
            "ciforge.yaml": yaml.safe_dump(settings, sort_keys=False),
            ".gitlab-ci.yml": _INCLUDE,
            _INCLUDED: _PARENT.read_text(),
            VALUES: yaml.safe_dump(dict(values), sort_keys=False),
        },
    )
    workspace.before = "0" * 40
    return workspace


def job_environment(*additions: Mapping[str, str]) -> dict[str, str]:
    """A runner's environment: the machine's, without its CI's; ciforge and helm first on PATH.

    The PATH of later additions stands before that of earlier ones.
    """
    leaks = ("CI", "NX_", "GITLAB", "DOCKER_", "GIT_", "VIRTUAL_ENV", "PYTHON", "KUBECONFIG")
    values = {name: value for name, value in STARTED_WITH.items() if not name.startswith(leaks)}
    # npm's settings lie in the user's home, and a job has another.
    npmrc = Path(STARTED_WITH.get("HOME", "/root")) / ".npmrc"
    if npmrc.exists():
        values.setdefault("NPM_CONFIG_USERCONFIG", str(npmrc))
    path: list[str] = []
    for addition in additions:
        path = [*addition.get("PATH", "").split(os.pathsep), *path]
        values.update(addition)
    own = str(Path(sys.executable).parent)
    known = [own, *path, *STARTED_WITH.get("PATH", os.defpath).split(os.pathsep)]
    values["PATH"] = os.pathsep.join(dict.fromkeys(filter(None, known)))
    values["NX_DAEMON"] = "false"
    # BuildKit's client and Helm keep what they fetched where the next test finds it.
    values.setdefault("XDG_CACHE_HOME", str(CACHE.parent))
    return values
