"""A Docker engine of this checkout: the one that DOCKER_HOST names, one that already answers at
the client's default address, or Debian's dockerd with its own socket, data, bridge and network."""

from __future__ import annotations

import functools
import ipaddress
import os
import signal
import socket
import zlib
from contextlib import suppress
from pathlib import Path

from tests.infra import remains
from tests.infra.base import (
    CACHE,
    ENVIRONMENT,
    InfraError,
    Place,
    here,
    lives,
    locked,
    run,
    succeeds,
)
from tests.infra.k8s_place import wait_until, write
from tests.infra.tools import debian, docker, program

NAME = "engine"


def environment(place: Place | None = None) -> dict[str, str]:
    """What a client needs in its environment to reach this engine and its plugins."""
    place = place or here()
    values = {
        "DOCKER_CONFIG": str(configuration(place)),
        "BUILDX_BUILDER": "ciforge",
        # Its helper container comes from an image registry.
        "TESTCONTAINERS_RYUK_DISABLED": "true",
    }
    if not is_foreign(place):
        values["DOCKER_HOST"] = f"unix://{_socket(place)}"
    elif ENVIRONMENT.get("DOCKER_HOST"):
        values["DOCKER_HOST"] = ENVIRONMENT["DOCKER_HOST"]
    return values


def configuration(place: Place) -> Path:
    """The client's configuration folder: plugins, logins, the builder. Never the user's own."""
    folder = place.folder / "docker-client"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def is_foreign(place: Place) -> bool:
    """True where the engine is the user's: then it is used, and never started or stopped."""
    named = ENVIRONMENT.get("DOCKER_HOST")
    if named:
        return named != f"unix://{_socket(place)}"
    # Installing Debian's package may start the machine's own engine too: ours stays ours.
    return not _network_file(place).exists() and _default_engine_answers()


@functools.cache
def _default_engine_answers() -> bool:
    client = program("docker")
    return client is not None and succeeds([client, "version"])


def start(place: Place | None = None) -> None:
    place = place or here()
    with place.lock(NAME):
        if ready(place):
            return
        if is_foreign(place):
            raise InfraError(f"no Docker engine answers at {ENVIRONMENT.get('DOCKER_HOST')}")
        if os.geteuid() != 0:
            raise InfraError("dockerd needs root to start: name a running engine in DOCKER_HOST")
        dockerd = debian("dockerd", "docker.io")
        _remove_remains(place)
        network = _make_bridge(place)
        place.start(NAME, [dockerd, *_options(place, network)])
        wait_until(
            "the Docker engine",
            lambda: ready(place),
            seconds=60,
            alive=lambda: lives(place, NAME),
            log=place.log(NAME),
        )


def ready(place: Place | None = None) -> bool:
    place = place or here()
    if not is_foreign(place):
        return _answers(_socket(place))
    return succeeds([docker(), "version"], environment(place))


def stop(place: Place | None = None) -> None:
    """Ends the engine with all its containers and networks; images and named volumes stay."""
    place = place or here()
    with place.lock(NAME):
        if _network_file(place).exists() or place.runs(NAME):
            if ready(place):
                _remove_containers(place)
            for process in _daemons(place):
                # Asked before its children: it takes leave of containerd and of its mounts.
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGTERM)
            with suppress(InfraError):
                wait_until("dockerd's end", lambda: not _daemons(place), seconds=15)
            _remove_remains(place)


def _socket(place: Place) -> Path:
    return place.folder / "docker.sock"


def _answers(address: Path) -> bool:
    with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(address))
        client.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
        return b" 200 " in client.recv(64)
    return False


def _options(place: Place, network: ipaddress.IPv4Network) -> list[str]:
    own, pool = network.subnets()
    return [
        f"--host=unix://{_socket(place)}",
        f"--data-root={place.folder / 'docker'}",
        f"--exec-root={place.folder / 'exec'}",
        f"--pidfile={place.folder / 'docker.pid'}",
        f"--bridge={bridge(place)}",
        f"--fixed-cidr={own}",
        f"--default-address-pool=base={pool},size=24",
        # Two engines would take each other's rules away; one rule of ours does for both (below).
        "--iptables=false",
        "--ip6tables=false",
        "--ip-masq=false",
        f"--cgroup-parent=/{_cgroup(place)}",
        "--exec-opt=native.cgroupdriver=cgroupfs",
    ]


def _daemons(place: Place) -> list[int]:
    """dockerd itself; its children carry its mark too."""
    found = []
    for process in place.processes(NAME):
        with suppress(OSError):
            if Path(f"/proc/{process}/comm").read_text().strip() == "dockerd":
                found.append(process)
    return found


def _remove_containers(place: Place) -> None:
    values = environment(place)
    for kind, force in (("container", ["--force", "--volumes"]), ("network", [])):
        listed = run([docker(), kind, "ls", "--quiet", *_only(kind)], environment=values).split()
        if listed:
            succeeds([docker(), kind, "rm", *force, *listed], values)


def _only(kind: str) -> list[str]:
    return ["--all"] if kind == "container" else ["--filter", "type=custom"]


def _remove_remains(place: Place) -> None:
    """After a kill: shims and containers live on, and mounts and bridges stay."""
    place.stop([NAME])
    remains.remove_cgroup(_cgroup(place))
    remains.unmount_below(place.folder / "docker")
    remains.unmount_below(place.folder / "exec")
    for name in ("docker.pid", "docker.sock", "exec/containerd/containerd.pid"):
        (place.folder / name).unlink(missing_ok=True)
    kept = kept_network(place)
    if kept is not None:
        remains.remove_interfaces(kept)
        while succeeds(_masquerade(kept, "--delete")):
            pass
        _network_file(place).unlink()


# -- network ---------------------------------------------------------------------------------


def bridge(place: Place) -> str:
    return f"ciforge{zlib.crc32(str(place.folder).encode()):08x}"


def _cgroup(place: Place) -> str:
    return f"ciforge-engine-{place.key}"


def _network_file(place: Place) -> Path:
    return place.folder / "network"


def kept_network(place: Place) -> ipaddress.IPv4Network | None:
    with suppress(OSError, ValueError):
        return ipaddress.IPv4Network(_network_file(place).read_text())
    return None


def _make_bridge(place: Place) -> ipaddress.IPv4Network:
    """A bridge with a free 10.x.0.0/16: the lower half for it, the upper for more networks."""
    ip, name = debian("ip", "iproute2"), bridge(place)
    with locked(CACHE / "network.lock"):
        first = zlib.crc32(str(place.folder).encode())
        for step in range(150):
            network = ipaddress.IPv4Network(f"10.{100 + (first + step) % 150}.0.0/16")
            if not remains.interfaces_in(network):
                break
        # Written before anything is made: what a kill leaves is found by it.
        write(_network_file(place), str(network))
        run([ip, "link", "add", name, "type", "bridge"])
        half = next(network.subnets())
        run([ip, "address", "add", f"{half[1]}/{half.prefixlen}", "dev", name])
        run([ip, "link", "set", name, "up"])
        run(_masquerade(network, "--append"))
    return network


def _masquerade(network: ipaddress.IPv4Network, action: str) -> list[str | Path]:
    """Containers reach what the machine reaches, as `docker build` expects."""
    return [
        *(debian("iptables", "iptables"), "--wait", "--table", "nat", action, "POSTROUTING"),
        *("--source", str(network), "!", "--destination", str(network), "--jump", "MASQUERADE"),
    ]
