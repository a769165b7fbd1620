"""`ciforge affected` beside `nx show projects --affected`: the same answer, and the time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cache import SOURCE_BASE, Workspace, workspace
from benchmarks.measure import Command, Runs, in_turn, ratio
from benchmarks.nx import Nx, difference
from benchmarks.program import ciforge
from benchmarks.shape import Shape

OURS = "ciforge"
OURS_DATA = "ciforge, workspace-data"
NX = "nx"
NX_PLAIN = "nx, plugins not isolated"

# How many times faster than Nx's better figure ciforge wants to be, from that size on.
AIMS = ((5_000, 10.0), (1_000, 5.0))


class AnswersDifferError(Exception):
    """ciforge and Nx do not name the same projects."""


@dataclass(frozen=True)
class Affected:
    """One size. `runs` holds Nx's figures only where there is an Nx."""

    projects: int
    affected: int
    runs: dict[str, Runs]

    @property
    def better_nx(self) -> Runs | None:
        found = [self.runs[name] for name in (NX, NX_PLAIN) if name in self.runs]
        return min(found, key=lambda runs: runs.median) if found else None

    @property
    def ratio(self) -> float | None:
        return ratio(nx, self.runs[OURS]) if (nx := self.better_nx) else None

    @property
    def cpu_ratio(self) -> float | None:
        """The same for CPU time, which other work on the machine disturbs less."""
        return nx.cpu / self.runs[OURS].cpu if (nx := self.better_nx) else None

    @property
    def aim(self) -> float | None:
        return next((aim for size, aim in AIMS if self.projects >= size), None)

    def as_json(self) -> dict[str, object]:
        return {
            "projects": self.projects,
            "affected": self.affected,
            "ratio": None if self.ratio is None else round(self.ratio, 2),
            "cpu_ratio": None if self.cpu_ratio is None else round(self.cpu_ratio, 2),
            "aim": self.aim,
            "runs": {name: runs.as_json() for name, runs in self.runs.items()},
        }


def measure_affected(projects: int, rounds: int, nx: Nx | None) -> Affected:
    """Raises AnswersDifferError when one of them names other projects than the others."""
    place = workspace(Shape(projects))
    commands = [_ours(OURS, place, nx.graph(place) if nx else place.graph)]
    if nx:
        commands += [_theirs(nx, NX, place), _theirs(nx, NX_PLAIN, place, isolated=False)]
        data = place.path / ".nx" / "workspace-data" / "project-graph.json"
        if data.exists():
            commands.append(_ours(OURS_DATA, place, data))
    runs = in_turn(commands, rounds)
    answers = {name: _names(found) for name, found in runs.items()}
    first = answers[OURS]
    for name, answer in answers.items():
        if answer != first:
            raise AnswersDifferError(
                f"{projects} projects: {name} (+) answers otherwise than {OURS} (-)\n"
                + difference(set(first), set(answer))
            )
    return Affected(projects, len(first), runs)


def _ours(name: str, place: Workspace, graph: Path) -> Command:
    change = ("--base", SOURCE_BASE, "--head", "HEAD")
    return ciforge(name, place.path, "affected", "--graph", str(graph), *change, "--format", "json")


def _theirs(nx: Nx, name: str, place: Workspace, *, isolated: bool = True) -> Command:
    change = ("--affected", "--base", SOURCE_BASE, "--head", "HEAD")
    return nx.command(name, place, "show", "projects", *change, "--json", isolated=isolated)


def _names(runs: Runs) -> list[str]:
    """The sorted answer of all runs. Raises AnswersDifferError when it is no list of names."""
    answers = [_decoded(runs.command, run.output) for run in runs.runs]
    if any(answer != answers[0] for answer in answers):
        raise AnswersDifferError(f"{runs.command} does not answer the same in every run")
    return answers[0]


def _decoded(command: str, output: bytes) -> list[str]:
    try:
        names = json.loads(output)
        return sorted(str(name) for name in names)
    except (ValueError, TypeError) as error:
        raise AnswersDifferError(
            f"{command} did not print a list of names: {output[:200]!r}"
        ) from error
