"""ciforge lint, from the command line to the exit code."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ciforge, refused

ROOT = Path(__file__).parents[2]
BROKEN = "j:\n  script: x\n  tags: docker\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yml").write_text("j: {script: x}\n")
    (tmp_path / "bad.yml").write_text(BROKEN)
    return tmp_path


def test_a_valid_file(folder: Path) -> None:
    said = ciforge("lint", "good.yml")
    assert (said.code, said.out) == (0, "valid: 1 file, nothing to refuse\n")


def test_findings_in_text(folder: Path) -> None:
    said = ciforge("lint", "good.yml", "bad.yml")
    assert said.code == 1
    assert said.out == (
        "bad.yml:3: [wrong-type] j: tags should be an array of strings\n"
        "  write an array of strings\n"
        "invalid: 1 finding in 1 of 2 files\n"
    )


def test_findings_in_json(folder: Path) -> None:
    said = ciforge("lint", "good.yml", "bad.yml", "--format", "json")
    assert said.code == 1
    good, bad = json.loads(said.out)
    assert good == {"file": "good.yml", "valid": True, "findings": [], "not_read": []}
    assert (bad["file"], bad["valid"]) == ("bad.yml", False)
    assert bad["findings"] == [
        {
            "file": "bad.yml",
            "line": 3,
            "job": "j",
            "rule": "wrong-type",
            "message": "tags should be an array of strings",
            "hint": "write an array of strings",
        }
    ]


def test_standard_input(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BROKEN.encode())))
    said = ciforge("lint", "-")
    assert said.code == 1
    assert said.out.startswith("stdin:3: ")


def test_local_includes_come_from_the_repository_or_the_root(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / "ci" / "deep").mkdir(parents=True)
    (folder / "ci" / "deep" / "main.yml").write_text("include: ci/jobs.yml\n")
    (folder / "ci" / "jobs.yml").write_text("j: {script: x}\n")
    assert ciforge("lint", "ci/deep/main.yml").code == 0
    assert "does not exist" in ciforge("lint", "ci/deep/main.yml", "--root", "ci").out


def test_an_include_leads_to_nothing_outside_of_the_root(folder: Path) -> None:
    (folder / "in").mkdir()
    (folder / "in" / "main.yml").write_text("include: ../good.yml\n")
    assert "does not exist" in ciforge("lint", "in/main.yml", "--root", "in").out


def test_includes_that_only_gitlab_can_read_are_named(folder: Path) -> None:
    text = "include: [{project: a/b, file: [c.yml, d.yml]}, {template: Go.gitlab-ci.yml}]\n"
    (folder / "out.yml").write_text(text + "j: {script: x}\n")
    said = ciforge("lint", "out.yml", "good.yml")
    assert said.out == (
        "out.yml: not looked into: project: a/b, template: Go.gitlab-ci.yml\n"
        "valid: 2 files, nothing to refuse in what was read\n"
    )
    found = json.loads(ciforge("lint", "out.yml", "--format", "json").out)
    assert found[0]["not_read"] == ["project: a/b", "template: Go.gitlab-ci.yml"]


def test_no_such_file(folder: Path) -> None:
    refused(ciforge("lint", "nope.yml"))


def test_bytes_that_are_no_text(folder: Path) -> None:
    (folder / "bytes.yml").write_bytes(b"j: {script: \xff}\n\x00")
    said = ciforge("lint", "bytes.yml")
    assert said.code == 1
    assert "[yaml-syntax]" in said.out


def test_names_can_not_play_tricks_on_the_terminal(folder: Path) -> None:
    (folder / "esc.yml").write_text('"a\\e[31m\\n": {script: x, tags: y}\n')
    said = ciforge("lint", "esc.yml")
    assert "\x1b" not in said.out
    assert said.out.count("\n") == 3


def test_the_files_of_this_repository_are_valid() -> None:
    files = [ROOT / ".gitlab-ci.yml", ROOT / "pipelines" / "ciforge.gitlab-ci.yml"]
    files += sorted(ROOT.glob("templates/**/*.yml"))
    said = ciforge("lint", *map(str, files))
    assert said.code == 0, said.out


def test_online_without_a_token(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CIFORGE_GITLAB_TOKEN", "GITLAB_TOKEN", "CI_SERVER_URL", "CI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    refused(ciforge("lint", "good.yml", "--online"))


def test_online_adds_what_gitlab_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ciforge.doors.gitlab.ci_lint", lambda env, text: ["jobs config is odd"])
    said = ciforge("lint", "good.yml", "--online")
    assert said.code == 1
    assert "good.yml:1: [gitlab] jobs config is odd" in said.out
