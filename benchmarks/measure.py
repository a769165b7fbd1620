"""Runs commands in turn and keeps the time, peak memory and output of each run."""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_LAUNCHER = Path(__file__).with_name("launch.py")
_LONGEST = 900.0  # seconds of one run


class CommandFailedError(Exception):
    """A measured command ended with another exit code than 0, or not in time."""


@dataclass(frozen=True)
class Command:
    """What is run; `env` is all of its environment."""

    name: str
    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str]


@dataclass(frozen=True)
class Run:
    """One finished run.

    `cpu` counts the command and the processes that it waited for, `peak` (KiB) is the largest
    of them.
    """

    seconds: float
    cpu: float
    peak: int
    output: bytes


@dataclass
class Runs:
    """All counted runs of one command, in the order in which the rounds came."""

    command: str
    runs: list[Run] = field(default_factory=list)

    @property
    def times(self) -> list[float]:
        return [run.seconds for run in self.runs]

    @property
    def median(self) -> float:
        return statistics.median(self.times)

    @property
    def cpu(self) -> float:
        return statistics.median(run.cpu for run in self.runs)

    @property
    def peak_mib(self) -> float:
        return max(run.peak for run in self.runs) / 1024

    @property
    def output(self) -> bytes:
        return self.runs[-1].output

    @property
    def stable(self) -> bool:
        """Whether every run printed the same bytes."""
        return len({run.output for run in self.runs}) == 1

    def as_json(self) -> dict[str, object]:
        return {
            "median_seconds": round(self.median, 4),
            "seconds": [round(t, 4) for t in self.times],
            "median_cpu_seconds": round(self.cpu, 4),
            "peak_mib": round(self.peak_mib, 1),
        }


def environment(**changes: str) -> dict[str, str]:
    """The user's environment without what would steer Nx or ciforge, and with `changes`."""
    steering = ("NX_", "CI_", "CIFORGE_", "PYTHON", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
    drop = ("CI", "FORCE_COLOR", "NODE_OPTIONS", "GITLAB_CI")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(steering) and k not in drop}
    return {**kept, "NO_COLOR": "1", **changes}


def run_once(command: Command) -> Run:
    """Raises CommandFailedError with the end of what the command said."""
    with tempfile.TemporaryDirectory(prefix="ciforge-bench-") as scratch:
        out, err = Path(scratch, "out"), Path(scratch, "err")
        launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), str(out), str(err)]
        with subprocess.Popen(
            [*launcher, *command.argv],
            cwd=command.cwd,
            env=dict(command.env),
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                said, _ = process.communicate(timeout=_LONGEST)
            except BaseException as error:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                if isinstance(error, subprocess.TimeoutExpired):
                    message = f"{command.name} took more than {_LONGEST:.0f} s"
                    raise CommandFailedError(message) from None
                raise
        if process.returncode != 0:
            raise CommandFailedError(f"{command.name}: could not be started")
        code, seconds, cpu, peak = said.split()
        if code != "0":
            tail = (err.read_bytes() + out.read_bytes()).decode("utf-8", "replace")[-2000:]
            raise CommandFailedError(f"{command.name}: exit code {code}\n{tail.strip()}")
        return Run(float(seconds), float(cpu), int(peak), out.read_bytes())


def in_turn(commands: Sequence[Command], rounds: int) -> dict[str, Runs]:
    """Each command once uncounted, then `rounds` rounds of all of them.

    The commands of a round see the same noise, so figures are compared round by round; each
    round starts with another command, so that none always follows the same neighbour.
    """
    results = {command.name: Runs(command.name) for command in commands}
    for command in commands:
        run_once(command)
    for number in range(rounds):
        shift = number % len(commands)
        for command in (*commands[shift:], *commands[:shift]):
            results[command.name].runs.append(run_once(command))
    return results


def ratio(slower: Runs, faster: Runs) -> float:
    """How many times `faster` is faster: the median over the rounds."""
    pairs = zip(slower.times, faster.times, strict=True)
    return statistics.median(a / b for a, b in pairs)
