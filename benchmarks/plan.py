"""`ciforge plan` with all digests, in a workspace of many services, against its budget."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass

from benchmarks.cache import LOCKFILE_BASE, SOURCE_BASE, Workspace, workspace
from benchmarks.measure import Command, Runs, in_turn
from benchmarks.program import ciforge
from benchmarks.shape import Shape

FILES_PER_PROJECT = 20
SOURCE = "source change"
LOCKFILE = "source and lockfile change"

# Seconds for 1,000 projects and 20,000 files; other sizes have as much for each project.
BUDGET = 1.5


class PlanFailedError(Exception):
    """A plan that is not what this workspace must give."""


@dataclass(frozen=True)
class Planned:
    """One size; `actions` counts the services of each action, by change."""

    projects: int
    files: int
    services: int
    actions: dict[str, dict[str, int]]
    runs: dict[str, Runs]

    @property
    def budget(self) -> float:
        return BUDGET * max(self.projects, 1000) / 1000

    def as_json(self) -> dict[str, object]:
        return {
            "projects": self.projects,
            "files": self.files,
            "services": self.services,
            "budget_seconds": self.budget,
            "actions": self.actions,
            "runs": {name: runs.as_json() for name, runs in self.runs.items()},
        }


def measure_plan(projects: int, rounds: int) -> Planned:
    """Raises PlanFailedError when services are missing or the bytes differ between runs."""
    place = workspace(Shape(projects, FILES_PER_PROJECT, pnpm=True))
    changes = {SOURCE: SOURCE_BASE, LOCKFILE: LOCKFILE_BASE}
    runs = in_turn([_plan(name, place, base) for name, base in changes.items()], rounds)
    actions = {name: _actions(place, found) for name, found in runs.items()}
    services = projects // 10
    for name, counts in actions.items():
        if sum(counts.values()) != services:
            raise PlanFailedError(f"{name}: {counts} where {services} services are expected")
    return Planned(projects, projects * FILES_PER_PROJECT, services, actions, runs)


def _plan(name: str, place: Workspace, base: str) -> Command:
    options = ("--graph", str(place.graph), "--base", base, "--offline", "--format", "json")
    return ciforge(name, place.path, "plan", *options)


def _actions(place: Workspace, runs: Runs) -> dict[str, int]:
    if not runs.stable:
        raise PlanFailedError(f"{runs.command}: other bytes in another run, in {place.path}")
    plan = json.loads(runs.output)
    return dict(sorted(Counter(service["action"] for service in plan["services"]).items()))
