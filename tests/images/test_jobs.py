"""The build jobs of a generated child, executed by a runner: several that share the work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.workspace import job_environment
from tests.images import other_builders
from tests.images.workspace import Workspace
from tests.infra import ci_local
from tests.infra.base import Place

pytest_plugins = ["tests.infra.fixtures"]
pytestmark = pytest.mark.docker

HOW = {
    "one each": ("per-image", ["build api", "build web"]),
    "some images each": ("auto\n  images_per_job: 1", ["build"]),
    "without an engine": (
        "per-image\nrunners: {build: {builder: buildkit}}",
        ["build api", "build web"],
    ),
}


def run_child(workspace: Workspace, tmp_path: Path) -> Any:
    """Generates and runs the jobs up to `images`; what their images.json says."""
    repo = workspace.repo
    workspace.plan()
    subprocess.run(
        [
            *(sys.executable, "-m", "ciforge", "generate"),
            *("--plan", "plan.json", "--graph", "graph.json", "-o", ".gitlab-ci.yml"),
        ],
        cwd=repo.path,
        check=True,
    )
    (repo.path / "plan.json").unlink()
    child = (repo.path / ".gitlab-ci.yml").read_text()
    names = [n for n in HOW["one each"][1] + HOW["some images each"][1] if f"\n{n}:" in child]
    repo.git("add", ".gitlab-ci.yml")
    done = ci_local.run(
        repo.path,
        *("plan", *names, "images"),
        env=job_environment(workspace.environment),
        variables={k: v for k, v in workspace.environment.items() if k.startswith("CI_")},
        timeout=200,
    )
    assert done.returncode == 0, done.stdout
    written = ci_local.artifacts(repo.path, "images") / "images.json"
    return names, {i["service"]: i for i in json.loads(written.read_bytes())["images"]}


@pytest.mark.parametrize("how", HOW)
def test_several_jobs_build_and_one_joins(
    workspace: Workspace, tmp_path: Path, place: Place, how: str
) -> None:
    if how == "without an engine":
        without = other_builders.without_engine(workspace.environment)
        workspace.environment = {**without, **other_builders.buildctl(place)}
    repo = workspace.repo
    origin = tmp_path / "origin.git"
    repo.git("init", "--quiet", "--bare", "--initial-branch=main", str(origin))
    repo.git("remote", "add", "origin", str(origin))
    build, jobs = HOW[how]
    config = (repo.path / "ciforge.yaml").read_text() + f"pipeline:\n  build: {build}\n"
    repo.commit(files={"ciforge.yaml": config, ".gitignore": ".gitlab-ci-local/\n"})
    repo.git("push", "--quiet", "origin", "HEAD:main")
    names, images = run_child(workspace, tmp_path)
    assert names == jobs
    assert {name: image["action"] for name, image in images.items()} == {
        "api": "built",
        "web": "built",
    }
    assert workspace.plan()["counts"]["build"] == 0
