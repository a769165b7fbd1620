"""The door to the registry, against a real one with GitLab-like token login."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from ciforge.cli.main import run
from ciforge.doors.registry import Login, Registry, find_login
from ciforge.errors import OutsideError
from tests.conftest import STARTED_WITH
from tests.example import copy_example
from tests.infra import registry as infra

pytestmark = pytest.mark.docker

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture(scope="module")
def registry() -> Iterator[infra.Login]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in STARTED_WITH.items():
            patch.setenv(name, value)
        running = infra.ready()
        yield infra.start()
        if not running:
            infra.stop()


def push(registry: infra.Login, repository: str, tag: str) -> str:
    """Pushes an image of one empty layer; returns its digest."""
    base = f"http://{registry.address}/v2/{repository}"
    session = requests.Session()
    challenge = session.post(f"{base}/blobs/uploads/").headers["WWW-Authenticate"]
    asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    answer = session.get(
        asked["realm"],
        params={"service": asked["service"], "scope": f"repository:{repository}:pull,push"},
        auth=(registry.user, registry.password),
    )
    session.headers["Authorization"] = f"Bearer {answer.json()['token']}"

    def blob(content: bytes, kind: str) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        place = session.post(f"{base}/blobs/uploads/").headers["Location"]
        done = session.put(f"{place}&digest={digest}", data=content)
        assert done.status_code == 201, done.text
        return {"mediaType": kind, "digest": digest, "size": len(content)}

    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": blob(tag.encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": [blob(b"layer", "application/vnd.oci.image.layer.v1.tar")],
    }
    done = session.put(
        f"{base}/manifests/{tag}", data=json.dumps(manifest), headers={"Content-Type": MANIFEST}
    )
    assert done.status_code == 201, done.text
    return done.headers["Docker-Content-Digest"]


def ours(registry: infra.Login, **changes: str) -> Registry:
    login = Login(registry.user, changes.get("password", registry.password))
    return Registry(registry.address, login=login)


def test_the_digest_under_a_tag(registry: infra.Login) -> None:
    project = registry.image.partition("/")[2]
    digest = push(registry, f"{project}/web", "in-1")
    found = ours(registry).digests([(f"{project}/web", "in-1"), (f"{project}/web", "in-2")])
    assert found == {(f"{project}/web", "in-1"): digest, (f"{project}/web", "in-2"): None}


def test_many_are_asked_at_once(registry: infra.Login) -> None:
    project = registry.image.partition("/")[2]
    digest = push(registry, f"{project}/many", "here")
    tags = [(f"{project}/many", f"absent-{i}") for i in range(60)]
    found = ours(registry).digests([*tags, (f"{project}/many", "here")])
    assert [d for d in found.values() if d] == [digest]


@pytest.mark.parametrize(
    ("login", "said"),
    [("wrong", "the registry refuses the login"), (None, "wants a login, and none was found")],
)
def test_a_refused_login(registry: infra.Login, login: str | None, said: str) -> None:
    door = Registry(registry.address, login=Login(registry.user, login) if login else None)
    with pytest.raises(OutsideError) as error:
        door.digest("all-erp/web", "in-1")
    assert said in str(error.value)
    assert error.value.hint is not None
    assert registry.address in error.value.hint


def test_another_group_is_refused(registry: infra.Login) -> None:
    with pytest.raises(OutsideError, match="refuses the login"):
        ours(registry).digest("another-group/web", "x")


def test_nobody_is_there() -> None:
    with pytest.raises(OutsideError, match=r"127\.0\.0\.1:9: the registry can't be reached"):
        Registry("127.0.0.1:9").digest("all-erp/web", "x")


def test_logins_of_ci_and_of_docker(registry: infra.Login, tmp_path: Path) -> None:
    assert find_login(registry.address, registry.variables()) == Login(
        registry.user, registry.password
    )
    assert find_login("elsewhere", registry.variables() | {"HOME": str(tmp_path)}) is None
    pair = base64.b64encode(f"{registry.user}:{registry.password}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.address: {"auth": pair}}}))
    found = find_login(registry.address, {"DOCKER_CONFIG": str(tmp_path)})
    assert found == Login(registry.user, registry.password)


def test_a_plan_asks_and_reuses_what_is_there(
    registry: infra.Login,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    repo = copy_example(tmp_path / "all-erp")
    config = (repo.path / "ciforge.yaml").read_text()
    config = config.replace("registry.all-erp.local", f'"{registry.address}"')
    # Of this run alone: what an earlier one has pushed is still there.
    project = f"{registry.image.partition('/')[2]}/{uuid4().hex}"
    repo.commit(files={"ciforge.yaml": config.replace("prefix: all-erp", f"prefix: {project}")})
    for name, value in registry.variables().items():
        monkeypatch.setenv(name, value)

    def plan() -> dict[str, Any]:
        graph = str(repo.path / "project-graph.json")
        assert run(["-C", str(repo.path), "plan", "--graph", graph, "--format", "json"]) == 0
        said = capsys.readouterr()
        assert registry.password not in said.out + said.err
        document: dict[str, Any] = json.loads(said.out)
        return document

    before = plan()
    assert before["registry"]["asked"]
    assert before["counts"] == {"build": 5, "reuse": 0, "unaffected": 1}
    web = next(s for s in before["services"] if s["name"] == "web")
    assert web["reason"] == "its inputs are those of the base, but the registry has no image"
    assert [s["run"] for s in before["smoke"]] == [True, False]
    digest = push(registry, f"{project}/web", web["tag"])
    after = plan()
    web = next(s for s in after["services"] if s["name"] == "web")
    assert (web["action"], web["image_digest"], web["assumed"]) == ("unaffected", digest, False)
    assert after["registry"]["reason"] == "it holds 1 of 5 images"
