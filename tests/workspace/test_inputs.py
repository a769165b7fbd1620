"""Inputs, against what the native locators and the hash planner of Nx 24 answered."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciforge.errors import InputError
from ciforge.workspace.inputs import (
    DependencyInput,
    expand,
    filesets_for,
    matches,
    named_inputs,
)
from ciforge.workspace.model import NxJson, Project, ProjectData
from ciforge.workspace.root_filesets import workspace_filesets, workspace_matcher

RECORD: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "inputs.json").read_text())
ROOTS: dict[str, str] = RECORD["workspace"]["roots"]
FILES: list[str] = RECORD["workspace"]["files"]


def _project(name: str, data: dict[str, Any]) -> Project:
    return Project(name=name, type="lib", data=msgspec.convert(data, ProjectData))


def _nx_json(data: dict[str, Any]) -> NxJson:
    return msgspec.convert(data, NxJson)


def _owner(path: str, roots: dict[str, str]) -> str | None:
    """The project at the nearest of the path and its parents that is a root."""
    by_root = {root: name for name, root in roots.items()}
    ancestry = (path, *map(str, PurePosixPath(path).parents))
    return next((by_root[at] for at in ancestry if at in by_root), None)


def _touches(project: Project, nx_json: NxJson, files: list[str]) -> bool:
    matchers = map(workspace_matcher, workspace_filesets(project, nx_json))
    return any(match(path) for match in matchers for path in files)


@pytest.mark.parametrize("case", RECORD["touch"], ids=lambda c: ",".join(c["files"]))
def test_projects_are_touched_as_recorded(case: dict[str, Any]) -> None:
    nx_json = _nx_json(case["nxJson"])
    roots = {name: data["root"] for name, data in case["projects"].items()}
    touched = {_owner(path, roots) for path in case["files"]} - {None}
    for name, data in case["projects"].items():
        if _touches(_project(name, data), nx_json, case["files"]) or "nx.json" in case["files"]:
            touched.add(name)
    assert sorted(touched) == case["touched"]


@pytest.mark.parametrize("case", RECORD["select"], ids=lambda c: str(c["inputs"]))
def test_files_are_selected_as_recorded(case: dict[str, Any]) -> None:
    root = ROOTS[case["project"]]
    project = _project(case["project"], {"root": root, "namedInputs": case["namedInputs"]})
    owned = [path for path in FILES if _owner(path, ROOTS) == case["project"]]
    try:
        own = filesets_for(project, case["inputs"], _nx_json(case["nxJson"])).own
        selected = matches(own, root, owned, FILES)
    except InputError:
        assert "error" in case["selected"]
    else:
        # nx.json is an input of every target, so the record has it no more.
        assert sorted(set(selected) - {"nx.json"}) == sorted(case["selected"]["files"])


APP = _project(
    "app",
    {
        "root": "apps/app",
        "namedInputs": {"production": ["default", "!{projectRoot}/**/*.md", {"env": "MODE"}]},
    },
)
NX = _nx_json(
    {"namedInputs": {"production": ["{projectRoot}/src/**"], "ci": ["{workspaceRoot}/ci.yml"]}}
)


def test_a_projects_named_inputs_go_over_those_of_nx_json_and_these_over_the_builtin() -> None:
    assert expand(["production", "ci"], named_inputs(APP, NX)) == [
        "{projectRoot}/**/*",
        "!{projectRoot}/**/*.md",
        {"env": "MODE"},
        "{workspaceRoot}/ci.yml",
    ]
    assert named_inputs(APP, _nx_json({"namedInputs": {"default": []}}))["default"] == []


def test_inputs_of_other_projects_stay() -> None:
    inputs = ["^production", {"input": "ci", "projects": ["lib"]}, "^{projectRoot}/x"]
    assert expand(inputs, {}) == inputs


@pytest.mark.parametrize(
    ("inputs", "named", "told"),
    [
        (["a"], {"a": ["b"], "b": [{"input": "a"}]}, "a → b → a"),
        (["a"], {"a": ["a"]}, "a → a"),
        (["nope"], {}, "neither a named input nor a fileset"),
        (["!a"], {"a": []}, "neither a named input nor a fileset"),
        (["a"], {"a": ["nope"]}, "named input a: the input 'nope'"),
        ([{"input": "nope"}], {}, "'nope' is not defined"),
        (["a"], {"a": ["^default"]}, "refers to other projects"),
        (["a"], {"a": [{"input": "b", "projects": "dependencies"}]}, "refers to other projects"),
        ([{"what": 1}], {}, "no kind that Nx knows"),
    ],
)
def test_what_cannot_be_expanded_is_told(
    inputs: list[Any], named: dict[str, list[Any]], told: str
) -> None:
    with pytest.raises(InputError) as caught:
        expand(inputs, named)
    assert told in str(caught.value)
    assert caught.value.hint


def test_inputs_are_sorted_by_what_they_are() -> None:
    outputs = {"dependentTasksOutputFiles": "**/*.d.ts", "transitive": True}
    found = filesets_for(
        APP,
        [
            "production",
            "^production",
            {"input": "ci", "projects": "self"},
            {"input": "ci", "projects": "dependencies"},
            {"input": "ci", "dependencies": True},
            {"input": "ci", "projects": ["lib", "tag:x"]},
            {"input": "ci", "projects": "lib", "dependencies": True},
            {"fileset": "{projectRoot}/x", "dependencies": True},
            "^{workspaceRoot}/y",
            {"fileset": "{workspaceRoot}/{projectName}/{projectRoot}"},
            {"runtime": "node -v"},
            {"externalDependencies": ["vite", "esbuild"]},
            {"json": "{workspaceRoot}/package.json", "fields": ["type"]},
            {"workingDirectory": "absolute"},
            outputs,
        ],
        NX,
    )
    assert found.own == [
        "{projectRoot}/**/*",
        "!{projectRoot}/**/*.md",
        "{workspaceRoot}/ci.yml",
        "{workspaceRoot}/app/apps/app",
    ]
    assert found.deps == [
        DependencyInput("production"),
        DependencyInput("ci"),
        DependencyInput("ci"),
        DependencyInput("ci", None, ("lib", "tag:x")),
        DependencyInput("ci", None, ("lib",), True),
        DependencyInput(None, "{projectRoot}/x"),
        DependencyInput(None, "{workspaceRoot}/y"),
    ]
    assert (found.env, found.runtime) == (["MODE"], ["node -v"])
    assert found.external == ["vite", "esbuild"]
    assert found.outputs == [outputs]
    assert found.json == [{"json": "{workspaceRoot}/package.json", "fields": ["type"]}]
    assert found.other == [{"workingDirectory": "absolute"}]


def test_a_target_without_inputs_has_the_default_ones() -> None:
    found = filesets_for(APP, None, NX)
    assert found.own == ["{projectRoot}/**/*"]
    assert found.deps == [DependencyInput("default")]
    assert filesets_for(APP, [], NX).own == []


def test_a_root_is_no_glob_and_a_neighbour_is_not_below_it() -> None:
    files = ["libs/(g)/a.ts", "libs/g/a.ts", "libs/(g)x/a.ts"]
    assert matches(["{projectRoot}/**/*"], "libs/(g)", files) == ["libs/(g)/a.ts"]


def test_a_pattern_that_nx_refuses_is_told_as_it_was_written() -> None:
    with pytest.raises(InputError) as caught:
        matches(["{projectRoot}/[x"], "libs/a", [])
    assert caught.value.where == "{projectRoot}/[x"


def test_twenty_thousand_files_are_selected_fast() -> None:
    filesets = [
        "{projectRoot}/**/*",
        "!{projectRoot}/**/?(*.)+(spec|test).[jt]s?(x)?(.snap)",
        "!{projectRoot}/tsconfig.spec.json",
        "!{projectRoot}/.storybook/**/*",
        "{workspaceRoot}/tools/**/*.ts",
    ]
    roots = [f"libs/group-{n % 10}/project-{n}" for n in range(1_000)]
    files = {root: [f"{root}/src/lib/part-{n}/file.ts" for n in range(20)] for root in roots}
    assert all(len(matches(filesets, root, files[root])) == 20 for root in roots)


@given(st.text("ab/*!{}[]()\\.@", max_size=10), st.text("ab/.", max_size=8))
def test_nothing_but_input_error_is_raised(pattern: str, path: str) -> None:
    assert workspace_matcher(pattern)(path) in (True, False)
    for root in ("{projectRoot}/", "!{projectRoot}/", "{workspaceRoot}/", ""):
        try:
            matches([root + pattern], "libs/a", [path, f"libs/a/{path}"])
            expand([root + pattern], {})
        except InputError:
            pass
