"""What GitLab would refuse in a generated pipeline, and whose words are at fault."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from ciforge.config.delivery import Pipeline
from ciforge.gitlab_ci.document import resolve
from ciforge.gitlab_ci.include import Files
from ciforge.lint import Finding, lint
from ciforge.simulate.creation import create
from ciforge.simulate.events import PRESETS, completed
from ciforge.simulate.model import Event

_SOURCE = {"CI_PIPELINE_SOURCE": "parent_pipeline"}
_EVENTS = {
    "the default branch": PRESETS["main_child"],
    "a merge request": PRESETS["mr_child"],
    "a tag": {**PRESETS["tag"], **_SOURCE},
    "another branch": {**PRESETS["push_branch"], **_SOURCE},
}
_CONDITIONS = frozenset({"rules", "only", "except"})


def findings(content: bytes, files: Files | None = None) -> list[Finding]:
    """In the order of its lines; `files` are those that `pipeline.include` names."""
    return lint("child.yml", content.decode(), files)


def refusals(content: bytes, files: Files | None = None) -> Iterator[tuple[str, str]]:
    """Kinds of pipelines that GitLab would not create, with its words.

    A job that needs one which the rules leave out is no fault of the file, only of the pipeline.
    Variables that only the project's settings know count as not set. `content` passes the lint.
    """
    document = resolve(content.decode(), "child.yml", files)
    for name, variables in _EVENTS.items():
        made = create(document, Event(completed(variables)))
        yield from ((name, error) for error in made.errors)


def has_conditions(pipeline: Pipeline) -> bool:
    """Whether the user's words may leave jobs out."""
    jobs = (pipeline.defaults, *pipeline.jobs.values(), *pipeline.extra_jobs.values())
    return bool(pipeline.include) or any(job.keys() & _CONDITIONS for job in jobs)


def blame(finding: Finding, pipeline: Pipeline) -> str | None:
    """The keys of ciforge.yaml that had a say in what was found; None: ciforge alone did it."""
    job = finding.job
    if job is not None and job in pipeline.extra_jobs:
        return f"pipeline.extra_jobs.{job}"
    suspects = [f"pipeline.jobs.{p!r}" for p in pipeline.jobs if job and fnmatchcase(job, p)]
    if not suspects and job is None:
        keys = ("stages", "include", "extra_jobs")
        suspects = [f"pipeline.{key}" for key in keys if getattr(pipeline, key)]
    if not suspects and pipeline.defaults:
        suspects = ["pipeline.defaults"]
    if not suspects and pipeline.gates:
        suspects = ["pipeline.gates"]
    if not suspects and finding.file != "child.yml":
        suspects = ["pipeline.include"]
    return " or ".join(suspects) or None
