"""A simulated pipeline as text and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ciforge import __version__
from ciforge.report.plan import Style
from ciforge.simulate.durations import UNKNOWN
from ciforge.simulate.model import Event, Pipeline
from ciforge.simulate.schedule import Fleet, Schedule, Slot
from ciforge.simulate.variables import is_own
from ciforge.text import escape

FORMAT_VERSION = 1

_REFUSALS = {
    "error": "GitLab refuses this pipeline",
    "empty": "GitLab makes no pipeline",
    "no_pipeline_workflow": "GitLab makes no pipeline",
}


@dataclass(frozen=True)
class Simulation:
    """The answer to one event. `planned` is empty unless the pipeline is created."""

    file: str
    event: Event
    pipeline: Pipeline
    planned: Schedule
    fleet: Fleet

    @property
    def is_created(self) -> bool:
        return self.pipeline.status == "created"

    @property
    def running(self) -> list[Slot]:
        return [slot for slot in self.planned.slots if slot.state == "runs"]

    @property
    def resting(self) -> list[Slot]:
        return [slot for slot in self.planned.slots if slot.state != "runs"]

    @property
    def assumed(self) -> list[str]:
        """The jobs that run and whose duration nobody measured."""
        return [slot.job.name for slot in self.running if not slot.known]

    @property
    def queued(self) -> float:
        """Seconds that jobs spend waiting for a runner or their resource group, added up."""
        return sum((slot.start or 0) - (slot.ready or 0) for slot in self.running)


def clock(seconds: float) -> str:
    """`0:05`, `12:30`, `1:02:03`."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def headline(simulation: Simulation) -> str:
    """The answer in one line."""
    pipeline = simulation.pipeline
    if not simulation.is_created:
        why = pipeline.reason or count(len(pipeline.errors), "error")
        return f"{_REFUSALS[pipeline.status]}: {escape(why)}"
    fleet = simulation.fleet
    jobs, running = len(pipeline.jobs), len(simulation.running)
    how_many = count(jobs, "job") + ("" if jobs == running else f", {running:,} of them run")
    return (
        f"{how_many}: {clock(simulation.planned.duration)} on {count(fleet.runners, 'runner')} "
        f"and {count(fleet.gpu, 'GPU runner')}"
    )


def as_text(simulation: Simulation, style: Style) -> Iterator[str]:
    """For a terminal."""
    pipeline, planned = simulation.pipeline, simulation.planned
    yield style(headline(simulation), "bold" if simulation.is_created else "red")
    for error in pipeline.errors:
        yield f"  {escape(error)}"
    if planned.critical_path:
        chain = " → ".join(map(escape, planned.critical_path))
        yield f"  critical path  {clock(planned.critical_seconds)}  {chain}"
    if simulation.queued:
        yield f"  waiting for a runner or a resource group  {clock(simulation.queued)} in all"
    if simulation.assumed:
        names = ", ".join(map(escape, simulation.assumed[:5]))
        more = len(simulation.assumed) - 5
        yield (
            f"  no duration is known, {UNKNOWN:.0f} s assumed  {names}"
            + (f" and {more} more" if more > 0 else "")
        )
    if planned.slots:
        yield ""
        yield from _table(
            ["job", "stage", "when", "start", "end", "runner"], _rows(simulation), style
        )
    if pipeline.left_out:
        yield ""
        yield style("left out", "bold")
        rows = [[left.name, left.stage, left.reason] for left in pipeline.left_out]
        yield from _table(["job", "stage", "why"], rows, style)


def _rows(simulation: Simulation) -> Iterator[list[str]]:
    for slot in simulation.planned.slots:
        job = slot.job
        when = f"{job.when}, may fail" if job.allow_failure else job.when
        if slot.start is None or slot.end is None:
            yield [job.name, job.stage, when, slot.state, "", slot.why]
        else:
            runner = slot.runner or "GitLab"
            yield [job.name, job.stage, when, clock(slot.start), clock(slot.end), runner]


def _table(
    head: Sequence[str], rows: Iterator[list[str]] | list[list[str]], style: Style
) -> Iterator[str]:
    cells = [[escape(cell) for cell in row] for row in rows]
    widths = [min(max(len(row[i]) for row in [list(head), *cells]), 60) for i in range(len(head))]
    for number, row in enumerate([list(head), *cells]):
        line = "  ".join(
            f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        yield f"  {line if number else style(line, 'dim')}"


def as_json(simulation: Simulation) -> dict[str, Any]:
    """The same content. Of the user's own variables only the names: values may be secrets."""
    pipeline, planned, event = simulation.pipeline, simulation.planned, simulation.event
    return {
        "version": FORMAT_VERSION,
        "ciforge": __version__,
        "file": simulation.file,
        "event": {
            "variables": {n: v for n, v in event.variables.items() if is_own(n)},
            "own_variables": sorted(n for n in event.variables if not is_own(n)),
            "changed": None if event.changed is None else list(event.changed),
        },
        "status": pipeline.status,
        "reason": pipeline.reason,
        "errors": list(pipeline.errors),
        "auto_cancel": dict(pipeline.auto_cancel),
        "stages": list(pipeline.stages),
        "jobs": [_job(slot) for slot in planned.slots],
        "left_out": [
            {"name": left.name, "stage": left.stage, "reason": left.reason}
            for left in pipeline.left_out
        ],
        "runners": simulation.fleet.runners,
        "gpu_runners": simulation.fleet.gpu,
        "gpu_tags": sorted(simulation.fleet.gpu_tags),
        "duration": planned.duration,
        "critical_path": {"jobs": list(planned.critical_path), "seconds": planned.critical_seconds},
        "queued": simulation.queued,
        "assumed": {"seconds": UNKNOWN, "jobs": simulation.assumed},
    }


def _job(slot: Slot) -> Mapping[str, Any]:
    job = slot.job
    return {
        "name": job.name,
        "stage": job.stage,
        "when": job.when,
        "allow_failure": job.allow_failure,
        "needs": None if job.needs is None else [need.job for need in job.needs],
        "tags": list(job.tags),
        "resource_group": job.resource_group,
        "trigger": job.is_trigger,
        "rule": job.rule,
        "state": slot.state,
        "why": slot.why,
        "duration": slot.duration,
        "known": slot.known,
        "ready": slot.ready,
        "start": slot.start,
        "end": slot.end,
        "runner": slot.runner,
    }
