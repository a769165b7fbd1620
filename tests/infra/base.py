"""What the components of the container half share: their place, their cache, their interface."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tests.infra.k8s_place import CHECKOUT, InfraError, Place, locked

__all__ = ["CHECKOUT", "InfraError", "Place", "locked"]

# Read once, at import: tests change HOME and remove variables, and the place must not move.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ciforge"
ENVIRONMENT: Mapping[str, str] = dict(os.environ)

PORTS = ("mirror", "registry", "token")
# A socket's path has 107 bytes, and containerd's needs 38 of them.
_LONGEST_FOLDER = 69
DAEMONS = (*PORTS, "engine", "buildkit")


class Component(Protocol):
    """A module with these three functions. Each may be called at any time, any number of times."""

    def start(self, place: Place | None = None, /) -> object:
        """Returns when it is ready; does nothing when it already is."""

    def ready(self, place: Place | None = None, /) -> bool: ...

    def stop(self, place: Place | None = None, /) -> None:
        """Ends all that `start` started here, also when that was killed half-way."""


def here() -> Place:
    """The place of this checkout: below the cache folder, since engines fill gigabytes."""
    key = hashlib.sha256(str(CHECKOUT.resolve()).encode()).hexdigest()[:8]
    place = Place(CACHE / "run" / key)
    if len(str(place.folder)) > _LONGEST_FOLDER:
        raise InfraError(f"{CACHE}: too long a path for sockets below it; set XDG_CACHE_HOME")
    place.open()
    owner = place.folder / "checkout"
    if not owner.exists():
        owner.write_text(f"{CHECKOUT.resolve()}\n")
    return place


def forget_lost_checkouts() -> None:
    """Removes the folders of checkouts that are gone, so that caches don't grow for ever."""
    for owner in (CACHE / "run").glob("*/checkout"):
        folder, checkout = owner.parent, Path(owner.read_text().strip())
        mounted = f" {folder.resolve()}/" in Path("/proc/self/mountinfo").read_text()
        running = any(Place(folder).runs(name) for name in DAEMONS)
        if not checkout.exists() and not mounted and not running:
            shutil.rmtree(folder, ignore_errors=True)


def ports(place: Place) -> dict[str, int]:
    """The ports of this place, chosen once."""
    with place.lock("ports"):
        return place.ports(PORTS)


def claim_port(place: Place, name: str) -> int:
    """Before `name` is started: another port for it if somebody has taken its own."""
    with place.lock("ports"):
        return place.choose_ports([name])[name]


def lives(place: Place, name: str) -> bool:
    """Asked twice: while a process changes into its program, the kernel shows no environment."""
    if not place.runs(name):
        time.sleep(0.3)
    return place.runs(name)


def cached(path: Path, make: Callable[[Path], None]) -> Path:
    """`path`, made by the first who asks for it: there as a whole, or not there."""
    if not path.exists():
        with locked(path.with_name(f".{path.name}.lock")):
            unfinished = path.with_name(f".{path.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            if not path.exists():
                unfinished.mkdir()
                make(unfinished)
                unfinished.rename(path)
    return path


def run(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    stdin: str | None = None,
    log: Path | None = None,
) -> str:
    """Runs it to its end and returns what it printed; its failure says its last lines."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        env={**ENVIRONMENT, **(environment or {})},
        cwd=folder,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
    )
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(f"$ {' '.join(words)}\n{done.stdout}{done.stderr}")
    if done.returncode != 0:
        end = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise InfraError(f"{' '.join(words[:4])} … ended with {done.returncode}:\n{end}")
    return done.stdout.strip()


def succeeds(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> bool:
    try:
        run(command, environment=environment)
    except (InfraError, OSError):
        return False
    return True
