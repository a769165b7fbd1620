"""Broken graphs, settings, repositories and runners: each one clear error, nothing written."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ciforge.collect import tree as collect_tree
from ciforge.doors import files, nx
from tests.cli.conftest import (
    APP,
    Workspace,
    ciforge,
    deadline,
    edges,
    graph_of,
    node,
    process_of,
    refused,
)

Look = Callable[[], None]


# --- the graph file ---------------------------------------------------------------------


def test_a_truncated_graph_is_refused_wherever_it_ends(
    workspace: Workspace, unchanged: Look
) -> None:
    whole = json.dumps(Workspace.stock(), indent=1).encode()
    for end in [*range(0, len(whole) - 1, 41), len(whole) - 2, len(whole) - 1]:
        workspace.graph(whole[:end])
        said = workspace.affected("--files", "docs/x")
        refused(said, "graph.json:", "is not JSON", hint="nx graph --file=graph.json")
    workspace.graph(whole[: len(whole) // 2])
    for command in (("plan",), ("graph",), ("digest", "api")):
        refused(workspace.run(*command), "graph.json:", "is not JSON", hint="nx graph --file")


def test_a_broken_graph_is_refused_at_its_line(workspace: Workspace) -> None:
    lines = json.dumps(Workspace.stock(), indent=1).splitlines()
    for number in (1, 2, len(lines) // 2, len(lines)):
        broken = [*lines]
        broken[number - 1] = f"?{broken[number - 1]}"
        workspace.graph("\n".join(broken))
        refused(workspace.affected("--files", "docs/x"), f"graph.json:{number}: is not JSON")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "null",
        "[]",
        "5",
        '"graph"',
        "{}",
        '{"graph": null}',
        '{"graph": 5}',
        '{"graph": {}}',
        '{"projects": {}, "edges": []}',
        '{"nodes": []}',
        '{"nodes": {"a": 5}}',
        '{"nodes": {"a": {"name": "a"}}}',
        '{"nodes": {"a": {"name": "a", "type": "lib", "data": {}}}}',
        '{"nodes": {"a": {"name": "a", "type": "lib", "data": {"root": 5}}}}',
        '{"nodes": {}, "dependencies": []}',
        '{"nodes": {}, "dependencies": {"a": 5}}',
        '{"nodes": {}, "dependencies": {"a": [5]}}',
        "[" * 100_000,
        '{"x":' * 100_000,
        "\N{BYTE ORDER MARK}{}",
        "<html>502</html>",
        "NX   Failed\n{}",
    ],
    ids=lambda text: text[:40].replace("\n", " "),
)
def test_another_shape_is_refused(workspace: Workspace, content: str, unchanged: Look) -> None:
    workspace.graph(content)
    refused(workspace.affected("--files", "docs/x"), "graph.json", hint="nx graph --file=graph")


def test_bytes_that_are_no_text_are_refused(workspace: Workspace) -> None:
    for content in (b"\xff\xfe{\x00}\x00", b"\x00" * 64, bytes(range(256)), b'{"nodes": "\xff"}'):
        workspace.graph(content)
        refused(workspace.affected("--files", "docs/x"), "graph.json", hint="nx graph")


def test_no_graph_file(workspace: Workspace, tmp_path: Path, unchanged: Look) -> None:
    for place in (tmp_path / "none.json", tmp_path, workspace.path / "nx.json" / "x"):
        said = ciforge("affected", "--files", "a", "--graph", str(place), at=workspace.path)
        refused(said, str(place), hint="nx graph --file")


def test_an_unreadable_graph_file(workspace: Workspace, tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    said = ciforge("affected", "--files", "a", "--graph", str(loop), at=workspace.path)
    refused(said, str(loop), "cannot be read")


def test_errors_that_nx_recorded_are_refused(workspace: Workspace) -> None:
    graph = Workspace.stock()["graph"]
    workspace.graph({**graph, "errors": [{"name": "Oops", "message": "cannot read x\nat y"}]})
    refused(workspace.affected("--files", "docs/x"), "1 error", "cannot read x", hint="mend")


def test_edges_to_nowhere_are_refused(workspace: Workspace, unchanged: Look) -> None:
    for source, target, words in (
        ("api", "ghost", "an edge from 'api' to 'ghost', which is no project"),
        ("ghost", "api", "edges of 'ghost', which is no project"),
    ):
        graph = Workspace.stock()
        graph["graph"]["dependencies"].update(edges((source, target)))
        workspace.graph(graph)
        for command in (("affected", "--files", "docs/x"), ("plan",), ("graph",)):
            refused(workspace.run(*command), words, hint="nx graph --file=graph.json")


def test_edges_to_packages_are_no_edges_to_nowhere(workspace: Workspace) -> None:
    graph = Workspace.stock()
    graph["graph"]["dependencies"].update(edges(("api", "npm:react"), ("api", "util")))
    workspace.graph(graph)
    assert workspace.affected("--files", "libs/util/x").names == ["api", "util"]
    graph["graph"]["externalNodes"] = {}
    workspace.graph(graph)
    refused(workspace.affected("--files", "docs/x"), "'npm:react', which is no project")


def test_cycles_are_answered(workspace: Workspace) -> None:
    graph = graph_of(
        [node("api", "apps/api", "app"), node("util", "libs/util"), node("docs", "docs")],
        ("api", "util"),
        ("util", "docs"),
        ("docs", "util"),
        ("docs", "docs"),
    )
    workspace.graph(graph)
    assert workspace.affected("--files", "libs/util/x").names == ["api", "docs", "util"]
    assert workspace.affected("--files", "docs/x").names == ["api", "docs", "util"]
    why = workspace.affected("--files", "docs/x", "--why", "api")
    assert [line.split("  (")[0] for line in why.names] == [
        "docs/x",
        "└─ docs",
        "   └─ util",
        "      └─ api",
    ]
    assert workspace.run("graph").names == [
        "api (app, apps/api)",
        "└─ util",
        "   └─ docs",
        "      ├─ docs …",
        "      └─ util …",
    ]
    for form in ("json", "dot", "mermaid"):
        assert "docs" in workspace.run("graph", "--format", form).out
    workspace.write({"docs/index.md": "other\n"})
    plan = workspace.plan("--format", "json").json
    assert plan["affected"] == ["api", "docs", "util"]
    assert plan["services"][0]["action"] == "build"


def test_services_in_a_cycle_share_a_level(workspace: Workspace) -> None:
    workspace.write({"apps/web/src/main.ts": APP, "apps/web/project.json": "{}"})
    graph = graph_of(
        [
            node("api", "apps/api", "app"),
            node("web", "apps/web", "app"),
            node("util", "libs/util"),
            node("docs", "docs"),
        ],
        ("api", "web"),
        ("web", "api"),
        ("web", "util"),
    )
    workspace.graph(graph)
    assert workspace.plan("--format", "json").json["levels"] == [["api", "web"]]


def test_two_projects_of_one_name_are_refused(workspace: Workspace, unchanged: Look) -> None:
    twice = json.dumps(Workspace.stock()).replace('"docs": {"name": "docs"', '"x": {"name": "api"')
    workspace.graph(twice)
    refused(workspace.affected("--files", "docs/x"), "two projects are called 'api'", hint="own")
    key = json.dumps(Workspace.stock()).replace('"docs": {"name": "docs"', '"api": {"name": "api"')
    workspace.graph(key)
    refused(workspace.affected("--files", "docs/x"), "two projects are called 'api'", hint="own")


def test_ten_thousand_projects_of_one_name_are_refused_at_once(workspace: Workspace) -> None:
    nodes = ",".join(f'"p{i}": {json.dumps(node("p", f"libs/p{i}"))}' for i in range(10_000))
    workspace.graph(f'{{"nodes": {{{nodes}}}, "dependencies": {{}}}}')
    with deadline(5):
        refused(workspace.affected("--files", "docs/x"), "two projects are called 'p'")


def test_nodes_given_twice(workspace: Workspace) -> None:
    nodes = json.dumps(Workspace.stock()["graph"]["nodes"])
    other = json.dumps({"z": node("z", "z")})
    workspace.graph(f'{{"nodes": {nodes}, "nodes": {other}, "dependencies": {{}}}}')
    refused(workspace.affected("--files", "libs/util/x"), "graph.json")


def test_a_graph_without_dependencies(workspace: Workspace) -> None:
    workspace.graph({"graph": {"nodes": Workspace.stock()["graph"]["nodes"]}})
    refused(workspace.affected("--files", "libs/util/x"), "dependencies", hint="nx graph")


def test_two_projects_in_one_folder(workspace: Workspace) -> None:
    workspace.project("guide", "docs")
    refused(workspace.affected("--files", "docs/x"), "'docs'", "'guide'")


def test_a_node_under_another_name(workspace: Workspace) -> None:
    workspace.graph(json.dumps(Workspace.stock()).replace('"docs": {"name"', '"x": {"name"'))
    refused(workspace.affected("--files", "docs/x"), "'x' calls itself 'docs'")


@pytest.mark.parametrize("root", ["../x", "/etc", "/", "..", "a/../../b", "./../x", "x/.."])
def test_projects_outside_the_workspace_are_refused(workspace: Workspace, root: str) -> None:
    workspace.project("out", root)
    for command in (("affected", "--files", "docs/x"), ("plan",), ("graph",)):
        refused(workspace.run(*command), f"'out' lies outside the workspace: {root!r}", hint="root")


@pytest.mark.parametrize("root", ["./docs/deep", "docs/deep/", "docs/deep"])
def test_roots_are_read_as_folders(workspace: Workspace, root: str) -> None:
    workspace.write({"docs/deep/x.md": ""})
    workspace.project("deep", root)
    assert workspace.affected("--files", "docs/deep/y").names == ["deep"]


def test_a_root_with_two_slashes(workspace: Workspace) -> None:
    workspace.write({"docs/deep/x.md": ""})
    workspace.project("deep", "docs//deep")
    assert workspace.affected("--files", "docs/deep/y").names == ["deep"]


def test_the_workspace_itself_as_a_project(workspace: Workspace) -> None:
    for root in (".", "", "./"):
        workspace.project("root", root)
        assert workspace.affected("--files", "README.md").names == ["root"]
        assert workspace.affected("--files", "docs/x").names == ["docs"]


def test_roots_that_no_file_system_holds(workspace: Workspace) -> None:
    for root in ("a\0b", "x" * 5000, "nx.json/below"):
        workspace.project("odd", root)
        assert workspace.affected("--files", "docs/x").names == ["docs"]
        assert "odd" in workspace.run("graph").out


def test_a_service_in_a_folder_with_nul(workspace: Workspace) -> None:
    graph = graph_of([node("api", "apps/api", "app"), node("odd", "a\0b")])
    workspace.write({"tsconfig.base.json": '{"compilerOptions": {"paths": {"@a/b": ["a"]}}}'})
    workspace.graph(graph)
    assert workspace.run("graph").code in (0, 2)
    assert workspace.plan().code in (0, 2)


HOSTILE_TARGETS: list[Any] = [
    {"dependsOn": 5},
    {"dependsOn": [5, None, {}, {"target": 5}]},
    {"dependsOn": [{"target": "build", "projects": ["{a", "[", "nope"]}]},
    {"dependsOn": [{"target": "build", "projects": {"a": 1}}]},
    {"dependsOn": ["^^build", "^", ""]},
    {"inputs": None},
    {"inputs": ["{projectRoot}", "{projectRoot}/../../x", "^", "^nope"]},
    {"inputs": [{"input": "default", "projects": ["{", "nope"]}]},
    {"inputs": [{"env": 5}, {"runtime": 5}, {"dependentTasksOutputFiles": 5}]},
    {"inputs": [{"json": 5, "fields": 5}, {"externalDependencies": "abc"}]},
    {"outputs": 5, "metadata": 5},
    {"outputs": [5, None, {}]},
    {"options": 5},
    {"options": None},
    {"options": {"commands": [5, {"command": 5}], "main": 5, "outputPath": {}, "cwd": 5}},
    {"options": {"main": "a\0b", "index": "../../../x", "browser": []}},
    {"executor": "", "command": "a\0 'never closed"},
]


def with_target(workspace: Workspace, target: Any) -> None:
    graph = Workspace.stock()
    graph["graph"]["nodes"]["api"]["data"]["targets"]["build"].update(target)
    workspace.graph(graph)


def test_targets_of_unknown_shape_break_nothing(workspace: Workspace) -> None:
    for target in HOSTILE_TARGETS:
        with_target(workspace, target)
        for command in (("affected",), ("plan", "--offline"), ("digest", "api")):
            said = workspace.run(*command)
            assert said.code in (0, 2), (target, said)


@pytest.mark.parametrize(
    "target",
    [
        pytest.param({"dependsOn": [{"target": "build", "projects": 5}]}, id="dependsOn projects"),
        pytest.param({"inputs": [{"fileset": 5}]}, id="fileset"),
        pytest.param({"inputs": [{"fileset": 5, "dependencies": True}]}, id="foreign fileset"),
        pytest.param({"inputs": [{"input": "default", "projects": 5}]}, id="input projects"),
        pytest.param({"inputs": [{"externalDependencies": 5}]}, id="externalDependencies"),
    ],
)
def test_targets_of_wrong_types(workspace: Workspace, target: Any) -> None:
    with_target(workspace, target)
    said = workspace.plan()
    assert said.code in (0, 2), said


@pytest.mark.parametrize(
    "data",
    [{"tags": None}, {"tags": [5]}, {"root": None}, {"targets": {"build": 5}}, {"sourceRoot": 5}],
    ids=str,
)
def test_projects_of_another_shape_are_refused(workspace: Workspace, data: Any) -> None:
    graph = Workspace.stock()
    graph["graph"]["nodes"]["api"]["data"].update(data)
    workspace.graph(graph)
    refused(workspace.affected("--files", "docs/x"), "$.graph.nodes[...].data", hint="nx graph")


def test_a_very_large_graph(workspace: Workspace) -> None:
    count = 10_000
    nodes = [node(f"p{i}", f"docs/p{i // 100}/p{i}") for i in range(count)]
    pairs = [(f"p{i}", f"p{i + 1}") for i in range(count - 1)]
    pairs += [(f"p{i}", f"p{i + 7}") for i in range(count - 7)]
    workspace.graph(graph_of(nodes, *pairs))
    with deadline(30):
        names = workspace.affected("--files", f"docs/p99/p{count - 1}/x").names
    assert len(names) == count
    assert names == sorted(names)


# --- nx.json ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        '// why\n{"defaultBase": "main"}\n',
        '/* why */{"defaultBase": /* here */ "main",}',
        '{"defaultBase": "main", "x": "// no comment /* either"}',
        '{"defaultBase": "main", "plugins": ["a", {"plugin": "b",},],}',
        '\N{BYTE ORDER MARK}{"defaultBase": "main"}',
        '{"defaultBase": "main", "unknown": {"deep": [1, null]}}',
    ],
)
def test_nx_json_as_nx_reads_it(workspace: Workspace, content: str) -> None:
    workspace.commit({"nx.json": content})
    assert workspace.affected().names == []
    assert workspace.plan().code == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "nx.json:1: is not JSON"),
        ('{"a": 1}\n{', "nx.json:2: is not JSON"),
        ('{\n"a": 1\n"b": 2}', "nx.json:3: is not JSON"),
        ("[]", "nx.json: Expected `object`, got `array`"),
        ("null", "nx.json: Expected `object`, got `null`"),
        ('{"defaultBase": 5}', "at `$.defaultBase`"),
        ('{"plugins": 5}', "at `$.plugins`"),
        ('{"namedInputs": {"default": [5]}}', "at `$.namedInputs"),
        ("[" * 100_000, "nx.json"),
        ('{"x":' * 100_000, "nx.json:1: is not JSON"),
        ("/* never closed", "nx.json:1: is not JSON"),
        ('{"a": "\ud800"}'.encode("utf-8", "surrogatepass").decode("utf-8", "replace")[:-2], "nx"),
    ],
    ids=range(12),
)
def test_a_broken_nx_json_is_refused(workspace: Workspace, content: str, words: str) -> None:
    workspace.write({"nx.json": content})
    for said in (workspace.affected("--files", "docs/x"), workspace.plan()):
        refused(said, words)


def test_a_broken_nx_json_is_named(workspace: Workspace) -> None:
    workspace.write({"nx.json": '{\n"a": 1\n"b": 2}'})
    for said in (workspace.affected("--files", "docs/x"), workspace.plan()):
        assert said.code == 2
        assert said.err.startswith("ciforge: error: nx.json:3: is not JSON")


def test_a_fault_behind_a_comment_has_its_own_line(workspace: Workspace) -> None:
    workspace.write({"nx.json": '{\n  // why\n  "a": 1,\n  "b": }\n'})
    said = workspace.affected("--files", "docs/x")
    assert said.err.startswith("ciforge: error: nx.json:4:"), said.err


def test_many_comments_in_nx_json(workspace: Workspace) -> None:
    workspace.write({"nx.json": '{"a": 1,\n' + "/* x */\n" * 40 + '"b": 2}'})
    # A process of its own: the search inside a regular expression heeds no signal.
    argv = ("affected", "--files", "docs/x", "--graph", str(workspace.graph_file))
    assert process_of(*argv, at=workspace.path, timeout=15).names == ["docs"]


def test_named_inputs_that_double(workspace: Workspace) -> None:
    named: dict[str, list[str]] = {f"n{i}": [f"n{i + 1}"] * 2 for i in range(40)}
    named |= {"n40": ["{projectRoot}/**/*"], "default": ["n0"]}
    workspace.write({"nx.json": json.dumps({"namedInputs": named})})
    with deadline(5):
        assert workspace.plan().code in (0, 2)


def test_a_long_chain_of_named_inputs(workspace: Workspace) -> None:
    named = {f"n{i}": [f"n{i + 1}"] for i in range(3000)}
    named |= {"n3000": ["{projectRoot}/**/*"], "default": ["n0"]}
    workspace.write({"nx.json": json.dumps({"namedInputs": named})})
    assert workspace.plan().code in (0, 2)


def test_named_inputs_in_a_circle(workspace: Workspace) -> None:
    named = {"a": ["b"], "b": ["a"], "default": ["a"]}
    workspace.write({"nx.json": json.dumps({"namedInputs": named})})
    refused(workspace.plan(), "'a' contains itself: default → a → b → a", hint="namedInputs")
    assert workspace.affected().code == 0


def test_an_unknown_named_input(workspace: Workspace) -> None:
    workspace.write({"nx.json": '{"namedInputs": {"default": ["nope"]}}'})
    refused(workspace.plan(), "'nope' is neither a named input nor a fileset", hint="namedInputs")


def test_patterns_that_blow_up_elsewhere_are_answered(workspace: Workspace) -> None:
    name = "a" * 60
    graph = Workspace.stock()
    graph["graph"]["nodes"][name] = node(name, f"docs/{name}")
    graph["graph"]["nodes"]["api"]["data"]["targets"]["build"]["inputs"] = ["default"]
    workspace.write({f"docs/{name}/x": ""})
    workspace.graph(graph)
    for pattern in (
        "*a" * 15 + "b",
        "**/" * 20 + "b",
        "{a,b}" * 16,
        "+(+(+(a)))b",
        "@(a|aa)*" * 10 + "c",
        "{1..999999999}",
        "!(a)" * 20,
        "*?" * 30,
        "(" * 3000,
        "[a-z" * 1000,
    ):
        with deadline(5):
            changed = f"docs/x,docs/{name}/{name}"
            for option in ("--exclude", "--projects"):
                assert workspace.affected("--files", changed, option, pattern).code in (0, 2)
            named = {"default": [f"{{workspaceRoot}}/{pattern}"]}
            workspace.write(
                {"nx.json": json.dumps({"namedInputs": named}), ".gitignore": f"{pattern}\n"}
            )
            assert workspace.affected("--files", changed).code == 0
        workspace.write({"nx.json": "{}\n", ".gitignore": ""})


def test_comments_in_a_tsconfig(workspace: Workspace) -> None:
    before = '{"compilerOptions": {"paths": {"@a": ["libs/util"]}, // why\n}}'
    workspace.commit({"tsconfig.base.json": before})
    for content in ("{", "null", '{"compilerOptions": 5}', '{"compilerOptions": {"paths": [1]}}'):
        workspace.write({"tsconfig.base.json": content})
        assert workspace.affected().code == 0
        assert workspace.plan().code == 0


def test_broken_files_of_others_break_nothing(workspace: Workspace) -> None:
    """What Nx and the package managers would complain of themselves."""
    for name, content in (
        ("apps/api/package.json", "[" * 100_000),
        ("apps/api/package.json", '{"scripts": 5, "dependencies": [1], "main": {}}'),
        ("package.json", '{"name": 5, "dependencies": [1], "workspaces": 5, "pnpm": 5}'),
        ("package.json", "{"),
        ("apps/api/project.json", "null"),
        ("Dockerfile", b"\xff\xfe FROM \x00"),
        ("Dockerfile", "ARG A=${A}\nFROM ${A"),
        ("Dockerfile", ""),
        ("apps/api/src/main.ts", "(" * 20_000),
        ("apps/api/src/main.ts", APP + "/*" * 20_000),
        ("pnpm-lock.yaml", "&a [*a]"),
        ("pnpm-lock.yaml", "a: !!python/object/apply:os.system [x]"),
        ("pnpm-lock.yaml", "[" * 10_000),
        ("package-lock.json", '{"lockfileVersion": 3, "packages": 5}'),
        ("yarn.lock", "\0"),
        (".npmrc", "\0"),
        (".nxignore", "[\n"),
    ):
        before = workspace.path / name
        kept = before.read_bytes() if before.exists() else None
        workspace.write({name: content})
        for said in (workspace.affected(), workspace.plan()):
            assert said.code == 0, (name, said)
        if kept is None:
            before.unlink()
        else:
            before.write_bytes(kept)


# --- ciforge.yaml -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words", "hint"),
    [
        ("services: [", "ciforge.yaml:1:12: ", "close it"),
        ("image:\n\tsalt: x\n", "ciforge.yaml:2:1: a tab", "spaces"),
        ("services: {api: {image: 5}}", "services.api.image: expected a string", 'quote it: "5"'),
        ("servces: {}", "servces: unknown key", "did you mean 'services'?"),
        ("image: {}\nimage: {}\n", "ciforge.yaml:2:", ""),
        (b"\xff\xfe", "ciforge.yaml:1: not UTF-8", "UTF-8"),
        (b"image: {salt: '\x1b[31m'}", "U+001B", "remove it"),
        ("services: {api: {projects: [nope]}}", "'nope', which is no project", "ciforge graph"),
        ("services: {zz: {}}", "services.zz names neither", "projects:"),
    ],
    ids=["open", "tab", "type", "key", "twice", "bytes", "control", "project", "service"],
)
def test_a_broken_configuration_is_shown(
    workspace: Workspace, content: str | bytes, words: str, hint: str, unchanged: Look
) -> None:
    workspace.write({"ciforge.yaml": content})
    unchanged()
    for said in (workspace.plan(), workspace.run("digest", "api")):
        refused(said, words, hint=hint)


@pytest.mark.parametrize(
    "content",
    ["zzzzzz: 1", "version: 2", "services: {api: {dockerfile: ../x}}", "services: {'x y': {}}"],
)
def test_every_problem_of_a_configuration_says_what_to_do(
    workspace: Workspace, content: str
) -> None:
    workspace.write({"ciforge.yaml": content})
    refused(workspace.plan(), "ciforge.yaml:1:")


def test_all_problems_of_a_configuration_at_once(workspace: Workspace) -> None:
    workspace.write({"ciforge.yaml": "servces: {}\nimage: {salt: 5}\nsmoke: []\n"})
    said = workspace.plan()
    assert said.code == 2
    lines = said.err.splitlines()
    assert lines[0].startswith("ciforge: error: ciforge.yaml:1:1: servces")
    assert [line.strip()[:16] for line in lines[3:]] == ["ciforge.yaml:2:1", "ciforge.yaml:3:8"]


def test_megabytes_of_anchors(workspace: Workspace) -> None:
    lines = ["a0: &a0 [x]", *(f"a{i}: &a{i} [{f'*a{i - 1}, ' * 9}]" for i in range(1, 9))]
    workspace.write({"ciforge.yaml": "\n".join(lines)})
    with deadline(5):
        assert workspace.plan().code == 2
    workspace.write({"ciforge.yaml": "".join(f"a{i}: &a{i} x\n" for i in range(600_000))})
    with deadline(5):
        assert workspace.plan().code == 2


@pytest.mark.parametrize("kind", ["loop", "dangling", "folder"])
def test_a_configuration_that_cannot_be_read(workspace: Workspace, kind: str) -> None:
    place = workspace.path / "ciforge.yaml"
    if kind == "folder":
        place.mkdir()
    else:
        place.symlink_to(place.name if kind == "loop" else "nowhere")
    refused(workspace.plan(), "ciforge.yaml")


def test_a_configured_workspace_that_is_none(workspace: Workspace) -> None:
    (workspace.path / "nx.json").unlink()
    workspace.write({"ciforge.yaml": "workspace: frontend\n"})
    refused(workspace.plan(), "ciforge.yaml", "frontend")


def test_a_configured_branch_that_is_an_option(workspace: Workspace) -> None:
    workspace.write({"ciforge.yaml": "default_branch: --upload-pack=touch x\n"})
    refused(workspace.plan(), "default_branch", "--upload-pack=touch x")


# --- repositories -----------------------------------------------------------------------


def test_no_repository(workspace: Workspace) -> None:
    shutil.rmtree(workspace.path / ".git")
    for command in (("affected",), ("affected", "--base", "main"), ("plan",)):
        refused(workspace.run(*command), "not inside a git repository", hint="-C DIR")
    assert workspace.affected("--files", "libs/util/x").names == ["api", "util"]
    assert workspace.run("graph").code == 0


def test_a_digest_outside_a_repository(workspace: Workspace) -> None:
    shutil.rmtree(workspace.path / ".git")
    refused(workspace.run("digest", "api"), "not inside a git repository", hint="-C DIR")


def test_a_graph_without_imports_outside_a_repository(workspace: Workspace) -> None:
    shutil.rmtree(workspace.path / ".git")
    workspace.write({"libs/util/package.json": '{"name": "@acme/util"}'})
    workspace.graph(graph_of([node("api", "apps/api", "app"), node("util", "libs/util")]))
    assert workspace.run("graph").code == 0
    assert workspace.affected("--files", "libs/util/x").names == ["util"]


def test_a_repository_without_commits(workspace: Workspace) -> None:
    shutil.rmtree(workspace.path / ".git")
    workspace.repo.git("init", "--quiet", "--initial-branch=main")
    for command in (("affected",), ("affected", "--base", "main"), ("affected", "--uncommitted")):
        refused(workspace.run(*command), "the repository has no commit yet", hint="commit once")
    refused(workspace.plan(), "the repository has no commit yet", hint="commit once")
    refused(workspace.affected("--base", "auto"), "the repository has no commit yet")
    assert workspace.affected("--files", "docs/x").names == ["docs"]
    assert workspace.affected("--untracked").names == ["api", "docs", "util"]
    assert workspace.run("digest", "api").code == 0
    assert workspace.run("graph").code == 0


def test_a_repository_of_somebody_else(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    for command in (("affected",), ("plan",)):
        refused(workspace.run(*command), "belongs to somebody else", hint="safe.directory")


@pytest.mark.parametrize("command", ["graph", "digest api"])
def test_a_repository_of_somebody_else_in_other_commands(
    workspace: Workspace, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    refused(workspace.run(*command.split()), "belongs to somebody else", hint="safe.directory")


def test_a_detached_head(workspace: Workspace) -> None:
    workspace.repo.git("checkout", "--quiet", "--detach")
    workspace.write({"libs/util/src/index.ts": "export const util = 2;\n"})
    assert workspace.affected().names == ["api", "util"]
    plan = workspace.plan("--format", "json").json
    assert plan["head"]["ref"] is None
    assert plan["base"]["rule"] == "default-branch"
    assert "(detached head)" in workspace.plan().out


def damaged(workspace: Workspace, name: str, content: bytes) -> None:
    (workspace.path / ".git" / name).write_bytes(content)


@pytest.mark.parametrize("name", ["HEAD", "config"])
def test_a_damaged_repository_is_refused(workspace: Workspace, name: str) -> None:
    damaged(workspace, name, b"[garbage")
    for said in (workspace.affected(), workspace.plan()):
        refused(said, str(workspace.path))


def test_a_damaged_index_is_told_with_a_way_out(workspace: Workspace) -> None:
    damaged(workspace, "index", b"garbage")
    refused(workspace.plan(), "index file", code=3)


def test_a_missing_object_is_no_bug(workspace: Workspace) -> None:
    tree = workspace.repo.git("rev-parse", "HEAD^{tree}")
    (workspace.path / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    for said in (workspace.affected("--base", "HEAD"), workspace.plan("--base", "HEAD")):
        assert said.code == 3
        assert tree in said.err


def digest_of(workspace: Workspace) -> str:
    return str(workspace.run("digest", "api", "--format", "json").json["digest"])


@pytest.fixture
def submodule(workspace: Workspace, tmp_path: Path) -> Path:
    other = tmp_path / "other"
    commands = (
        ("init", "--quiet", str(other)),
        ("-C", str(other), "commit", "--quiet", "--allow-empty", "--message", "x"),
    )
    for command in commands:
        subprocess.run(["git", *command], check=True)
    workspace.repo.git(
        *("-c", "protocol.file.allow=always"),
        *("submodule", "--quiet", "add", f"file://{other}", "libs/util/sub"),
    )
    workspace.commit()
    return workspace.path / "libs/util/sub"


def move(submodule: Path) -> None:
    command = ["commit", "--quiet", "--allow-empty", "--message", "moved"]
    subprocess.run(["git", "-C", str(submodule), *command], check=True)


def test_a_submodule_is_a_file_of_its_project(workspace: Workspace, submodule: Path) -> None:
    before = digest_of(workspace)
    assert workspace.affected().names == []
    move(submodule)
    assert workspace.affected().names == ["api", "util"]
    workspace.commit()
    assert workspace.affected("--base", "HEAD~1", "--head", "HEAD").names == ["api", "util"]
    assert digest_of(workspace) != before
    entries = workspace.run("digest", "api", "--format", "json").json["entries"]
    (entry,) = [e for e in entries if e["name"] == "libs/util/sub"]
    assert entry["value"].startswith("160000 ")


def test_each_move_of_a_submodule_is_another_digest(workspace: Workspace, submodule: Path) -> None:
    digests = [digest_of(workspace)]
    for _ in range(2):
        move(submodule)
        digests.append(digest_of(workspace))
    assert len(set(digests)) == 3


# --- links, and files that cannot be read -----------------------------------------------


def test_links_in_every_direction(workspace: Workspace) -> None:
    for name, target in (
        ("loop", "loop"),
        ("apps/api/a", "b"),
        ("apps/api/b", "a"),
        ("apps/api/nowhere", "gone"),
        ("apps/api/up", "../.."),
        ("libs/util/bytes", b"\xff\xfe"),
        ("libs/util/out", "/etc"),
    ):
        os.symlink(target, workspace.path / name)
    assert workspace.affected().names == ["api", "util"]
    before = digest_of(workspace)
    assert workspace.plan("--format", "json").json["counts"]["build"] == 1
    workspace.commit()
    assert digest_of(workspace) == before
    assert workspace.plan("--base", "HEAD~1").code == 0
    (workspace.path / "apps/api/up").unlink()
    (workspace.path / "apps/api/up").symlink_to("../")
    assert digest_of(workspace) != before


@pytest.mark.parametrize(
    "name", ["package.json", "Dockerfile", "apps/api/package.json", "apps/api/src/main.ts"]
)
def test_a_link_loop_where_a_file_is_read(workspace: Workspace, name: str) -> None:
    place = workspace.path / name
    place.unlink(missing_ok=True)
    place.symlink_to(place.name)
    refused(workspace.plan(), name, "symbolic links")


def test_a_link_loop_is_named(workspace: Workspace) -> None:
    place = workspace.path / "Dockerfile"
    place.unlink()
    place.symlink_to("Dockerfile")
    said = workspace.plan()
    assert said.code == 2
    assert f"{place}: cannot be read: Too many levels of symbolic links" in said.err
    assert workspace.affected("--files", "docs/x").names == ["docs"]


def test_nx_json_that_leads_nowhere(workspace: Workspace) -> None:
    place = workspace.path / "nx.json"
    for target in ("nx.json", "gone"):
        place.unlink()
        place.symlink_to(target)
        refused(workspace.plan(), "no nx.json here", hint="-C DIR")


def test_nx_json_that_is_a_folder(workspace: Workspace) -> None:
    (workspace.path / "nx.json").unlink()
    (workspace.path / "nx.json").mkdir()
    refused(workspace.plan(), "nx.json")


def test_unreadable_files_are_named(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, unchanged: Look
) -> None:
    """Modes don't stop root, so the refusal is made where Python asks the system."""
    read = Path.read_bytes

    def denied(path: Path) -> bytes:
        if path.name == "main.ts":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", denied)
    said = workspace.plan()
    assert said.code == 2
    assert "apps/api/src/main.ts: cannot be read: Permission denied" in said.err
    assert workspace.affected("--files", "docs/x").names == ["docs"]


def test_a_pipe_where_a_file_should_be(workspace: Workspace) -> None:
    os.mkfifo(workspace.path / "ciforge.yaml")
    argv = ("plan", "--offline", "--graph", str(workspace.graph_file))
    assert process_of(*argv, at=workspace.path, timeout=15).code in (0, 2)


def test_a_graph_from_a_pipe(workspace: Workspace) -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as stream:
        stream.write(workspace.graph_file.read_bytes())
    try:
        place = f"/dev/fd/{reader}"
        said = ciforge("affected", "--files", "docs/x", "--graph", place, at=workspace.path)
    finally:
        os.close(reader)
    assert said.names == ["docs"]


# --- files that vanish ------------------------------------------------------------------


def vanishing(monkeypatch: pytest.MonkeyPatch, name: str, *, returns: bool = False) -> None:
    """Deletes the file right after it was looked at, once or (with `returns`) each time."""
    look = collect_tree._mode

    def looked(git: Any, path: str) -> str | None:
        place = git.workspace / path
        if path == name and returns and not place.is_symlink():
            place.write_text("back")
        found = look(git, path)
        if path == name:
            place.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(collect_tree, "_mode", looked)


def test_a_file_that_vanishes_between_look_and_read(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest_of(workspace)
    workspace.write({"apps/api/new.ts": "1"})
    vanishing(monkeypatch, "apps/api/new.ts")
    assert digest_of(workspace) == before
    workspace.write({"apps/api/new.ts": "1"})
    assert workspace.plan().code == 0


def test_files_that_keep_vanishing(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace.write({"apps/api/new.ts": "1"})
    vanishing(monkeypatch, "apps/api/new.ts", returns=True)
    refused(workspace.plan(), "files keep vanishing", hint="wait until")


def test_a_link_that_vanishes_between_look_and_read(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest_of(workspace)
    (workspace.path / "apps/api/link").symlink_to("x")
    vanishing(monkeypatch, "apps/api/link")
    assert digest_of(workspace) == before


def test_files_that_vanish_while_they_are_read(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.write({"package.json": '{"name": "acme"}\n', "apps/api/src/main.ts": APP + "\n"})
    read = files.read_bytes

    def gone(path: Path, *, pipe: bool = False) -> bytes | None:
        if path.suffix == ".ts" or path.name == "package.json":
            path.unlink(missing_ok=True)
        return read(path, pipe=pipe)

    monkeypatch.setattr(files, "read_bytes", gone)
    for said in (workspace.affected(), workspace.plan(), workspace.run("graph")):
        assert said.code == 0, said


def test_a_git_that_fails_on_a_file_is_not_called_vanishing(workspace: Workspace) -> None:
    workspace.commit({".gitattributes": "*.bin filter=odd\n"})
    workspace.repo.git("config", "filter.odd.clean", "false")
    workspace.repo.git("config", "filter.odd.required", "true")
    workspace.write({"apps/api/x.bin": "1"})
    said = workspace.run("digest", "api")
    assert said.code in (2, 3)


# --- the workspace's own Nx -------------------------------------------------------------

SCRIPT = f"""#!{sys.executable}
import json, os, subprocess, sys, time
target = next(a[7:] for a in sys.argv if a.startswith("--file="))
graph = open({{graph!r}}).read()
def write(text=graph):
    open(target, "w").write(text)
"""


@pytest.fixture
def with_nx(workspace: Workspace) -> Callable[[str], None]:
    """Installs an `nx` of a few Python lines into node_modules, ignored by git."""
    workspace.commit({".gitignore": "node_modules\n.nx\n"})

    def install(body: str, head: str | None = None) -> None:
        place = workspace.path / "node_modules/.bin/nx"
        place.parent.mkdir(parents=True, exist_ok=True)
        start = SCRIPT.format(graph=str(workspace.graph_file)) if head is None else head
        place.write_text(start + body)
        place.chmod(0o755)

    return install


Install = Callable[[str], None]


def ask(workspace: Workspace) -> Any:
    return ciforge("affected", "--files", "libs/util/x", at=workspace.path)


def test_nx_is_asked_without_a_graph_file(
    workspace: Workspace, with_nx: Install, tmp_path: Path
) -> None:
    with_nx('open("seen", "w").write(json.dumps([sys.argv[1:], dict(os.environ)])); write()')
    assert ask(workspace).names == ["api", "util"]
    argv, env = json.loads((workspace.path / "seen").read_text())
    assert argv[0] == "graph"
    assert len(argv) == 2
    assert env["NX_DAEMON"] == "false"
    assert env["NX_NO_CLOUD"] == "true"
    assert not Path(argv[1].removeprefix("--file=")).exists()


def test_nx_fails(workspace: Workspace, with_nx: Install, unchanged: Look) -> None:
    with_nx('print("\\033[31mboom\\nat x.ts", file=sys.stderr); sys.exit(3)')
    unchanged()
    said = ask(workspace)
    assert said.code == 3
    assert said.out == ""
    assert said.err.splitlines() == [
        f"ciforge: {workspace.path}: nx graph failed (exit code 3):",
        "    \\x1b[31mboom",
        "    at x.ts",
        "  run it by hand in the workspace: nx graph --file=graph.json",
    ]


def test_nx_fails_with_much_to_say(workspace: Workspace, with_nx: Install) -> None:
    with_nx('print("line\\n" * 1000); sys.exit(1)')
    said = ask(workspace)
    assert said.code == 3
    assert "960 lines left out" in said.err
    assert len(said.err.splitlines()) < 50


def test_nx_is_killed(workspace: Workspace, with_nx: Install) -> None:
    with_nx("os.kill(os.getpid(), 9)")
    said = ask(workspace)
    assert said.code == 3
    assert "it said nothing" in said.err


PARTIAL = "An error occurred while processing files for the @acme/plugin plugin."


def test_nx_leaves_a_partial_graph(workspace: Workspace, with_nx: Install) -> None:
    with_nx(f'write(); print("NX  {PARTIAL}\\n  - x/project.json")')
    said = ask(workspace)
    assert said.code == 2
    assert said.out == ""
    assert "Nx wrote only a part of its graph" in said.err
    assert PARTIAL in said.err
    assert "x/project.json" in said.err


def test_nx_tells_of_a_partial_graph_on_standard_error(
    workspace: Workspace, with_nx: Install
) -> None:
    with_nx(f'write(); print("NX  {PARTIAL}", file=sys.stderr)')
    said = ask(workspace)
    assert said.code == 2
    assert "Nx wrote only a part of its graph" in said.err


def test_nx_tells_of_several_faults(workspace: Workspace, with_nx: Install) -> None:
    with_nx(f'write(); print("NX  {PARTIAL.replace("An error", "2 errors")}")')
    assert ask(workspace).code == 2


def test_nx_writes_no_file(workspace: Workspace, with_nx: Install) -> None:
    with_nx('print("all is well")')
    said = ask(workspace)
    assert said.code == 3
    assert "nx graph wrote no file" in said.err
    assert "all is well" in said.err


def test_nx_writes_no_file_and_says_nothing(workspace: Workspace, with_nx: Install) -> None:
    with_nx("")
    refused(ask(workspace), "nx graph wrote no file", code=3)


def test_nx_writes_half_a_file(workspace: Workspace, with_nx: Install) -> None:
    for text in ("", "{", '{"graph": {"nodes": {'):
        with_nx(f"write({text!r})")
        refused(ask(workspace), "nx graph", "is not JSON")


def test_nx_leaves_a_stale_file_behind(workspace: Workspace, with_nx: Install) -> None:
    """What Nx keeps for itself counts only when this very run wrote it."""
    workspace.write({".nx/workspace-data/project-graph.json": '{"nodes": {}, "dependencies": {}}'})
    with_nx("write()")
    assert ask(workspace).names == ["api", "util"]
    with_nx(
        'write("{}"); graph = json.loads(graph)["graph"]; graph["externalNodes"] = {}\n'
        'open(".nx/workspace-data/project-graph.json", "w").write(json.dumps(graph))'
    )
    assert ask(workspace).names == ["api", "util"]


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    run = nx.run
    monkeypatch.setattr(nx, "run", lambda argv, **options: run(argv, **{**options, "timeout": 0.3}))


def test_nx_hangs(workspace: Workspace, with_nx: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)
    with_nx('subprocess.Popen(["sleep", "12"]); time.sleep(12)')
    with deadline(8):
        said = ask(workspace)
    assert said.code == 3
    assert "gave no answer within 0.3 s" in said.err


def test_nx_hangs_and_the_way_out(
    workspace: Workspace, with_nx: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch)
    with_nx("time.sleep(3)")
    refused(ask(workspace), "gave no answer within", code=3)


@pytest.mark.parametrize("head", ["", "echo no shebang\n", "\x7fELF"], ids=["empty", "text", "elf"])
def test_an_nx_that_is_no_program(workspace: Workspace, with_nx: Any, head: str) -> None:
    with_nx("", head)
    assert ask(workspace).code == 3


def test_an_nx_without_its_interpreter(workspace: Workspace, with_nx: Any) -> None:
    with_nx("", "#!/no/such/interpreter\n")
    said = ask(workspace)
    assert said.code == 3
    assert "PATH" not in said.err


def test_an_nx_that_may_not_run(workspace: Workspace, with_nx: Install) -> None:
    with_nx("write()")
    (workspace.path / "node_modules/.bin/nx").chmod(stat.S_IRUSR)
    said = ask(workspace)
    assert said.code == 3
    assert "may not be executed" in said.err


def test_no_nx(workspace: Workspace, unchanged: Look) -> None:
    for command in (("affected",), ("plan",), ("graph",), ("digest", "api")):
        said = ciforge(*command, at=workspace.path)
        refused(said, "the workspace's own Nx is not installed", code=3, hint="--graph FILE")


@pytest.mark.node
def test_only_the_wrapper(workspace: Workspace) -> None:
    """A workspace of another language has Nx behind `.nx/nxw.js` alone."""
    workspace.write(
        {
            ".gitignore": ".nx\n",
            ".nx/nxw.js": "const fs = require('fs');\n"
            "const file = process.argv.find((a) => a.startsWith('--file=')).slice(7);\n"
            f"fs.copyFileSync({json.dumps(str(workspace.graph_file))}, file);\n",
        }
    )
    workspace.commit()
    assert ask(workspace).names == ["api", "util"]
    workspace.write({".nx/nxw.js": "throw new Error('no network')\n"})
    said = ask(workspace)
    assert said.code == 3
    assert "Error: no network" in said.err


def test_no_node_and_no_git(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    workspace.write({".nx/nxw.js": ""})
    monkeypatch.setenv("PATH", str(tmp_path))
    refused(ask(workspace), "node was not found", code=3, hint="PATH")
    for command in (("affected",), ("plan",), ("digest", "api")):
        refused(workspace.run(*command), "git was not found", code=3, hint="PATH")
