"""Values of each keyword that GitLab takes and refuses, as its source says (release line 18.11).

`data/keywords.json` has them by kind: keywords of a job, of a trigger job, whole files, and the
local files that those include.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ciforge.lint import lint
from tests.gitlab_ci.verdicts import Fixtures

CASES = json.loads((Path(__file__).with_name("data") / "keywords.json").read_text())
INCLUDED = Fixtures(CASES.pop("included"))
AROUND = {
    "job": (
        "stages: [build, test, deploy]\n"
        "a: {{stage: build, script: [x]}}\n"
        "j:\n  stage: test\n  script: [x]\n  {}\n"
    ),
    "trigger job": (
        "stages: [build, test]\n"
        "a: {{stage: build, script: [x], artifacts: {{paths: [c.yml]}}}}\n"
        "j:\n  stage: test\n  {}\n"
    ),
    "file": "{}",
}


def is_taken(kind: str, text: str) -> bool:
    return not lint("ci.yml", AROUND[kind].format(text), INCLUDED)


@pytest.mark.parametrize("kind", CASES)
def test_what_gitlab_takes(kind: str) -> None:
    assert [text for text in CASES[kind]["taken"] if not is_taken(kind, text)] == []


@pytest.mark.parametrize("kind", CASES)
def test_what_gitlab_refuses(kind: str) -> None:
    assert [text for text in CASES[kind]["refused"] if is_taken(kind, text)] == []
