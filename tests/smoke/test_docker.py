"""Real suites on a real engine: green, red in every way, killed, side by side."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from ciforge.plan.encode import encode_plan
from ciforge.results.encode import encode, sha256_of
from tests.infra.base import run
from tests.infra.registry import Login
from tests.smoke import builders

pytestmark = pytest.mark.docker
pytest_plugins = ["tests.infra.fixtures"]

_STACK = Path(__file__).with_name("stack")
_NAME = "ciforge-smoke-test:web"
_SERVICES = ("web", "alone", "search", "assistant", "unwell")
_UP = "alone: running: ok"


class Smoke:
    """`ciforge smoke` on the stack beside this file, with the files that it reads and writes."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], host: str | None = None, **image: Any
    ) -> None:
        self.folder, self.environment = folder, dict(environment)
        plan = builders.plan(
            [builders.service(name) for name in _SERVICES],
            [
                builders.suite("default", "web", timeout=90),
                builders.suite("alone", "alone", timeout=30),
                builders.suite("short", "alone", timeout=5),
                builders.suite("vectors", "search", timeout=120),
                builders.suite("unwell", "unwell", timeout=60),
                builders.suite("gpu", "assistant", gpu=True),
            ],
            host,
        )
        data = encode_plan(plan)
        (folder / "plan.json").write_bytes(data)
        built = [builders.built(name, **image) for name in _SERVICES]
        images = builders.images(*built, plan_sha=sha256_of(data))
        (folder / "images.json").write_bytes(encode(images))

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "ciforge", "-C", str(_STACK), "smoke"]
        for name in ("plan", "images"):
            command += [f"--{name}", str(self.folder / f"{name}.json")]
        command += ["-o", str(self.folder / "smoke.json"), *arguments]
        return subprocess.Popen(
            command,
            env={**os.environ, **self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=150)
        return process.returncode, out, err

    def suites(self) -> list[dict[str, Any]]:
        return list(json.loads((self.folder / "smoke.json").read_bytes())["suites"])

    def left(self) -> list[str]:
        """Containers, volumes and networks of smoke runs."""
        found = []
        for listing in (["ps", "--all"], ["volume", "ls"], ["network", "ls"]):
            argv = ["docker", *listing, "--quiet", "--filter", "label=ciforge.smoke.owner"]
            found += run(argv, environment=self.environment).split()
        return found


@pytest.fixture(scope="session")
def image_id(engine: Mapping[str, str], images: Callable[..., None]) -> str:
    images("node:22-alpine")
    build = ["docker", "build", "--quiet", "--tag", _NAME, str(_STACK)]
    return run(build, environment={**engine, "DOCKER_BUILDKIT": "0"}).splitlines()[-1]


@pytest.fixture
def smoke(tmp_path: Path, compose: Mapping[str, str], image_id: str) -> Smoke:
    return Smoke(tmp_path, compose, digest=None, image_id=image_id)


def _await(process: subprocess.Popen[str], words: str) -> None:
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if words in line:
            return
    raise AssertionError("".join(seen))


def test_green_with_postgres_redis_rabbitmq_and_minio(
    smoke: Smoke, images: Callable[..., None], image_id: str
) -> None:
    names = ("postgres:17-alpine", "redis:8-alpine", "rabbitmq:4-management-alpine")
    images(*names, "minio/minio:RELEASE.2025-09-07T16-13-09Z")
    logs, junit = smoke.folder / "logs", smoke.folder / "junit.xml"

    code, out, err = smoke.run(
        "--suite", "default", "--logs", str(logs), "--junit", str(junit), GITLAB_CI="true"
    )

    assert code == 0, err
    (suite,) = smoke.suites()
    assert suite["verdict"] == "passed"
    assert suite["images"] == [{"service": "web", "reference": image_id, "digest": None}]
    assert {(c["subject"], c["name"]) for c in suite["checks"]} >= {
        ("migrate", "ended well"),
        ("web", "ready (/health/ready)"),
        ("postgres", "a row in PostgreSQL"),
        ("redis", "a key in Redis"),
        ("rabbitmq", "a message through RabbitMQ"),
        ("minio", "an object in MinIO"),
    }
    written = {path.name: path.read_text() for path in (logs / "default").iterdir()}
    assert "migrated" in written["migrate-1.log"]
    assert "password ***" in written["web-1.log"]
    everything = out + err + junit.read_text() + "".join(written.values()) + json.dumps(suite)
    for word in ("hush-hush", "se$cret-word", "redis-word", "rabbit-word", "minio-word"):
        assert word not in everything
    assert len(ElementTree.parse(junit).findall("testsuite/testcase")) == len(suite["checks"])
    assert "section_start:" in err and "section_end:" in err
    assert smoke.left() == []


def test_a_vector_is_found_and_a_late_service_is_waited_for(
    smoke: Smoke, images: Callable[..., None]
) -> None:
    images("quay.io/coreos/etcd:v3.5.16", "milvusdb/milvus:v2.3.5")

    code, _, err = smoke.run("--suite", "vectors")

    assert code == 0, err
    checks = {(c["subject"], c["name"]): c for c in smoke.suites()[0]["checks"]}
    assert checks["milvus", "a vector in Milvus"]["outcome"] == "passed"
    assert "try" in checks["search", "ready (/health/ready)"]["message"]


def test_never_ready_is_red_and_names_the_service_and_its_last_lines(smoke: Smoke) -> None:
    started = time.monotonic()
    code, out, _ = smoke.run("--suite", "short", MODE="never")

    assert code == 1
    assert time.monotonic() - started < 15  # the limit of 5 s, and the cleaning up
    (suite,) = smoke.suites()
    assert suite["reason"].startswith(
        "alone: ready (/health/ready): 503 Service Unavailable cache is cold, still after"
    )
    assert suite["checks"][1]["log"] == ["mode never, password ***"]
    assert "| mode never, password ***" in out
    assert smoke.left() == []


def test_a_crash_is_red_with_its_exit_code_and_its_last_twenty_lines(smoke: Smoke) -> None:
    code, _, _ = smoke.run("--suite", "alone", MODE="crash")

    assert code == 1
    (suite,) = smoke.suites()
    assert "exited with code 3" in suite["reason"]
    failed = next(check for check in suite["checks"] if check["outcome"] == "failed")
    assert len(failed["log"]) == 20
    assert failed["log"][-1].startswith("line 30: no database")
    assert smoke.left() == []


def test_a_dependency_is_asked_while_others_still_start(
    smoke: Smoke, images: Callable[..., None]
) -> None:
    images("redis:8-alpine")

    code, _, err = smoke.run("--suite", "unwell")

    assert code == 1, err
    checks = {(c["subject"], c["name"]): c for c in smoke.suites()[0]["checks"]}
    assert checks["unwell", "healthy"]["message"].startswith("unhealthy")
    assert checks["unwell", "ready (/health/ready)"]["message"] == "not asked"
    assert checks["redis", "a key in Redis"]["outcome"] == "passed"
    assert checks["redis", "healthy"]["seconds"] < checks["unwell", "healthy"]["seconds"]
    assert err.index("redis: healthy: ok") < err.index("unwell: healthy: FAILED")


def test_a_gpu_suite_without_a_gpu_is_not_run_and_says_why(smoke: Smoke) -> None:
    code, out, _ = smoke.run("--suite", "gpu")

    assert code == 0
    assert smoke.suites()[0]["verdict"] == "not run"
    assert "gpu  not run  0.0 s  no GPU here" in out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_nothing(smoke: Smoke, number: signal.Signals) -> None:
    process = smoke.start("--suite", "alone", MODE="never")
    _await(process, _UP)
    process.send_signal(number)
    process.communicate(timeout=30)

    assert process.returncode == 128 + number
    assert smoke.left() == []


def test_what_a_killed_run_left_goes_and_what_a_living_one_uses_stays(smoke: Smoke) -> None:
    killed = smoke.start("--suite", "alone", MODE="never")
    _await(killed, _UP)
    killed.kill()
    killed.communicate()
    assert smoke.left()
    living = smoke.start("--suite", "alone", MODE="never")
    _await(living, _UP)
    mine = smoke.left()

    # Beside the living one, with the same names and ports in the compose file.
    code, _, err = smoke.run("--suite", "alone")

    assert code == 0, err
    assert smoke.left() == mine
    living.terminate()
    living.communicate(timeout=30)
    assert smoke.left() == []


def test_two_at_the_same_time_do_not_meet(smoke: Smoke) -> None:
    both = [smoke.start("--suite", "alone") for _ in range(2)]

    assert [process.communicate(timeout=60) and process.returncode for process in both] == [0, 0]
    assert smoke.left() == []


def test_a_pushed_image_is_pulled_by_digest_with_the_jobs_login(
    tmp_path: Path, compose: Mapping[str, str], registry: Login, image_id: str
) -> None:
    name = f"{registry.image}/alone"
    run(["docker", "tag", image_id, f"{name}:1"], environment=compose)
    pushed = run(["docker", "push", f"{name}:1"], environment=compose)
    digest = pushed.split("digest: ")[1].split()[0]
    run(["docker", "rmi", "--no-prune", f"{name}:1"], environment=compose)
    known = run(["docker", "images", "--quiet", "--digests", name], environment=compose)
    assert known == ""
    smoke = Smoke(tmp_path, compose, host=registry.address, image=name, digest=digest)
    job = {
        "CI_REGISTRY": registry.address,
        "CI_REGISTRY_USER": registry.user,
        "CI_REGISTRY_PASSWORD": registry.password,
        "DOCKER_CONFIG": _logged_out(tmp_path, compose),
    }

    code, out, err = smoke.run("--suite", "alone", **job)

    assert code == 0, err
    assert smoke.suites()[0]["images"] == [
        {"service": "alone", "reference": f"{name}@{digest}", "digest": digest}
    ]
    assert registry.password not in out + err


def _logged_out(folder: Path, compose: Mapping[str, str]) -> str:
    """A Docker configuration with the plugins and no login."""
    (folder / "config").mkdir()
    plugins = Path(compose["DOCKER_CONFIG"]) / "cli-plugins"
    (folder / "config" / "cli-plugins").symlink_to(plugins)
    return str(folder / "config")


def test_an_image_that_is_nowhere_and_a_registry_that_refuses(
    tmp_path: Path, compose: Mapping[str, str], registry: Login, image_id: str
) -> None:
    nowhere = {"image": f"{registry.image}/alone", "digest": builders.digest("e")}
    smoke = Smoke(tmp_path, compose, **nowhere)

    code, _, err = smoke.run("--suite", "alone")
    assert code == 3
    assert "an image is nowhere" in err

    code, _, err = smoke.run("--suite", "alone", DOCKER_CONFIG=_logged_out(tmp_path, compose))
    assert code == 3
    assert "the registry refuses to give an image" in err
    assert smoke.left() == []


def test_a_missing_engine_is_one_error(smoke: Smoke) -> None:
    code, _, err = smoke.run("--suite", "alone", DOCKER_HOST="unix:///nowhere.sock")

    assert code == 3
    assert err.splitlines()[0].startswith("ciforge: the Docker engine gives no answer")
    assert len(err.splitlines()) == 2
