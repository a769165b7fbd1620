"""What GitLab would do with a child pipeline that ciforge generates."""

from __future__ import annotations

import pytest

from ciforge.gitlab_ci.document import resolve
from ciforge.lint import lint
from ciforge.pipeline.child import child_pipeline
from ciforge.plan.model import Plan
from ciforge.simulate.creation import create
from ciforge.simulate.durations import Durations
from ciforge.simulate.events import PRESETS, completed
from ciforge.simulate.model import Event, Pipeline
from ciforge.simulate.schedule import Fleet, Schedule, schedule
from tests.pipeline.plans import FULL, plan


def made(text: str, event: str) -> Pipeline:
    return create(resolve(text, "child.yml"), Event(completed(PRESETS[event])))


def run(pipeline: Pipeline, *, play: bool = False) -> Schedule:
    return schedule(
        pipeline.jobs,
        pipeline.stages,
        Durations(),
        Fleet(gpu_tags=frozenset({"gpu"})),
        play=play,
    )


@pytest.mark.parametrize("event", PRESETS)
@pytest.mark.parametrize("work", [FULL, plan()], ids=["everything", "nothing"])
def test_every_event_gets_a_pipeline(work: Plan, event: str) -> None:
    text = child_pipeline(work, {"plan.json": b"{}"}).decode()
    assert lint("child.yml", text) == []
    pipeline = made(text, event)
    assert (pipeline.status, pipeline.errors) == ("created", ())


def test_a_merge_request_builds_and_asks_but_does_not_deploy() -> None:
    text = child_pipeline(FULL, {"plan.json": b"{}"}).decode()
    on_main, on_request = (
        {job.name for job in made(text, event).jobs} for event in ("main_child", "mr_child")
    )
    assert on_request < on_main
    assert {name.split()[0] for name in on_main - on_request} == {"deploy"}


def test_no_deploy_starts_before_every_smoke_suite_is_over() -> None:
    planned = run(
        made(child_pipeline(FULL, {"plan.json": b"{}"}).decode(), "main_child"), play=True
    )
    slots = {slot.job.name: slot for slot in planned.slots}
    smoked = max(s.end or 0 for name, s in slots.items() if name.startswith("smoke"))
    deploys = [s for name, s in slots.items() if name.startswith("deploy")]
    assert deploys
    assert all(s.start is not None and s.start >= smoked for s in deploys)
    assert (slots["smoke gpu"].runner or "").startswith("gpu")


def test_production_waits_for_a_person() -> None:
    planned = run(made(child_pipeline(FULL, {"plan.json": b"{}"}).decode(), "main_child"))
    production = next(s for s in planned.slots if s.job.name == "deploy production")
    assert (production.state, production.job.allow_failure) == ("manual", False)
