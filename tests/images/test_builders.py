"""Builders without an engine: BuildKit alone, asked or started for each build, and Buildah."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.images import other_builders
from tests.images.workspace import DOCKERFILE, Workspace
from tests.infra.base import Place

pytest_plugins = ["tests.infra.fixtures"]
pytestmark = pytest.mark.docker


def ways(place: Place, folder: Path) -> dict[str, tuple[str, Any]]:
    return {
        "buildctl": ("buildkit", lambda: other_builders.buildctl(place)),
        "daemonless": ("buildkit", lambda: other_builders.daemonless(place, folder)),
        "buildah": ("buildah", lambda: other_builders.buildah(place, folder)),
    }


@pytest.fixture(params=["buildctl", "daemonless", "buildah"])
def builder(
    request: pytest.FixtureRequest, workspace: Workspace, place: Place, tmp_path: Path
) -> str:
    """Its name for --builder; the workspace's builds find it, and no engine."""
    name, environment = ways(place, tmp_path / "builder")[request.param]
    own = dict(workspace.environment)
    workspace.environment = {**other_builders.without_engine(own), **environment()}
    workspace.engine = own
    return name


def test_builds_and_pushes_without_an_engine(workspace: Workspace, builder: str) -> None:
    built, said = workspace.build("--builder", builder, "--push", "--tag", "1.0")
    assert {i["action"] for i in built.values()} == {"built"}
    assert not any(image["started"] for image in built.values())
    assert "api: not started, there is no engine here: its smoke suite will" in said
    again, _ = workspace.build("--builder", builder, "--push")
    assert {i["action"] for i in again.values()} == {"reused"}
    # What stands in the registry is what an engine can run.
    workspace.environment = workspace.engine
    reference = f"{built['api']['image']}@{built['api']['digest']}"
    tagged = f"{built['api']['image']}:1.0"
    workspace.docker("pull", "--quiet", reference)
    listing = workspace.docker("run", "--rm", reference, "cat", "/app/listing").split()
    assert "./libs/common/index.js" in listing
    assert not [f for f in listing if "docs/" in f or "apps/web" in f]
    workspace.docker("pull", "--quiet", tagged)
    assert built["api"]["digest"] in workspace.docker(
        "image", "inspect", "--format", "{{.RepoDigests}}", tagged
    )


def test_a_failing_build_is_a_verdict_with_a_name(workspace: Workspace, builder: str) -> None:
    broken = DOCKERFILE.replace("RUN find", f"RUN echo {uuid.uuid4()} && exit 7 && find")
    workspace.repo.commit(files={"Dockerfile": broken})
    _, said = workspace.build("--builder", builder, "--push", code=1)
    assert "api" in said.splitlines()[-2]
    assert "the lines above say what the build did" in said.splitlines()[-1]


def test_a_wrong_password_is_no_verdict(workspace: Workspace, builder: str) -> None:
    _, said = workspace.build("--builder", builder, "--push", code=3, CI_REGISTRY_PASSWORD="wrong")
    assert "refuses the login" in said
