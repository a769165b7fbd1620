"""What GitLab would refuse in a generated pipeline, and whose words are at fault."""

from __future__ import annotations

from fnmatch import fnmatchcase

from ciforge.config.model import Pipeline
from ciforge.gitlab_ci.include import Files
from ciforge.lint import Finding, lint


def findings(content: bytes, files: Files | None = None) -> list[Finding]:
    """In the order of its lines; `files` are those that `pipeline.include` names."""
    return lint("child.yml", content.decode(), files)


def blame(finding: Finding, pipeline: Pipeline) -> str | None:
    """The keys of ciforge.yaml that had a say in what was found; None: ciforge alone did it."""
    job = finding.job
    if job is not None and job in pipeline.extra_jobs:
        return f"pipeline.extra_jobs.{job}"
    suspects = [f"pipeline.jobs.{p!r}" for p in pipeline.jobs if job and fnmatchcase(job, p)]
    if not suspects and job is None:
        suspects = [f"pipeline.{key}" for key in ("stages", "include") if getattr(pipeline, key)]
    if not suspects and pipeline.defaults:
        suspects = ["pipeline.defaults"]
    if not suspects and pipeline.gates:
        suspects = ["pipeline.gates"]
    if not suspects and finding.file != "child.yml":
        suspects = ["pipeline.include"]
    return " or ".join(suspects) or None
