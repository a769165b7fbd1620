"""buildkitd with buildx in front of it: programs from PATH or built from Go modules.

BUILDKIT_HOST names a daemon to use instead. Base images come from the mirror, under the names
that Dockerfiles use, so no Dockerfile changes.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tests.infra import engine, images, mirror, registry, remains
from tests.infra.base import ENVIRONMENT, InfraError, Place, here, lives, ports, run, succeeds
from tests.infra.k8s_place import wait_until, write
from tests.infra.tools import (
    GoProgram,
    client_plugin,
    debian,
    docker,
    has_docker,
    link_plugin,
    program,
)

NAME = "buildkit"
_BUILDKITD = GoProgram("buildkit", "github.com/moby/buildkit/cmd/buildkitd")
_BUILDX = GoProgram("buildkit", "github.com/docker/buildx/cmd/buildx")


def start(place: Place | None = None) -> None:
    place = place or here()
    # Its configuration names their ports.
    mirror.start(place)
    registry.start(place)
    with place.lock(NAME):
        _start_daemon(place)
        values = engine.environment(place)
        if not succeeds([docker(), "buildx", "version"], values):
            plugin = client_plugin("buildx") or _BUILDX.path()
            link_plugin(engine.configuration(place), "buildx", plugin)
        if address(place) not in _builder(place):
            succeeds([docker(), "buildx", "rm", "--force", values["BUILDX_BUILDER"]], values)
            create = ["buildx", "create", "--name", values["BUILDX_BUILDER"], "--driver", "remote"]
            run([docker(), *create, address(place)], environment=values)
        wait_until("BuildKit", lambda: ready(place), seconds=30, log=place.log(NAME))


def ready(place: Place | None = None) -> bool:
    return has_docker() and "Status: running" in " ".join(_builder(place or here()).split())


def stop(place: Place | None = None) -> None:
    place = place or here()
    with place.lock(NAME):
        if not _is_foreign():
            _remove_remains(place)


def address(place: Place) -> str:
    return ENVIRONMENT.get("BUILDKIT_HOST") or f"unix://{place.folder / 'buildkit.sock'}"


def _is_foreign() -> bool:
    return bool(ENVIRONMENT.get("BUILDKIT_HOST"))


def _builder(place: Place) -> str:
    with suppress(InfraError):
        values = engine.environment(place)
        return run([docker(), "buildx", "inspect", values["BUILDX_BUILDER"]], environment=values)
    return ""


def _start_daemon(place: Place) -> None:
    if _is_foreign():
        return
    configuration = place.folder / "buildkitd.toml"
    wanted = _configuration(place)
    if place.runs(NAME) and configuration.exists() and configuration.read_text() == wanted:
        return
    if os.geteuid() != 0:
        raise InfraError("buildkitd needs root to start: name a running one in BUILDKIT_HOST")
    buildkitd = program("buildkitd") or _BUILDKITD.path()
    debian("runc", "runc")
    _remove_remains(place)
    write(configuration, wanted)
    place.start(
        NAME,
        [
            buildkitd,
            f"--config={configuration}",
            f"--root={place.folder / NAME}",
            f"--addr={address(place)}",
            # Builds reach the loopback registries, and packages as the machine does.
            "--oci-worker-net=host",
        ],
    )
    wait_until(
        "buildkitd",
        lambda: (place.folder / "buildkit.sock").exists(),
        seconds=30,
        alive=lambda: lives(place, NAME),
        log=place.log(NAME),
    )


def _configuration(place: Place) -> str:
    numbers = ports(place)
    mirrored = f"{mirror.address(place)}/{images.mirror_path()}"
    sections = [
        "[worker.containerd]\n  enabled = false",
        f'[worker.oci]\n  enabled = true\n  defaultCgroupParent = "/{_cgroup(place)}"',
        *(
            f'[registry."127.0.0.1:{numbers[name]}"]\n  http = true'
            for name in (mirror.NAME, registry.NAME)
        ),
        *(f'[registry."{host}"]\n  mirrors = ["{mirrored}"]' for host in images.hosts()),
    ]
    return "\n".join(sections) + "\n"


def _remove_remains(place: Place) -> None:
    place.stop([NAME])
    remains.remove_cgroup(_cgroup(place))
    remains.unmount_below(place.folder / NAME)
    for name in ("buildkit.sock", f"{NAME}/buildkitd.lock"):
        Path(place.folder / name).unlink(missing_ok=True)


def _cgroup(place: Place) -> str:
    return f"ciforge-buildkit-{place.key}"
