"""Places without a cluster: processes, ports, folders."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra.k8s_place import InfraError, Place, wait_until, write

_SLEEPS = [sys.executable, "-c", "import time; print('started', flush=True); time.sleep(600)"]
_IGNORES_TERM = [sys.executable, "-c", "import signal, time; signal.signal(15, 1); time.sleep(600)"]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path / "place")
    place.open()
    yield place
    place.stop(["one", "two"], patience=1)


def test_a_process_is_started_once_and_stopped(place: Place) -> None:
    place.start("one", _SLEEPS)
    place.start("one", _SLEEPS)
    assert len(place.processes("one")) == 1
    wait_until("the log", lambda: place.log("one").read_text() == "started\n", seconds=10)
    place.stop(["one"])
    assert not place.runs("one")


def test_a_killed_process_counts_as_stopped_even_while_nobody_reaps_it(place: Place) -> None:
    zombie = subprocess.Popen(
        ["sleep", "600"], env={**os.environ, "CIFORGE_INFRA": f"{place.folder}/one"}
    )
    assert place.processes("one") == [zombie.pid]
    os.kill(zombie.pid, signal.SIGKILL)
    wait_until("its death", lambda: not place.runs("one"), seconds=10)
    assert zombie.wait() == -signal.SIGKILL


def test_a_process_is_seen_from_its_first_moment(place: Place) -> None:
    for _ in range(40):
        place.start("one", ["sleep", "600"])
        assert all(place.runs("one") for _ in range(10))
        place.stop(["one"])


def test_what_ignores_sigterm_is_killed(place: Place) -> None:
    place.start("one", _IGNORES_TERM)
    place.stop(["one"], patience=0.5)
    assert not place.runs("one")


def test_only_the_own_processes_are_stopped(place: Place, tmp_path: Path) -> None:
    neighbour = Place(tmp_path / "place-2")
    neighbour.open()
    place.start("one", _SLEEPS)
    neighbour.start("one", _SLEEPS)
    try:
        place.stop(["one"])
        assert neighbour.runs("one")
    finally:
        neighbour.stop(["one"])


def test_ports_are_kept_unless_somebody_else_took_them(place: Place) -> None:
    first = place.ports(["api", "data"])
    assert len(set(first.values())) == 2
    assert place.choose_ports(["api", "data"]) == first
    with socket.create_server(("127.0.0.1", first["api"])):
        assert place.ports(["api", "data"]) == first
        second = place.choose_ports(["api", "data"])
    assert second["api"] != first["api"]
    assert second["data"] == first["data"]


def test_a_damaged_port_file_is_no_obstacle(place: Place) -> None:
    write(place.folder / "ports.json", '{"api":')
    assert set(place.ports(["api"])) == {"api"}


def test_two_checkouts_have_places_of_their_own(tmp_path: Path) -> None:
    one, two = Place.of_checkout(tmp_path / "one"), Place.of_checkout(tmp_path / "two")
    assert one.folder != two.folder
    assert one.key != two.key
    assert Place.of_checkout(tmp_path / "one") == one


def test_a_process_that_dies_is_reported_with_its_last_lines(place: Place) -> None:
    place.start("one", ["sh", "-c", "echo the reason; exit 1"])
    with pytest.raises(InfraError, match=r"(?s)one: died.*the reason"):
        wait_until(
            "one",
            lambda: False,
            seconds=10,
            alive=lambda: place.runs("one"),
            log=place.log("one"),
        )
