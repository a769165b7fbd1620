"""How ciforge is run, and what its start costs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Command, Runs, environment, in_turn


def ciforge(name: str, cwd: Path, *arguments: str) -> Command:
    """The installed `ciforge` of this interpreter, as a user starts it."""
    script = Path(sys.executable).with_name("ciforge")
    program = [str(script)] if script.exists() else [sys.executable, "-m", "ciforge"]
    return Command(name, [*program, *arguments], cwd, environment())


@dataclass(frozen=True)
class Startup:
    """Processes that do nothing else: what each import adds is the difference to `python`."""

    runs: dict[str, Runs]

    def lines(self) -> list[str]:
        bare = self.runs["python"].median
        return [
            f"  {name:<26}{runs.median * 1000:5.0f} ms"
            + ("" if name == "python" else f"   (+{(runs.median - bare) * 1000:.0f} ms)")
            for name, runs in self.runs.items()
        ]

    def as_json(self) -> dict[str, object]:
        return {name: runs.as_json() for name, runs in self.runs.items()}


def measure_startup(cwd: Path, rounds: int) -> Startup:
    def python(name: str, code: str) -> Command:
        return Command(name, [sys.executable, "-c", code], cwd, environment())

    commands: Sequence[Command] = (
        python("python", "pass"),
        ciforge("ciforge --version", cwd, "--version"),
        python("import networkx", "import networkx"),
        python("import msgspec", "import msgspec"),
    )
    return Startup(in_turn(commands, rounds))
