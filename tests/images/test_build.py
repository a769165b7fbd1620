"""ciforge build on a real engine, BuildKit and registry with token login."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.images.workspace import DOCKERFILE, RUNS, Workspace

pytest_plugins = ["tests.infra.fixtures"]
pytestmark = pytest.mark.docker


def test_builds_what_the_registry_lacks_and_reuses_the_rest(workspace: Workspace) -> None:
    first, _ = workspace.build("--push", "--tag", "1.0")
    assert {name: image["action"] for name, image in first.items()} == {
        "api": "built",
        "web": "built",
    }
    reference = f"{first['api']['image']}@{first['api']['digest']}"
    workspace.docker("pull", "--quiet", reference)
    listing = workspace.docker("run", "--rm", reference, "cat", "/app/listing").split()
    # Exactly the inputs: not the other service, not the documentation, no git.
    assert "./libs/common/index.js" in listing
    assert not [f for f in listing if "docs/" in f or "apps/web" in f or ".git/" in f]
    tagged = f"{first['web']['image']}:1.0"
    workspace.docker("pull", "--quiet", tagged)
    digests = workspace.docker("image", "inspect", "--format", "{{.RepoDigests}}", tagged)
    assert first["web"]["digest"] in digests

    second, _ = workspace.build("--push")
    assert {image["action"] for image in second.values()} == {"reused"}
    assert {n: i["digest"] for n, i in second.items()} == {n: i["digest"] for n, i in first.items()}

    workspace.repo.commit(files={"libs/common/index.js": "2"})
    third, _ = workspace.build("--push")
    assert {n: i["action"] for n, i in third.items()} == {"api": "built", "web": "reused"}
    assert third["web"]["digest"] == first["web"]["digest"]
    assert third["api"]["digest"] != first["api"]["digest"]

    # Back to inputs of before: there is nothing to build.
    workspace.repo.commit(files={"libs/common/index.js": "1"})
    fourth, _ = workspace.build("--push")
    assert fourth["api"]["digest"] == first["api"]["digest"]
    assert fourth["api"]["action"] == "reused"


def test_an_image_that_does_not_start_gets_no_tag(workspace: Workspace) -> None:
    broken = "console.log('cannot find the way'); process.exit(7);\n"
    workspace.repo.commit(files={"apps/web/main.js": broken})
    for _ in range(2):  # a second run builds and refuses it again: no tag was left behind
        _, err = workspace.build("--push", code=1)
        assert "web" in err
        assert "exit code 7" in err
        assert "web | cannot find the way" in err
    workspace.repo.commit(files={"apps/web/main.js": RUNS})
    images, _ = workspace.build("--push")
    assert images["api"]["action"] == "built"  # nor had the other one got its tag


def test_a_failing_build_names_the_service(workspace: Workspace) -> None:
    workspace.repo.commit(files={"Dockerfile": DOCKERFILE.replace('main.js" /', 'none.js" /')})
    _, err = workspace.build("--push", code=1)
    assert "image.inputs" in err
    assert "api" in err.splitlines()[-2] or "web" in err.splitlines()[-2]


def test_without_push_the_images_are_in_the_engine(workspace: Workspace) -> None:
    images, _ = workspace.build()
    assert images["api"]["digest"] is None
    assert workspace.docker("image", "inspect", "--format", "{{.Id}}", images["api"]["image_id"])
    again, _ = workspace.build()
    assert again["api"]["action"] == "reused"
    for image in again.values():
        workspace.docker("image", "rm", "--force", image["image_id"])


def test_a_plan_of_other_inputs_is_refused(workspace: Workspace) -> None:
    plan = [sys.executable, "-m", "ciforge", "plan", "--graph", "graph.json"]
    subprocess.run(
        [*plan, "--format", "json", "-o", "plan.json"], cwd=workspace.repo.path, check=True
    )
    workspace.repo.commit(files={"apps/api/main.js": f"{RUNS}//"})
    _, err = workspace.build("--plan", "plan.json", "--push", code=2)
    assert "the inputs of api are not those of the plan" in err


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("build_args", {"SERVICE": "web"}),
        ("tag", "in-0000000000000000000000000000000000000000"),
        ("dockerfile", "apps/api/main.js"),
        ("platforms", ["linux/arm64"]),
        ("kind", "image"),
    ],
)
def test_an_edited_plan_is_refused_though_its_digests_fit(
    workspace: Workspace, field: str, value: Any
) -> None:
    """Else another image would stand under the tag of these inputs."""
    plan = [sys.executable, "-m", "ciforge", "plan", "--graph", "graph.json"]
    subprocess.run(
        [*plan, "--format", "json", "-o", "plan.json"], cwd=workspace.repo.path, check=True
    )
    document = json.loads((workspace.repo.path / "plan.json").read_bytes())
    (api,) = [service for service in document["services"] if service["name"] == "api"]
    api[field] = value
    (workspace.repo.path / "plan.json").write_text(json.dumps(document))
    _, err = workspace.build("--plan", "plan.json", "--push", code=2)
    assert "the inputs of api are not those of the plan" in err


def test_a_wrong_password_is_one_clear_error(workspace: Workspace) -> None:
    _, err = workspace.build("--push", code=3, CI_REGISTRY_PASSWORD="wrong")
    assert "refuses the login" in err


def test_without_an_engine_nothing_is_pushed(workspace: Workspace) -> None:
    _, err = workspace.build("--push", code=3, DOCKER_HOST="unix:///nonexistent.sock")
    assert "engine can't be reached" in err


def test_a_killed_build_leaves_nothing_that_the_next_trips_over(
    workspace: Workspace, tmp_path: Path
) -> None:
    slow = DOCKERFILE.replace("RUN find", f"RUN echo {uuid.uuid4()} && sleep 3 && find")
    workspace.repo.commit(files={"Dockerfile": slow})
    process = workspace.start("--push", TMPDIR=str(tmp_path))
    assert process.stderr is not None
    for line in process.stderr:
        if "sleep 3" in line:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
    assert process.stdout is not None
    process.stdout.close()
    left = [p.name for p in tmp_path.glob("ciforge-build-*")]
    assert left
    time.sleep(0.2)
    images, _ = workspace.build("--push", TMPDIR=str(tmp_path))
    assert {image["action"] for image in images.values()} == {"built"}
    assert not list(tmp_path.glob("ciforge-*"))
