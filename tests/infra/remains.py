"""What a killed daemon leaves in the kernel: processes in cgroups, mounts, bridges, one rule."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from tests.infra.base import run, succeeds
from tests.infra.tools import debian

_CGROUPS = Path("/sys/fs/cgroup")


def remove_cgroup(name: str) -> None:
    """Kills what still runs in the cgroup of this name, in every hierarchy, and removes it."""
    end = time.monotonic() + 10
    while processes := set(_processes(name)):
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        if time.monotonic() > end:
            break
        time.sleep(0.05)
    for group in _groups(name):
        for folder, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)


def cgroup_exists(name: str) -> bool:
    return any(True for _ in _groups(name))


def _groups(name: str) -> Iterator[Path]:
    """Version 2 has one hierarchy at the top, version 1 one in each folder."""
    for parent in (_CGROUPS, *(path for path in _CGROUPS.iterdir() if path.is_dir())):
        if (parent / name).is_dir():
            yield parent / name


def _processes(name: str) -> Iterator[int]:
    for group in _groups(name):
        for file in group.rglob("cgroup.procs"):
            with contextlib.suppress(OSError):
                for line in file.read_text().split():
                    if _is_alive(int(line)):
                        yield int(line)


def _is_alive(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False
    return re.search(r"^State:\s+[ZX]", status, re.MULTILINE) is None


def mounts_below(folder: Path) -> list[Path]:
    """The innermost first."""
    points = [
        Path(line.split()[4].encode().decode("unicode_escape"))
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
    ]
    inside = [point for point in points if point.is_relative_to(folder.resolve())]
    return sorted(inside, key=lambda point: len(point.parts), reverse=True)


def unmount_below(folder: Path) -> None:
    for point in mounts_below(folder):
        run(["umount", "--lazy", point])


def interfaces_in(network: ipaddress.IPv4Network) -> list[str]:
    """The interfaces that have an address of this network."""
    shown = json.loads(run([debian("ip", "iproute2"), "-json", "-4", "address", "show"]) or "[]")
    return [
        interface["ifname"]
        for interface in shown
        for address in interface.get("addr_info", [])
        if ipaddress.ip_address(address["local"]) in network
    ]


def remove_interfaces(network: ipaddress.IPv4Network) -> None:
    ip = debian("ip", "iproute2")
    for bridge in interfaces_in(network):
        ports = json.loads(run([ip, "-json", "link", "show", "master", bridge]) or "[]")
        for name in [*(port["ifname"] for port in ports if port), bridge]:
            # A port vanishes with its container, perhaps just now.
            succeeds([ip, "link", "delete", name])
