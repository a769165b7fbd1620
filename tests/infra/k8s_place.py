"""Where one cluster lives: its folder, ports, log files and processes.

Each checkout has its own place, so two of them never meet. Processes are found by a mark in
their environment, not by a file with their ids: there is no moment in which a process runs that
a later `stop` doesn't know of, and an id that the kernel gave to somebody else is never taken
for ours.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
_MARK = "CIFORGE_INFRA"

# Below the range from which Linux takes ports for outgoing connections.
_FIRST_PORT, _PORT_BLOCKS, _PORT_BLOCK = 20_000, 600, 20


class InfraError(Exception):
    """A component could not be built or started; the message says what to look at."""


def say(text: str, since: float | None = None) -> None:
    """One line of progress; with `since` (time.monotonic) also how long it took."""
    # In one piece: components start side by side.
    passed = "" if since is None else f" ({time.monotonic() - since:.1f} s)"
    print(f"{text}{passed}\n", end="", flush=True)


def write(path: Path, content: str, mode: int = 0o600) -> None:
    """A reader, or the next start after a kill, sees all of it or the old file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w") as stream:
        stream.write(content)
    os.chmod(temporary, mode)
    os.replace(temporary, path)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time. The kernel frees the lock of one that was killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def wait_until(
    what: str,
    check: Callable[[], bool],
    *,
    seconds: float,
    alive: Callable[[], bool] = lambda: True,
    log: Path | None = None,
) -> None:
    """Returns once `check` holds; raises InfraError when time is up or the process has died."""
    end = time.monotonic() + seconds
    while not check():
        died = not alive()
        if died or time.monotonic() > end:
            problem = "died" if died else f"not ready after {seconds:.0f} s"
            raise InfraError(f"{what}: {problem}{_last_lines(log)}")
        time.sleep(0.05)


def _last_lines(log: Path | None) -> str:
    if log is None or not log.exists():
        return ""
    lines = log.read_text(errors="replace").splitlines()[-15:]
    return f"; the end of {log}:\n" + "\n".join(lines)


@dataclass(frozen=True)
class Place:
    """A folder that belongs to one cluster, and the processes that carry its name."""

    folder: Path

    @classmethod
    def of_checkout(cls, checkout: Path = CHECKOUT) -> Place:
        # Not in the checkout: the path of a Unix socket has room for 107 bytes only.
        name = f"ciforge-k8s-{os.getuid()}-{_digest(str(checkout.resolve()))[:10]}"
        return cls(Path(tempfile.gettempdir()) / name)

    @property
    def key(self) -> str:
        return _digest(str(self.folder))[:10]

    def open(self) -> None:
        """Makes the folder; refuses one that somebody else has put there."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.folder / "log").mkdir(exist_ok=True)
        if self.folder.is_symlink() or self.folder.stat().st_uid != os.getuid():
            raise InfraError(f"{self.folder} belongs to somebody else; remove it")

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        self.open()
        with locked(self.folder / f"{name}.lock"):
            yield

    def log(self, name: str) -> Path:
        return self.folder / "log" / f"{name}.log"

    # -- ports -----------------------------------------------------------------------------

    def ports(self, names: Sequence[str]) -> dict[str, int]:
        """The ports of an earlier call, and free ones for new names; ports.json keeps them."""
        return self._ports(names, keep=lambda _: True)

    def choose_ports(self, names: Sequence[str]) -> dict[str, int]:
        """The same, but those that somebody else took change: for when nothing of ours listens."""
        return self._ports(names, keep=is_free)

    def _ports(self, names: Sequence[str], keep: Callable[[int], bool]) -> dict[str, int]:
        before = self._kept_ports()
        kept = dict(before)
        first = _FIRST_PORT + int(self.key, 16) % _PORT_BLOCKS * _PORT_BLOCK
        offered = iter(range(first, first + 40 * _PORT_BLOCK))
        for name in names:
            if name not in kept or not keep(kept[name]):
                kept[name] = next(p for p in offered if p not in kept.values() and is_free(p))
        if kept != before:
            write(self.folder / "ports.json", json.dumps(kept))
        return {name: kept[name] for name in names}

    def _kept_ports(self) -> dict[str, int]:
        try:
            kept = json.loads((self.folder / "ports.json").read_text())
        except (OSError, ValueError):
            return {}
        return {str(name): int(port) for name, port in kept.items()}

    # -- processes -------------------------------------------------------------------------

    def processes(self, name: str) -> list[int]:
        """The ids of the living processes of this name. A zombie has no environment: not one."""
        mark = f"\0{_MARK}={self.folder}/{name}\0".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    if mark in b"\0" + _environment_of(entry):
                        found.append(int(entry.name))
        return found

    def runs(self, name: str) -> bool:
        return bool(self.processes(name))

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        """Starts it in the background, unless it runs: its output goes to the log file."""
        if self.runs(name):
            return
        log = self.log(name)
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        with log.open("wb") as output:
            # setsid forks: the process is nobody's child here, so no caller has to reap it.
            subprocess.run(
                ["setsid", "--fork", *map(str, command)],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=pass_fds,
                cwd=self.folder,
                env={**os.environ, **(environment or {}), _MARK: f"{self.folder}/{name}"},
            )

    def stop(self, names: Sequence[str], *, patience: float = 10) -> None:
        """Ends them together: asked first, killed when they don't go in time."""
        for asked in (signal.SIGTERM, signal.SIGKILL):
            for process in self._all(names):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, asked)
            end = time.monotonic() + patience
            while self._all(names):
                if time.monotonic() > end:
                    break
                time.sleep(0.05)
            else:
                return
        raise InfraError(f"{', '.join(names)}: still running after SIGKILL")

    def _all(self, names: Sequence[str]) -> list[int]:
        return [process for name in names for process in self.processes(name)]


def unmarked(environment: Mapping[str, str]) -> dict[str, str]:
    """For children that end with their parent, and must not be taken for it."""
    return {name: value for name, value in environment.items() if name != _MARK}


def _environment_of(process: Path) -> bytes:
    """For some microseconds of its `exec` a process has no environment: so the young are asked
    again, or one that has just been started would count as dead."""
    end = time.monotonic() + 1
    while not (environment := (process / "environ").read_bytes()):
        if not _may_be_starting(process) or time.monotonic() > end:
            break
        time.sleep(0.001)
    return environment


def _may_be_starting(process: Path) -> bool:
    state, *fields = (process / "stat").read_text().rpartition(")")[2].split()
    started = int(fields[18]) / os.sysconf("SC_CLK_TCK")
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - started
    is_kernel_thread = bool(int(fields[5]) & 0x00200000)
    return state not in ("Z", "X") and not is_kernel_thread and age < 10


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
