"""The engine itself: which one is found, and how long an image has to start."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from ciforge.doors.engine import Engine, StartError
from tests.infra.base import run

pytestmark = pytest.mark.docker
pytest_plugins = ["tests.infra.fixtures"]

_BASE = "node:22-alpine"


@pytest.fixture
def environment(
    engine: Mapping[str, str], images: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> Mapping[str, str]:
    images(_BASE)
    for name, value in engine.items():
        monkeypatch.setenv(name, value)
    return engine


@pytest.fixture
def image(environment: Mapping[str, str], tmp_path: Path) -> Iterator[Callable[[str, str], str]]:
    """Makes an image of a health check and a program; its name."""
    made = []

    def build(check: str, program: str) -> str:
        name = f"ciforge-engine-test:{uuid.uuid4().hex[:10]}"
        lines = [f"FROM {_BASE}", f"HEALTHCHECK {check}", f'CMD ["node", "-e", "{program}"]']
        (tmp_path / "Dockerfile").write_text("\n".join(lines))
        argv = ["docker", "build", "--quiet", "--tag", name, str(tmp_path)]
        run(argv, environment={**environment, "DOCKER_BUILDKIT": "0"})
        made.append(name)
        return name

    yield build
    run(["docker", "rmi", "--force", *made], environment=environment)


def test_an_image_has_the_time_that_its_own_health_check_gives_it(
    image: Callable[[str, str], str],
) -> None:
    # Asked every 0.3 s and allowed to fail three times, it would be given up too soon.
    program = "setTimeout(() => require('fs').writeFileSync('/tmp/up', ''), 2500)"
    slow = image("CMD test -f /tmp/up", f"{program}; setInterval(() => 0, 1000)")

    with Engine() as engine:
        engine.start_once(slow, {})


def test_an_image_that_stays_unhealthy_does_not_start(image: Callable[[str, str], str]) -> None:
    sick = image(
        "--interval=1s --retries=2 CMD echo no database; exit 1", "setInterval(() => 0, 1000)"
    )

    with Engine() as engine, pytest.raises(StartError, match="after 2 s: no database"):
        engine.start_once(sick, {})


def test_the_engine_of_the_context_in_use_is_found(
    environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST")
    contexts = {"ours": environment["DOCKER_HOST"], "gone": "unix:///nowhere.sock"}
    for name, host in contexts.items():
        create = ["docker", "context", "create", name, "--docker", f"host={host}"]
        run(create, environment={"DOCKER_CONFIG": str(tmp_path)})

    for in_use, named in (("ours", None), ("gone", "ours")):
        run(["docker", "context", "use", in_use], environment={"DOCKER_CONFIG": str(tmp_path)})
        if named:
            monkeypatch.setenv("DOCKER_CONTEXT", named)
        with Engine() as engine:
            assert engine.image_id(_BASE) is not None
