"""The score: what GitLab's own parser said to 591 documents, and what the lint says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from ciforge.lint import Finding, lint
from tests.gitlab_ci.verdicts import Case, cases


@dataclass(frozen=True)
class Linted:
    case: Case
    findings: list[Finding]


@pytest.fixture(scope="module")
def linted() -> Mapping[str, Linted]:
    return {case.name: Linted(case, lint(case.name, case.text, case.files)) for case in cases()}


def test_every_recorded_verdict(linted: Mapping[str, Linted]) -> None:
    missed, wronged = {}, {}
    for name, one in linted.items():
        if one.case.is_valid and not one.case.refused_at_creation:
            if one.findings:
                wronged[name] = one.findings
        elif not one.findings:
            missed[name] = one.case.messages
    assert len(linted) > 500
    assert missed == {}, "GitLab refuses these"
    assert wronged == {}, "GitLab takes these"


def test_broken_yaml_is_found_on_the_line_that_gitlab_names(linted: Mapping[str, Linted]) -> None:
    named = 0
    for name, one in linted.items():
        said = re.search(r" at line (\d+) ", " ".join(one.case.messages))
        if said is None or "<document start>" in one.case.messages[0]:
            continue  # for a missing start libyaml tells no line, and GitLab prints 1
        named += 1
        assert [finding.line for finding in one.findings] == [int(said[1])], name
    assert named > 10


def test_a_finding_names_the_job_that_gitlab_names(linted: Mapping[str, Linted]) -> None:
    """`jobs:name:keyword …` and `name job: …`; names with a colon can't be told apart there."""
    other = {}
    for name, one in linted.items():
        said = re.match(r"jobs:([^: ]+)(?=[: ])|([^ :]+) job: ", " ".join(one.case.messages[:1]))
        job = said and (said[1] or said[2])
        if job and job not in ("job", "true", "42", "a") and one.findings[0].job != job:
            other[name] = (job, one.findings)
    assert other == {}
