"""A build in parts, as several jobs run it, and the one that joins them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.images.workspace import Workspace

pytest_plugins = ["tests.infra.fixtures"]
pytestmark = pytest.mark.docker

PUSH = ("--plan", "plan.json", "--push")


def part(workspace: Workspace, name: str, *arguments: str) -> Any:
    """Builds a part; what its file says."""
    images, said = workspace.build(*PUSH, *arguments)
    assert "tagged" not in said
    folder = workspace.repo.path
    (folder / "images.json").replace(folder / name)
    return images


def test_no_tag_moves_before_all_parts_are_joined(workspace: Workspace) -> None:
    workspace.plan()
    api = part(workspace, "part-1.json", "--service", "api")
    assert list(api) == ["api"]
    assert api["api"]["tags"] == []
    # Nothing has a tag yet: a plan of now would build both again.
    counts = workspace.plan("now.json")["counts"]
    assert (counts["build"], counts["reuse"]) == (2, 0)
    _, said = workspace.build(*PUSH, "--join", "part-*.json", code=2)
    assert "web: no part built it, and the registry has no image of its inputs" in said
    assert workspace.plan("now.json")["counts"]["build"] == 2

    part(workspace, "part-2.json", "--part", "2/2")
    joined, said = workspace.build(*PUSH, "--join", "part-*.json", "--tag", "1.0")
    assert sorted(joined) == ["api", "web"]
    assert joined["api"]["digest"] == api["api"]["digest"]
    assert all(image["tags"][1:] == ["1.0"] for image in joined.values())
    assert "tagged 1.0: 2 images" in said
    assert workspace.plan("now.json")["counts"]["build"] == 0
    tagged = f"{joined['web']['image']}:1.0"
    workspace.docker("pull", "--quiet", tagged)

    # All is there: the join alone leaves the same images.json, without an engine.
    (workspace.repo.path / "images.json").unlink()
    nowhere = "unix:///nonexistent.sock"
    again, _ = workspace.build(*PUSH, "--join", "--tag", "1.1", DOCKER_HOST=nowhere)
    assert {n: i["digest"] for n, i in again.items()} == {n: i["digest"] for n, i in joined.items()}
    # What is reused gets its new tag too.
    assert all(i["action"] == "reused" and i["tags"][1:] == ["1.1"] for i in again.values())
    workspace.docker("pull", "--quiet", f"{joined['api']['image']}:1.1")


def test_parts_that_do_not_fit_are_refused(workspace: Workspace) -> None:
    workspace.plan()
    part(workspace, "part-1.json", "--service", "api")
    folder: Path = workspace.repo.path
    whole = json.loads((folder / "part-1.json").read_bytes())

    def refused(change: dict[str, Any], words: str) -> None:
        (folder / "part-2.json").write_text(json.dumps({**whole, **change}))
        _, said = workspace.build(*PUSH, "--join", "part-*.json", code=2)
        assert words in said

    refused({}, "part-2.json: api stands in another part too")
    # What an earlier pipeline left in the folder proves nothing, and does no harm.
    other = {"plan": "sha256:" + "0" * 64}
    refused(other, "part-2.json: left out, it was made for another plan")
    refused(other, "web: no part built it")
    (image,) = whole["images"]
    (folder / "part-1.json").unlink()
    refused({"images": [{**image, "service": "shop"}]}, "shop is no service of the plan")
    refused({"images": [{**image, "image": "x/api"}]}, "api is not what was planned")
    gone = {**image, "digest": "sha256:" + "1" * 64}
    refused({"images": [gone]}, "api, web: no part built it")


def test_options_that_contradict_each_other(workspace: Workspace) -> None:
    for arguments, words in (
        (("--service", "api"), "add --plan plan.json and --push"),
        ((*PUSH, "--service", "api", "--part", "1/2"), "exclude each other"),
        ((*PUSH, "--service", "apo"), "did you mean 'api'?"),
        ((*PUSH, "--service", "api", "--tag", "1"), "sets no tag"),
        ((*PUSH, "--part", "3/2"), "is no part such as 2/5"),
        (("--builder", "buildah"), "buildah has no engine to keep images in"),
    ):
        workspace.plan()
        _, said = workspace.build(*arguments, code=2)
        assert words in said
