"""When the jobs of a pipeline would run, on so many runners, if every one of them succeeds.

A job starts once what it waits for is over: its needs, or without `needs` every job of the
stages before. Free runners take jobs in the order in which GitLab created them. A manual job
that nobody starts holds up the stages after it unless it may fail; what needs it is skipped
until somebody does. Source: GitLab's atomic processing of pipelines.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ciforge.simulate.critical_path import Link, critical_path
from ciforge.simulate.durations import UNKNOWN, Durations
from ciforge.simulate.model import Job

State = Literal["runs", "manual", "skipped", "waits"]


@dataclass(frozen=True)
class Fleet:
    """The runners. Jobs with one of `gpu_tags` run on the `gpu` ones only, others never."""

    runners: int = 4
    gpu: int = 1
    gpu_tags: frozenset[str] = frozenset({"gpu"})


@dataclass(frozen=True)
class Slot:
    """One job in time. Times are seconds from the pipeline's start.

    `ready` is when nothing but a runner or its resource group is missing. `start` and `end` are
    None unless the job runs; `why` says then what holds it. `runner` is None for trigger jobs,
    which GitLab runs itself. `known`: the duration was measured, not assumed.
    """

    job: Job
    state: State
    duration: float
    known: bool
    ready: float | None = None
    start: float | None = None
    end: float | None = None
    runner: str | None = None
    why: str = ""


@dataclass(frozen=True)
class Schedule:
    """`slots` in the order of creation. `critical_path` is the longest chain of jobs that wait
    for each other, `critical_seconds` its length: more runners make no pipeline shorter."""

    slots: tuple[Slot, ...]
    duration: float
    critical_path: tuple[str, ...]
    critical_seconds: float


def schedule(
    jobs: Sequence[Job],
    stages: Sequence[str],
    durations: Durations,
    fleet: Fleet,
    *,
    play: bool = False,
) -> Schedule:
    """Runs `jobs` on `fleet`. `play`: manual jobs are started as soon as they can be."""
    return _Run(jobs, stages, durations, fleet, play).run()


class _Run:
    def __init__(
        self,
        jobs: Sequence[Job],
        stages: Sequence[str],
        durations: Durations,
        fleet: Fleet,
        play: bool,
    ) -> None:
        self._jobs = jobs
        self._fleet = fleet
        self._play = play
        self._durations = [_duration(job, durations) for job in jobs]
        order = {stage: index for index, stage in enumerate(stages)}
        self._stage = [order[job.stage] for job in jobs]
        number = {job.name: index for index, job in enumerate(jobs)}
        self._needs = [
            None
            if job.needs is None
            else sorted({number[need.job] for need in job.needs if need.job in number})
            for job in jobs
        ]
        self._missing = [0 if needs is None else len(needs) for needs in self._needs]
        self._dependents: dict[int, list[int]] = defaultdict(list)
        for index, needs in enumerate(self._needs):
            for need in needs or ():
                self._dependents[need].append(index)
        self._open = [0] * (len(stages) + 1)
        self._by_stage: list[list[int]] = [[] for _ in stages]
        for index, stage in enumerate(self._stage):
            self._open[stage] += 1
            if self._needs[index] is None:
                self._by_stage[stage].append(index)
        self._reached = 0  # the first stage in which something is not over
        self._due: list[int] = []  # jobs before which everything is over

        self._now = 0.0
        self._events: list[tuple[float, int, str]] = []
        self._pending: dict[str, list[int]] = {"cpu": [], "gpu": []}
        self._free = {
            "cpu": list(range(1, fleet.runners + 1)),
            "gpu": list(range(1, fleet.gpu + 1)),
        }
        self._held: dict[str, int] = {}
        self._waiting: dict[str, list[int]] = defaultdict(list)
        self._states: dict[int, State] = {}
        self._why: dict[int, str] = {}
        self._ready: dict[int, float] = {}
        self._started: dict[int, tuple[float, int | None]] = {}
        self._sequence: list[int] = []  # jobs as they became ready, or passed without running

    def run(self) -> Schedule:
        self._due = [i for i, needs in enumerate(self._needs) if needs == []]
        self._settle()
        while self._events:
            self._now = self._events[0][0]
            while self._events and self._events[0][0] == self._now:
                _, index, kind = heapq.heappop(self._events)
                if kind == "delay":
                    self._make_ready(index)
                else:
                    self._finish(index)
            self._settle()
        slots = tuple(self._slot(index) for index in range(len(self._jobs)))
        path, seconds = critical_path(
            [Link(self._stage[i], self._needs[i], self._time(i), i) for i in self._sequence]
        )
        return Schedule(
            slots,
            max((slot.end or 0.0 for slot in slots), default=0.0),
            tuple(self._jobs[index].name for index in path if index in self._started),
            seconds,
        )

    def _settle(self) -> None:
        """Decides on every job whose time has come, and gives free runners to the next ones."""
        while True:
            while self._due:
                self._decide(heapq.heappop(self._due))
            if self._reached == len(self._by_stage):
                break
            if waiting := self._by_stage[self._reached]:
                self._due, self._by_stage[self._reached] = waiting, []
            elif self._open[self._reached]:
                break
            else:
                self._reached += 1
        for pool, pending in self._pending.items():
            while pending and self._free[pool]:
                self._start(heapq.heappop(pending), heapq.heappop(self._free[pool]))

    def _decide(self, index: int) -> None:
        """What becomes of a job once everything before it is over."""
        job = self._jobs[index]
        held_by = [n for n in self._needs[index] or () if self._states[n] != "runs"]
        if job.when == "on_failure":
            self._over(index, "skipped", "runs only when a job before it fails")
        elif held_by and job.when != "always":
            need = held_by[0]
            self._over(
                index, "skipped", f"needs {self._jobs[need].name}, which is {self._states[need]}"
            )
        elif job.when == "manual" and not self._play:
            if job.allow_failure:
                self._over(index, "manual", "somebody has to start it")
            else:
                self._states[index] = "manual"
                self._why[index] = "somebody has to start it; the pipeline waits for it"
        elif delay := self._delay(index):
            heapq.heappush(self._events, (self._now + delay, index, "delay"))
        else:
            self._make_ready(index)

    def _make_ready(self, index: int) -> None:
        self._ready[index] = self._now
        self._sequence.append(index)
        group = self._jobs[index].resource_group
        if group is None or group not in self._held:
            self._acquire(index)
        else:
            heapq.heappush(self._waiting[group], index)

    def _acquire(self, index: int) -> None:
        job = self._jobs[index]
        if job.resource_group is not None:
            self._held[job.resource_group] = index
        if job.is_trigger:
            self._start(index, None)
        else:
            heapq.heappush(self._pending[self._pool(job)], index)

    def _pool(self, job: Job) -> str:
        return "gpu" if self._fleet.gpu_tags.intersection(job.tags) else "cpu"

    def _start(self, index: int, runner: int | None) -> None:
        self._started[index] = (self._now, runner)
        heapq.heappush(self._events, (self._now + self._durations[index][0], index, "end"))

    def _finish(self, index: int) -> None:
        job = self._jobs[index]
        runner = self._started[index][1]
        if runner is not None:
            heapq.heappush(self._free[self._pool(job)], runner)
        if job.resource_group is not None:
            del self._held[job.resource_group]
            if queue := self._waiting[job.resource_group]:
                self._acquire(heapq.heappop(queue))
        self._over(index, "runs")

    def _over(self, index: int, state: State, why: str = "") -> None:
        """Nothing waits for this job any longer."""
        self._states[index] = state
        self._why[index] = why
        if state != "runs":
            self._sequence.append(index)
        self._open[self._stage[index]] -= 1
        for dependent in self._dependents[index]:
            self._missing[dependent] -= 1
            if not self._missing[dependent]:
                heapq.heappush(self._due, dependent)

    def _delay(self, index: int) -> float:
        job = self._jobs[index]
        return job.start_in if job.when == "delayed" else 0

    def _time(self, index: int) -> float:
        """Seconds from the start of everything that a job waits for to its own end."""
        return self._delay(index) + self._durations[index][0] if index in self._started else 0.0

    def _slot(self, index: int) -> Slot:
        job = self._jobs[index]
        duration, known = self._durations[index]
        ready = self._ready.get(index)
        if index not in self._started:
            state = self._states.get(index, "waits")
            why = self._why.get(index) or self._holder(index)
            return Slot(job, state, duration, known, ready, why=why)
        start, number = self._started[index]
        runner = None if number is None else str(number)
        if runner and self._pool(job) == "gpu":
            runner = f"gpu {runner}"
        return Slot(job, "runs", duration, known, ready, start, start + duration, runner)

    def _holder(self, index: int) -> str:
        """What keeps a job from starting for ever."""
        job = self._jobs[index]
        if index in self._pending[self._pool(job)]:
            tags = sorted(self._fleet.gpu_tags.intersection(job.tags))
            return f"no runner with the tag {tags[0]}" if tags else "no runner"
        if index in self._ready:
            return f"the resource group {job.resource_group} stays taken"
        needs = self._needs[index]
        for other in range(len(self._jobs)) if needs is None else needs:
            if needs is None and self._stage[other] >= self._stage[index]:
                continue
            if other not in self._states:
                return f"waits for {self._jobs[other].name}, which waits too"
            if self._states[other] == "manual" and not self._jobs[other].allow_failure:
                return f"waits for {self._jobs[other].name}, which is manual"
        return "waits"


def _duration(job: Job, durations: Durations) -> tuple[float, bool]:
    """Seconds, and whether they are known. A trigger that waits for no child takes no time."""
    found = durations.of(job.name, job.base)
    if found is not None:
        return found, True
    return (0.0, True) if job.is_trigger and not job.waits_for_child else (UNKNOWN, False)
