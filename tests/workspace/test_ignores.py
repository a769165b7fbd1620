"""Ignore rules, against what the npm module `ignore` of Nx 24 answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciforge.workspace.ignores import Ignores

RECORD: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "ignores.json").read_text()
)
lines = st.text("ab/*?[]!#\\ .-", max_size=8)


@pytest.mark.parametrize("case", RECORD, ids=lambda c: repr(c["gitignore"] + c["nxignore"])[:40])
def test_paths_are_ignored_as_recorded(case: dict[str, Any]) -> None:
    ignores = Ignores(case["gitignore"], case["nxignore"]).ignores
    assert [path for path in case["paths"] if ignores(path)] == case["ignored"]


@pytest.mark.parametrize("path", ["", "/a", "./a", "../a", ".", ".."])
def test_a_path_outside_the_workspace_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="relative to the workspace"):
        Ignores("a", "").ignores(path)


def test_nothing_in_an_ignored_directory_comes_back() -> None:
    ignores = Ignores("dist\n", "!dist/keep\n").ignores
    assert ignores("dist/keep")
    assert not Ignores("dist/*\n", "!dist/keep\n").ignores("dist/keep")


def test_an_escaped_backslash_is_one() -> None:
    ignores = Ignores("a\\\\(b\n", "").ignores
    assert ignores("a\\(b")
    assert not ignores("a(b")


def test_no_rule_takes_for_ever() -> None:
    rules = ["*a" * 500, "a/**/" * 500, "**/" * 500, "[" * 5_000, "?*" * 500]
    ignores = Ignores("\n".join(rules), "").ignores
    ignores("/".join(["aaaaaaaa"] * 100))
    ignores("a" * 3_000)


@given(st.lists(lines, max_size=4), st.text("ab/.", min_size=1, max_size=8))
def test_rules_read_in_two_files_are_rules_read_in_one(rules: list[str], path: str) -> None:
    try:
        whole = Ignores("\n".join(rules), "").ignores(path)
    except ValueError:
        return
    assert Ignores("\n".join(rules[:2]), "\n".join(rules[2:])).ignores(path) == whole


@given(st.text("abc/", min_size=1, max_size=8))
def test_a_path_ignores_itself_and_what_is_below(path: str) -> None:
    path = "/".join(filter(None, path.split("/"))) or "a"
    ignores = Ignores(f"/{path}\n", "").ignores
    assert ignores(path)
    assert ignores(f"{path}/x")
    assert ignores(path.upper())
    assert not ignores(f"x{path}")
