"""`python -m benchmarks`: measures, checks the answers, prints tables, writes JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import ciforge
from benchmarks import nx
from benchmarks.affected import Affected, AnswersDifferError, measure_affected
from benchmarks.cache import cache_folder
from benchmarks.measure import CommandFailedError
from benchmarks.pipeline import Generated, measure_pipeline
from benchmarks.plan import PlanFailedError, Planned, measure_plan
from benchmarks.program import Startup, measure_startup
from benchmarks.shape import AREA
from benchmarks.stations import BuildDiffersError, NoEngineError, Stations, measure_stations
from benchmarks.table import affected_lines, pipeline_lines, plan_lines, stations_lines

_SIZES = (100, 1_000, 5_000, 10_000)
_QUICK_SIZES = (100, 1_000)
_PLAN_SIZES = (1_000, 2_000)
_PIPELINE_SIZES = (1_000, 5_000)
_WHAT = ("affected", "plan", "pipeline", "stations")
_FAILURES = (
    AnswersDifferError,
    BuildDiffersError,
    PlanFailedError,
    CommandFailedError,
    NoEngineError,
    nx.GraphDiffersError,
    OSError,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 1 when an answer is wrong or a command fails; slowness is shown, not judged."""
    arguments = _parse(argv)
    rounds = 1 if arguments.quick else arguments.runs
    sizes = arguments.projects or (_QUICK_SIZES if arguments.quick else _SIZES)
    plan_sizes = arguments.projects or (_PLAN_SIZES[:1] if arguments.quick else _PLAN_SIZES)
    what = arguments.what or _WHAT
    affected: list[Affected] = []
    plans: list[Planned] = []
    startup: Startup | None = None
    pipelines: list[Generated] = []
    stations: Stations | None = None
    compared = None
    code = 0
    try:
        if "affected" in what:
            compared = _nx()
            _say("start-up")
            cache_folder().mkdir(parents=True, exist_ok=True)
            startup = measure_startup(cache_folder(), max(rounds, 3))
            for size in sizes:
                _say(f"affected, {size:,} projects")
                affected.append(measure_affected(size, rounds, compared))
        if "plan" in what:
            for size in plan_sizes:
                _say(f"plan, {size:,} projects")
                plans.append(measure_plan(size, rounds))
        if "pipeline" in what:
            for size in _PIPELINE_SIZES[:1] if arguments.quick else _PIPELINE_SIZES:
                _say(f"pipeline, {size:,} affected services")
                pipelines += measure_pipeline(size, rounds)
        if "stations" in what:
            stations = _stations(rounds, named=bool(arguments.what))
    except _FAILURES as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        code = 1
    version = nx.VERSION if compared else None
    machine = _machine()
    print(f"ciforge {ciforge.__version__}, Nx {version or 'not measured'}, {machine}, ", end="")
    print(f"runs: {rounds}")
    if startup:
        print("\nstart-up: medians of whole processes\n", *startup.lines(), sep="\n")
    if affected:
        print("", *affected_lines(affected), sep="\n")
    if plans:
        print("", *plan_lines(plans), sep="\n")
    if pipelines:
        print("", *pipeline_lines(pipelines), sep="\n")
    if stations:
        print("", *stations_lines(stations), sep="\n")
    if arguments.json:
        document = {
            "version": 1,
            "ciforge": ciforge.__version__,
            "nx": version,
            "machine": machine,
            "rounds": rounds,
            "passed": code == 0,
            "startup": startup.as_json() if startup else None,
            "affected": [result.as_json() for result in affected],
            "plan": [result.as_json() for result in plans],
            "pipeline": [result.as_json() for result in pipelines],
            "stations": stations.as_json() if stations else None,
        }
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")
    return code


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures whole processes: ciforge affected beside Nx, ciforge plan, "
        "and ciforge build beside Docker's own.",
        epilog="Workspaces and Nx are made once, in the cache folder "
        "($XDG_CACHE_HOME or ~/.cache)/ciforge/bench; remove it to start anew.",
    )
    parser.add_argument("what", nargs="*", metavar="WHAT", help=f"{', '.join(_WHAT)}; default: all")
    parser.add_argument(
        "--projects",
        type=_sizes,
        metavar="N,N",
        help=f"sizes, multiples of {AREA}; default: {','.join(map(str, _SIZES))} for affected, "
        f"{','.join(map(str, _PLAN_SIZES))} for plan",
    )
    parser.add_argument("--runs", type=_positive, default=3, metavar="N", help="default: 3")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--quick", action="store_true", help="one run, no large workspace")
    arguments = parser.parse_args(argv)
    unknown = sorted(set(arguments.what) - set(_WHAT))
    if unknown:
        parser.error(f"nothing is called {', '.join(unknown)}; there are {', '.join(_WHAT)}")
    return arguments


def _sizes(text: str) -> tuple[int, ...]:
    sizes = tuple(sorted({int(part) for part in text.split(",")}))
    if any(size <= 0 or size % AREA for size in sizes):
        raise argparse.ArgumentTypeError(f"each size must be a multiple of {AREA}")
    # The change of each workspace lies in its second and third area.
    if sizes[0] < 3 * AREA:
        raise argparse.ArgumentTypeError(f"the smallest size is {3 * AREA}")
    return sizes


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least one run")
    return number


def _nx() -> nx.Nx | None:
    try:
        _say(f"Nx {nx.VERSION}")
        return nx.find_nx()
    except nx.NoNxError as error:
        print(f"benchmarks: only ciforge is measured: {error}", file=sys.stderr)
        return None


def _stations(rounds: int, *, named: bool) -> Stations | None:
    """None without an engine, unless just this was asked for: that is a failure."""
    try:
        return measure_stations(rounds, _say)
    except NoEngineError as error:
        if named:
            raise
        print(f"benchmarks: stations are left out: {error}", file=sys.stderr)
        return None


def _machine() -> str:
    return f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} CPUs"


def _say(what: str) -> None:
    print(f"… {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
