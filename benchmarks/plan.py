"""`ciforge plan` with all digests, in a workspace of many services, against its budget."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cache import LOCKFILE_BASE, SOURCE_BASE, Workspace, workspace
from benchmarks.measure import Command, Runs, in_turn, ratio
from benchmarks.program import ciforge
from benchmarks.shape import Shape

FILES_PER_PROJECT = 20
SOURCE = "source change"
LOCKFILE = "source and lockfile change"
REUSED = "source change, graph proved"

# Seconds for 1,000 projects and 20,000 files; other sizes have as much for each project.
BUDGET = 1.5


class PlanFailedError(Exception):
    """A plan that is not what this workspace must give."""


@dataclass(frozen=True)
class Planned:
    """One size; `actions` counts the services of each action, by change.

    `kept`: seconds that it takes to keep a graph for the first time, in this process.
    """

    projects: int
    files: int
    services: int
    actions: dict[str, dict[str, int]]
    runs: dict[str, Runs]
    kept: float

    @property
    def budget(self) -> float:
        return BUDGET * max(self.projects, 1000) / 1000

    @property
    def proof(self) -> float:
        """How many times as long the plan takes when it first proves that a graph holds."""
        return ratio(self.runs[REUSED], self.runs[SOURCE])

    def as_json(self) -> dict[str, object]:
        return {
            "projects": self.projects,
            "files": self.files,
            "services": self.services,
            "budget_seconds": self.budget,
            "proof_ratio": round(self.proof, 2),
            "kept_seconds": round(self.kept, 2),
            "actions": self.actions,
            "runs": {name: runs.as_json() for name, runs in self.runs.items()},
        }


def measure_plan(projects: int, rounds: int) -> Planned:
    """Raises PlanFailedError when services are missing or the bytes differ between runs."""
    place = workspace(Shape(projects, FILES_PER_PROJECT, pnpm=True))
    graph = ("--graph", str(place.graph))
    folder, kept = _cached_graph(place)
    cache = ("--graph-cache", str(folder))
    runs = in_turn(
        [
            _plan(SOURCE, place, SOURCE_BASE, graph),
            _plan(REUSED, place, SOURCE_BASE, cache),
            _plan(LOCKFILE, place, LOCKFILE_BASE, graph),
        ],
        rounds,
    )
    if json.loads(runs[REUSED].output)["graph"]["source"] != "cache":
        raise PlanFailedError(f"{REUSED}: the graph was not reused, in {place.path}")
    actions = {name: _actions(place, found) for name, found in runs.items()}
    services = projects // 10
    for name, counts in actions.items():
        if sum(counts.values()) != services:
            raise PlanFailedError(f"{name}: {counts} where {services} services are expected")
    return Planned(projects, projects * FILES_PER_PROJECT, services, actions, runs, kept)


def _cached_graph(place: Workspace) -> tuple[Path, float]:
    """A cache that was made when the body of one source file was another; in how many seconds."""
    from ciforge.collect.graph_cache import keep
    from ciforge.collect.snapshot import take_snapshot
    from ciforge.collect.workspace import Root

    cache = place.folder / "graph-cache"
    shutil.rmtree(cache, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="ciforge-bench-") as scratch:
        earlier = Path(scratch, "workspace")
        clone = ["git", "clone", "--quiet", "--shared", str(place.path), str(earlier)]
        subprocess.run(clone, check=True, capture_output=True)
        source = min(earlier.glob("libs/*/*/src/lib/*.ts"))
        source.write_text(f"{source.read_text()}\nexport const earlier = 1;\n")
        root = Root(earlier)
        snapshot = take_snapshot(root, cache)
        started = time.perf_counter()
        note = keep(root, cache, place.graph.read_bytes(), snapshot, None)
        seconds = time.perf_counter() - started
        if note is not None:
            raise PlanFailedError(note)
    return cache, seconds


def _plan(name: str, place: Workspace, base: str, graph: tuple[str, str]) -> Command:
    options = (*graph, "--base", base, "--offline", "--format", "json")
    return ciforge(name, place.path, "plan", *options)


def _actions(place: Workspace, runs: Runs) -> dict[str, int]:
    if not runs.stable:
        raise PlanFailedError(f"{runs.command}: other bytes in another run, in {place.path}")
    plan = json.loads(runs.output)
    return dict(sorted(Counter(service["action"] for service in plan["services"]).items()))
