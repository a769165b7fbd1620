"""Project patterns, against what `findMatchingProjects` of Nx 24 answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciforge.errors import InputError
from ciforge.workspace.model import Project, ProjectData
from ciforge.workspace.patterns import match_projects, split_list

RECORD: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "data" / "patterns.json").read_text()
)


def _project(name: str, root: str, tags: list[str] | None = None) -> Project:
    return Project(name=name, type="lib", data=ProjectData(root=root, tags=tags or []))


@pytest.mark.parametrize("case", RECORD["match"], ids=lambda c: ",".join(c["patterns"]))
def test_projects_are_selected_as_recorded(case: dict[str, Any]) -> None:
    projects = {n: _project(n, root, tags) for n, (root, tags) in case["projects"].items()}
    if case["selected"] is None:
        with pytest.raises(InputError, match="not a glob"):
            match_projects(case["patterns"], projects)
    else:
        assert match_projects(case["patterns"], projects) == case["selected"]


@pytest.mark.parametrize("case", RECORD["split"], ids=lambda c: c["value"])
def test_lists_are_split_as_recorded(case: dict[str, Any]) -> None:
    assert split_list(case["value"]) == case["items"]


def test_the_patterns_given_stay_as_they_are() -> None:
    patterns = ["!a"]
    assert match_projects(patterns, {"a": _project("a", "a"), "b": _project("b", "b")}) == ["b"]
    assert patterns == ["!a"]


def test_an_unlabeled_pattern_whose_names_were_all_selected_goes_on_to_roots() -> None:
    projects = {"a:ui": _project("a:ui", "libs/x"), "y": _project("y", "ui")}
    assert match_projects(["ui"], projects) == ["a:ui"]
    assert match_projects(["ui", "ui"], projects) == ["a:ui", "y"]


def test_a_long_s_is_no_s() -> None:
    assert match_projects(["s"], {"ſ x": _project("ſ x", "a")}) == []


@given(st.lists(st.text("ab:!*[]{}()#tagnme@-|+?", max_size=10), max_size=4))
def test_nothing_but_input_error_is_raised(patterns: list[str]) -> None:
    projects = {n: _project(n, f"libs/{n}", ["a", "b:a"]) for n in ("a", "ab", "a-b")}
    try:
        selected = match_projects(patterns, projects)
    except InputError:
        return
    assert set(selected) <= set(projects)
    assert len(selected) == len(set(selected))
