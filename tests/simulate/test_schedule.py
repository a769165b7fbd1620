"""The order of jobs on runners: examples worked out by hand, and what holds for every pipeline."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from ciforge.simulate.durations import Durations
from ciforge.simulate.model import Job, Need
from ciforge.simulate.schedule import Fleet, Schedule, schedule

STAGES = ("build", "test", "deploy")


def job(name: str, stage: str = "build", needs: str | None = None, **keys: object) -> Job:
    wanted = None if needs is None else tuple(Need(n) for n in needs.split())
    return Job(name, name, stage, needs=wanted, **keys)  # type: ignore[arg-type]


def run(
    jobs: list[Job],
    seconds: dict[str, float],
    runners: int = 4,
    gpu: int = 1,
    *,
    play: bool = False,
) -> Schedule:
    return schedule(jobs, STAGES, Durations(seconds), Fleet(runners, gpu), play=play)


def times(planned: Schedule) -> dict[str, tuple[float | None, float | None, str | None]]:
    return {slot.job.name: (slot.start, slot.end, slot.runner) for slot in planned.slots}


def states(planned: Schedule) -> dict[str, str]:
    return {slot.job.name: slot.state for slot in planned.slots}


def test_a_stage_waits_for_the_one_before_and_needs_do_not() -> None:
    planned = run(
        [
            job("a"),
            job("b"),
            job("after-a", "test", "a"),
            job("all", "test"),
            job("free", "deploy", ""),
            job("end", "deploy"),
        ],
        {"a": 10, "b": 30, "after-a": 5, "all": 7, "free": 1, "end": 2},
    )
    assert times(planned) == {
        "a": (0, 10, "1"),
        "b": (0, 30, "2"),
        "after-a": (10, 15, "1"),
        "all": (30, 37, "1"),
        "free": (0, 1, "3"),
        "end": (37, 39, "1"),
    }
    assert planned.duration == 39
    assert (planned.critical_path, planned.critical_seconds) == (("b", "all", "end"), 39)


def test_runners_are_few() -> None:
    planned = run([job(n) for n in "abcd"], {"a": 3, "b": 2, "c": 2, "d": 4}, runners=2)
    assert times(planned) == {
        "a": (0, 3, "1"),
        "b": (0, 2, "2"),
        "c": (2, 4, "2"),
        "d": (3, 7, "1"),
    }
    assert planned.duration == 7
    assert (planned.critical_path, planned.critical_seconds) == (("d",), 4)


def test_jobs_with_a_gpu_tag_have_their_own_runners() -> None:
    jobs = [job("cpu"), job("g1", tags=("linux", "gpu")), job("g2", tags=("gpu",))]
    planned = run(jobs, {"*": 5}, runners=1)
    assert times(planned) == {"cpu": (0, 5, "1"), "g1": (0, 5, "gpu 1"), "g2": (5, 10, "gpu 1")}
    without = run([*jobs, job("later", "test")], {"*": 5}, gpu=0)
    assert states(without) == {"cpu": "runs", "g1": "waits", "g2": "waits", "later": "waits"}
    assert [slot.why for slot in without.slots[1:]] == [
        "no runner with the tag gpu",
        "no runner with the tag gpu",
        "waits for g1, which waits too",
    ]


def test_a_resource_group_runs_one_job_at_a_time_in_the_order_of_creation() -> None:
    jobs = [job(n, resource_group="production") for n in ("one", "two", "three")]
    planned = run([*jobs, job("other")], {"*": 4})
    assert times(planned)["one"][:2] == (0, 4)
    assert times(planned)["two"][:2] == (4, 8)
    assert times(planned)["three"][:2] == (8, 12)
    assert times(planned)["other"] == (0, 4, "2")


def test_a_manual_job_that_may_fail_holds_up_only_what_needs_it() -> None:
    jobs = [
        job("review", when="manual", allow_failure=True),
        job("test", "test"),
        job("stop", "test", "review"),
        job("report", "test", "review", when="always"),
        job("end", "deploy"),
    ]
    planned = run(jobs, {"*": 1})
    assert states(planned) == {
        "review": "manual",
        "test": "runs",
        "stop": "skipped",
        "report": "runs",
        "end": "runs",
    }
    assert planned.slots[2].why == "needs review, which is manual"
    assert set(states(run(jobs, {"*": 1}, play=True)).values()) == {"runs"}


def test_a_manual_job_that_blocks_holds_up_the_stages_after_it() -> None:
    jobs = [
        job("approve", when="manual"),
        job("beside"),
        job("free", "test", "beside"),
        job("needing", "test", "approve", when="always"),
        job("next", "test"),
        job("last", "deploy"),
    ]
    planned = run(jobs, {"*": 1})
    assert states(planned) == {
        "approve": "manual",
        "beside": "runs",
        "free": "runs",
        "needing": "waits",
        "next": "waits",
        "last": "waits",
    }
    assert [slot.why for slot in planned.slots[3:]] == [
        "waits for approve, which is manual",
        "waits for approve, which is manual",
        "waits for approve, which is manual",
    ]


def test_a_job_for_failures_does_not_run_and_holds_up_nobody() -> None:
    planned = run([job("a"), job("mend", "test", when="on_failure"), job("z", "deploy")], {"*": 2})
    assert states(planned) == {"a": "runs", "mend": "skipped", "z": "runs"}
    assert planned.duration == 4


def test_a_delayed_job_keeps_no_runner_while_it_waits() -> None:
    planned = run(
        [job("late", when="delayed", start_in=100), job("now"), job("next", "test")],
        {"*": 10},
        runners=1,
    )
    assert times(planned) == {
        "late": (100, 110, "1"),
        "now": (0, 10, "1"),
        "next": (110, 120, "1"),
    }
    assert planned.critical_seconds == 120


def test_a_trigger_takes_no_runner_and_time_only_when_it_waits_for_the_child() -> None:
    planned = run(
        [
            job("fire", is_trigger=True),
            job("wait", is_trigger=True, waits_for_child=True),
            job("build"),
        ],
        {"wait": 50},
        runners=1,
    )
    assert times(planned) == {"fire": (0, 0, None), "wait": (0, 50, None), "build": (0, 60, "1")}
    assert [slot.known for slot in planned.slots] == [True, True, False]


def test_the_critical_path_goes_through_what_does_not_run() -> None:
    jobs = [
        job("slow"),
        job("review", when="manual", allow_failure=True),
        job("skipped", "test", "slow review"),
        job("report", "test", "skipped", when="always"),
    ]
    planned = run(jobs, {"slow": 50, "report": 5})
    assert (planned.critical_path, planned.critical_seconds) == (("slow", "report"), 55)


def test_a_need_that_is_not_there_is_not_waited_for() -> None:
    planned = run([job("a", "test", "missing"), job("b")], {"*": 1})
    assert times(planned)["a"] == (0, 1, "1")


def test_a_cycle_waits_and_ends() -> None:
    planned = run([job("a", needs="b"), job("b", needs="a"), job("c", "test")], {"*": 1})
    assert states(planned) == {"a": "waits", "b": "waits", "c": "waits"}
    assert planned.duration == 0


def test_three_thousand_jobs_in_a_row() -> None:
    names = [f"j{i}" for i in range(3_000)]
    jobs = [job(n, needs=before) for n, before in zip(names, ["", *names], strict=False)]
    planned = run([jobs[0], job(names[1], needs="j0", when="on_failure"), *jobs[2:]], {"*": 1})
    assert states(planned)["j2999"] == "skipped"
    assert run(jobs, {"*": 1}).duration == 3_000


def test_nothing_to_do() -> None:
    planned = run([], {})
    assert (planned.duration, planned.critical_path) == (0, ())


def _stage(job: Job) -> int:
    return STAGES.index(job.stage)


@st.composite
def pipelines(draw: st.DrawFn) -> tuple[list[Job], dict[str, float]]:
    size = draw(st.integers(0, 9))
    stages = sorted(draw(st.lists(st.integers(0, 2), min_size=size, max_size=size)))
    jobs: list[Job] = []
    for index, stage in enumerate(stages):
        earlier = [j.name for j in jobs]
        needs = draw(
            st.none() | st.lists(st.sampled_from(earlier), unique=True)
            if earlier
            else st.none() | st.just([])
        )
        jobs.append(
            Job(
                f"j{index}",
                f"j{index}",
                STAGES[stage],
                when=draw(
                    st.sampled_from(
                        ["on_success"] * 6 + ["always", "manual", "delayed", "on_failure"]
                    )
                ),
                needs=None if needs is None else tuple(Need(n) for n in needs),
                allow_failure=draw(st.booleans()),
                start_in=draw(st.integers(0, 20)),
                tags=draw(st.sampled_from([(), (), ("gpu",)])),
                resource_group=draw(st.sampled_from([None, None, "r", "s"])),
                is_trigger=draw(st.booleans()) and draw(st.booleans()),
                waits_for_child=draw(st.booleans()),
            )
        )
    return jobs, {j.name: draw(st.integers(0, 30)) for j in jobs}


@settings(max_examples=60, deadline=None)
@given(pipelines(), st.integers(1, 3), st.integers(1, 2), st.booleans())
def test_what_holds_for_every_pipeline(
    pipeline: tuple[list[Job], dict[str, float]], runners: int, gpu: int, play: bool
) -> None:
    jobs, seconds = pipeline
    planned = run(jobs, seconds, runners, gpu, play=play)
    assert planned == run(jobs, seconds, runners, gpu, play=play)
    slots = {slot.job.name: slot for slot in planned.slots}
    assert [*slots] == [j.name for j in jobs]
    ran = [slot for slot in planned.slots if slot.state == "runs"]
    assert all((slot.start is None) == (slot.state != "runs") for slot in planned.slots)
    assert all(slot.why for slot in planned.slots if slot.state != "runs")

    over: dict[str, float] = {}  # when nothing waits for a job any longer
    for slot in planned.slots:
        before = (
            [s for s in planned.slots if _stage(s.job) < _stage(slot.job)]
            if slot.job.needs is None
            else [slots[need.job] for need in slot.job.needs]
        )
        latest = max((over[s.job.name] for s in before), default=0.0)
        delay = slot.job.start_in if slot.job.when == "delayed" else 0
        if slot.state == "runs":
            assert slot.ready == latest + delay
        else:
            assert slot.job.when in ("manual", "on_failure") or any(
                s.state != "runs" for s in before
            )
        stays = slot.state == "waits" or (slot.state == "manual" and not slot.job.allow_failure)
        over[slot.job.name] = float("inf") if stays else slot.end or latest

    busy: dict[str, list[tuple[float, float]]] = {}
    for slot in ran:
        assert slot.start is not None and slot.end is not None and slot.ready is not None
        assert slot.end == slot.start + seconds[slot.job.name]
        assert slot.ready <= slot.start
        assert (slot.runner is None) == slot.job.is_trigger
        for name in (f"runner {slot.runner}", f"group {slot.job.resource_group}"):
            if not name.endswith("None"):
                busy.setdefault(name, []).append((slot.start, slot.end))
    for spans in busy.values():
        spans.sort()
        assert all(one[1] <= two[0] for one, two in pairwise(spans))
    assert len([n for n in busy if n.startswith("runner gpu")]) <= gpu
    assert len([n for n in busy if n.startswith("runner") and "gpu" not in n]) <= runners

    work = sum(
        seconds[s.job.name] + (s.job.start_in if s.job.when == "delayed" else 0) for s in ran
    )
    assert planned.critical_seconds <= planned.duration <= work
    assert planned.duration == max((s.end or 0 for s in ran), default=0)
    chain = [slots[name] for name in planned.critical_path]
    assert planned.critical_seconds == sum(
        seconds[s.job.name] + (s.job.start_in if s.job.when == "delayed" else 0) for s in chain
    )
