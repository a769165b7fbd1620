"""The jobs that GitLab itself would create, document by document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ciforge.gitlab_ci.document import Document, resolve
from ciforge.gitlab_ci.nodes import Refused
from ciforge.simulate.creation import create
from ciforge.simulate.durations import Durations
from ciforge.simulate.events import PRESETS, completed
from ciforge.simulate.model import Event
from ciforge.simulate.schedule import Fleet, schedule
from tests.gitlab_ci.verdicts import Case, cases

TREE = (
    "README.md",
    "nx.json",
    "package.json",
    "apps/api/Dockerfile",
    "apps/web/Dockerfile",
    "apps/api/project.json",
    "charts/api/Chart.yaml",
)
CHANGED = ("apps/api/main.py", "charts/api/values.yaml")
EVENTS = {name: completed(PRESETS.get(name, {})) for name in ("push_main", "mr_child", "tag")} | {
    "nothing": {}
}


def _answer(case: Case, variables: Mapping[str, str]) -> Any:
    document = resolve(case.text, case.name, case.files, variables=variables)
    _take_changes_for_true(document)
    pipeline = create(document, Event(variables, changed=CHANGED, files=TREE))
    if pipeline.status == "error":
        return {"error": list(pipeline.errors)}
    if pipeline.status != "created":
        return pipeline.status
    return {
        "created": [
            job.name if job.when == "on_success" else f"{job.name} [{job.when}]"
            for job in pipeline.jobs
        ]
    }


def _take_changes_for_true(document: Document) -> None:
    """The recording had changed files for `only:changes`, but no base for `rules:changes`.

    GitLab takes `rules:changes` without a base as true (`changes: {paths: [a]}` created its job
    though no changed file is called so), and the simulation does so where it knows no files.
    """
    for holder in (document.workflow or {}, *document.jobs.values()):
        for rule in _rules(holder.get("rules")):
            rule.pop("changes", None)


def _rules(rules: Any) -> list[dict[str, Any]]:
    if isinstance(rules, list):
        return [inner for rule in rules for inner in _rules(rule)]
    return [rules] if isinstance(rules, dict) else []


@pytest.mark.parametrize("event", EVENTS)
def test_every_recorded_answer(event: str) -> None:
    recorded = {case.name: case for case in cases() if case.answer(event) is not None}
    assert len(recorded) > 100
    wrong = {}
    for name, case in recorded.items():
        expected, answer = case.answer(event), _answer(case, EVENTS[event])
        if isinstance(expected, dict) and "created_count" in expected:
            answer = {"created_count": len(answer.get("created", ()))}
        if answer != expected:
            wrong[name] = (expected, answer)
    assert wrong == {}


def test_no_document_is_too_odd_to_be_simulated() -> None:
    """Also those that GitLab's parser refuses: the lint may let through what it should not."""
    variables = completed(PRESETS["mr"])
    simulated = 0
    for case in cases():
        try:
            document = resolve(case.text, case.name, case.files, variables=variables)
        except Refused:
            continue
        pipeline = create(document, Event(variables, changed=("x",), files=TREE))
        planned = schedule(pipeline.jobs, pipeline.stages, Durations(), Fleet())
        assert len(planned.slots) == len(pipeline.jobs)
        simulated += 1
    assert simulated > 500
