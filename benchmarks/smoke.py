"""`ciforge smoke` of the example: its time beyond that until the slowest container is healthy.

Both are read in one run, so nothing else's noise is in the difference: the engine's own events
say when the first container was made and when the last one became healthy.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import CommandFailedError
from benchmarks.program import ciforge

# The larger of these two may come on top of the slowest container's health.
BUDGET_SHARE, BUDGET_SECONDS = 0.1, 2.0
_LONGEST = 900.0  # seconds


@dataclass(frozen=True)
class Smoked:
    """Seconds of one run: `before` the first container, until all are `healthy`, `asking`
    until the last answer, `cleaning` up."""

    before: float
    healthy: float
    asking: float
    cleaning: float

    @property
    def overhead(self) -> float:
        """Without the cleaning up, which `docker compose down` takes as well."""
        return self.before + self.asking


@dataclass(frozen=True)
class Smokes:
    runs: Sequence[Smoked]

    def median(self, part: str) -> float:
        return float(statistics.median(getattr(run, part) for run in self.runs))

    @property
    def met(self) -> bool:
        allowed = max(BUDGET_SHARE * self.median("healthy"), BUDGET_SECONDS)
        return self.median("overhead") <= allowed

    def as_json(self) -> dict[str, object]:
        parts = ("before", "healthy", "asking", "cleaning", "overhead")
        return {part: round(self.median(part), 2) for part in parts}


def measure_smoke(
    workspace: Path, env: Mapping[str, str], plan: Path, images: Path, rounds: int
) -> Smokes:
    """Raises CommandFailedError when a smoke is not green."""
    command = ciforge("smoke", workspace, "smoke", "--plan", str(plan), "--images", str(images))
    argv = [*command.argv, "--suite", "default", "-o", str(images.with_name("smoke.json"))]
    return Smokes([_run(argv, workspace, env) for _ in range(rounds)])


def _run(argv: Sequence[str], workspace: Path, env: Mapping[str, str]) -> Smoked:
    with _Events(env) as events:
        started = time.time()
        asked = started
        said = []
        with subprocess.Popen(
            argv,
            cwd=workspace,
            env=dict(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            for line in process.stdout or ():
                said.append(line)
                if "cleaning up" in line:
                    asked = time.time()
            process.wait(_LONGEST)
        ended = time.time()
    if process.returncode != 0:
        raise CommandFailedError(f"ciforge smoke: exit code {process.returncode}\n{''.join(said)}")
    first, last = events.first("create", started), events.last("health_status: healthy")
    return Smoked(first - started, last - first, asked - last, ended - asked)


class _Events:
    """What the engine tells of containers while this is open: seconds since 1970, and what."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._found: list[tuple[float, str]] = []
        kinds = ("create", "health_status")
        filters = [word for kind in kinds for word in ("--filter", f"event={kind}")]
        self._process = subprocess.Popen(
            ["docker", "events", *filters, "--format", "{{json .}}"],
            env=dict(env),
            stdout=subprocess.PIPE,
            text=True,
        )
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> _Events:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._thread.join()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            event = json.loads(line)
            if event.get("Type") == "container":
                self._found.append((event["timeNano"] / 1e9, event["Action"]))

    def first(self, action: str, since: float) -> float:
        return min(at for at, what in self._found if what == action and at >= since)

    def last(self, action: str) -> float:
        return max(at for at, what in self._found if what == action)
