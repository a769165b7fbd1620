"""Components come back after a kill, go away without a trace, and leave other checkouts alone."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra import buildkit, compose, engine, images, lease, mirror, registry, remains
from tests.infra.base import CACHE, CHECKOUT, DAEMONS, ENVIRONMENT, Place, cached, ports, run

pytestmark = pytest.mark.docker
pytest_plugins = ["tests.infra.fixtures"]

_COMPONENTS = [engine, mirror, registry, buildkit]


# What the environment names is somebody's, and nobody may kill it.
_NAMED = ("DOCKER_HOST", "BUILDKIT_HOST", "CIFORGE_TEST_REGISTRY")


@pytest.fixture
def another(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The place of a second checkout, which a test may kill as it likes."""
    own = {name: value for name, value in ENVIRONMENT.items() if name not in _NAMED}
    for module in (engine, buildkit, registry):
        monkeypatch.setattr(module, "ENVIRONMENT", own)
    place = Place(CACHE / "run" / f"test-{os.getpid()}")
    place.open()
    try:
        yield place
    finally:
        for component in reversed(_COMPONENTS):
            component.stop(place)
        run(["rm", "-rf", place.folder])


def _traces(place: Place) -> list[str]:
    """What of a place the machine still knows, besides its folder."""
    # Read from the kernel, not through the code that is on trial.
    links = run(["ip", "-brief", "address"])
    rules = run(["iptables-save", "--table", "nat"])
    cgroups = run(["find", "/sys/fs/cgroup", "-name", f"ciforge-*-{place.key}"])
    mounts = Path("/proc/mounts").read_text().splitlines()
    found = [f"process {number}" for number in _processes_that_name(place)]
    found += [f"mount {line}" for line in mounts if f"{place.folder}/" in line]
    found += [f"link {line}" for line in links.splitlines() if engine.bridge(place) in line]
    found += [f"cgroup {line}" for line in cgroups.splitlines()]
    network = engine.kept_network(place)
    found += [f"rule {line}" for line in rules.splitlines() if network and str(network) in line]
    return found


def _processes_that_name(place: Place) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            if str(place.folder).encode() in words and process.name != str(os.getpid()):
                found.append(process.name)
    return found


def _run_something(place: Place) -> str:
    images.start(place, ["redis"])
    values = engine.environment(place)
    run(["docker", "network", "create", "extra"], environment=values)
    start = [
        "docker",
        "run",
        "--detach",
        "--network",
        "extra",
        "--publish",
        "127.0.0.1::6379",
        "redis:8",
    ]
    return run(start, environment=values)


def _running(place: Place, name: str) -> dict[int, str]:
    """The programs of a component. Containers, which also carry its mark, come and go."""
    found = {}
    for process in place.processes(name):
        with contextlib.suppress(OSError):
            found[process] = Path(f"/proc/{process}/comm").read_text().strip()
    if name in ("engine", "buildkit"):
        daemons = ("dockerd", "containerd", "buildkitd")
        return {process: program for process, program in found.items() if program in daemons}
    return found


def _daemon(place: Place, name: str, program: str) -> int:
    (found,) = [p for p, what in _running(place, name).items() if what == program]
    return found


@pytest.mark.usefixtures("engine", "registry")
def test_a_second_start_changes_nothing(place: Place) -> None:
    before = {name: running for name in DAEMONS if (running := _running(place, name))}
    assert "dockerd" in before["engine"].values()

    for component in (engine, mirror, registry):
        component.start(place)

    assert {name: _running(place, name) for name in before} == before


def test_engine_killed_under_a_container_comes_back(another: Place) -> None:
    engine.start(another)
    container = _run_something(another)
    os.kill(_daemon(another, "engine", "dockerd"), signal.SIGKILL)

    engine.start(another)

    values = engine.environment(another)
    state = run(
        ["docker", "inspect", "--format", "{{.State.Running}}", container], environment=values
    )
    assert state == "false"
    again = ["docker", "run", "--rm", "redis:8", "redis-cli", "--version"]
    assert "redis-cli" in run(again, environment=values)


def test_stop_leaves_nothing_behind(another: Place) -> None:
    engine.start(another)
    registry.start(another)
    _run_something(another)
    buildkit.start(another)
    assert buildkit.ready(another)
    assert _traces(another)

    for component in reversed(_COMPONENTS):
        component.stop(another)

    assert _traces(another) == []
    assert not any(component.ready(another) for component in _COMPONENTS)


def test_stop_leaves_nothing_behind_when_all_was_killed(another: Place) -> None:
    engine.start(another)
    registry.start(another)
    _run_something(another)
    buildkit.start(another)
    for process in [process for name in DAEMONS for process in another.processes(name)]:
        os.kill(process, signal.SIGKILL)

    for component in reversed(_COMPONENTS):
        component.stop(another)

    assert _traces(another) == []


def test_a_start_that_was_killed_half_way_is_finished_by_the_next(another: Place) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.infra import engine, registry;"
        "from tests.infra.base import Place; place = Place(Path(sys.argv[1]));"
        "engine.start(place); registry.start(place)"
    )
    for patience in (0.25, 0.5, 0.75, 1.0):
        child = subprocess.Popen([sys.executable, "-c", script, another.folder], cwd=CHECKOUT)
        time.sleep(patience)
        child.kill()
        child.wait()

    engine.start(another)
    registry.start(another)

    assert engine.ready(another)
    assert registry.ready(another)


@pytest.mark.usefixtures("engine", "registry")
def test_two_checkouts_do_not_meet(place: Place, another: Place) -> None:
    engine.start(another)
    registry.start(another)

    assert set(ports(place).values()).isdisjoint(ports(another).values())
    assert engine.environment(place) != engine.environment(another)

    for component in reversed(_COMPONENTS):
        component.stop(another)
    assert engine.ready(place)
    assert registry.ready(place)


def test_a_port_that_somebody_took_is_left_to_him(another: Place) -> None:
    wanted = ports(another)["registry"]
    with socket.socket() as somebody:
        # Earlier tests' connections may wait out their time on it.
        somebody.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        somebody.bind(("127.0.0.1", wanted))
        somebody.listen()

        registry.start(another)

        assert ports(another)["registry"] != wanted
        assert registry.ready(another)


def test_unfinished_cache_entry_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / ".tool.unfinished").mkdir()
    (tmp_path / ".tool.unfinished/half").write_text("half of a file")

    made = cached(tmp_path / "tool", lambda folder: (folder / "program").touch())

    assert [path.name for path in made.iterdir()] == ["program"]


def test_failed_cache_entry_is_not_there(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cached(tmp_path / "tool", fail)

    assert not (tmp_path / "tool").exists()


def test_last_session_stops_the_components(tmp_path: Path) -> None:
    place, stopped = Place(tmp_path), list[str]()

    class Fake:
        def start(self, place: Place | None = None, /) -> None: ...

        def ready(self, place: Place | None = None, /) -> bool:
            return True

        def stop(self, place: Place | None = None, /) -> None:
            stopped.append("stopped")

    with lease.held(place, [Fake()]):
        with lease.held(place, [Fake()]):
            pass
        assert stopped == []
    assert stopped == ["stopped"]

    lease.keep(place)
    with lease.held(place, [Fake()]):
        pass
    assert stopped == ["stopped"]


def test_mounts_are_found_innermost_first(tmp_path: Path) -> None:
    assert remains.mounts_below(tmp_path) == []


def test_compose_comes_back_after_its_link_is_gone(another: Place) -> None:
    compose.start(another)
    for link in (engine.configuration(another) / "cli-plugins").iterdir():
        link.unlink()

    compose.start(another)

    assert compose.ready(another)
