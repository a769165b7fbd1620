"""Names chosen to break things: of projects, files, branches, revisions, folders."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import (
    APP,
    Workspace,
    ciforge,
    graph_of,
    node,
    process_of,
    refused,
    several,
)

Look = Callable[[], None]


# Characters that turn the direction of a text, or end a line for some readers.
TRICKS = re.compile("[\u200e\u200f\u2028-\u202e\u2066-\u2069]")

NAMES = {
    "space": "a b  c",
    "quotes": 'it\'s "quoted" `here`',
    "newline": "first\nciforge: error: second",
    "emoji": "🚀-é-日本",
    "dash": "--base",
    "ansi": "\x1b[31mred\x1b[0m",
    "shell": "$(reboot); rm -rf / | & > x",
    "markup": "<script>|x|</script> [a](b) *c*",
    "format": "%s {0} ${HOME}",
    "windows": "a\\b:c",
    "tricks": "a\u202eb\u2028c\u2066",
    "del": "a\x7fb",
    "c1": "a\x9b31mb",
    "bell": "a\a\b\rb\t",
}
CONTROLS = ("ansi", "del", "c1", "bell")


def shown(name: str) -> str:
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name
    )


def with_project(workspace: Workspace, name: str, *, app: bool = False) -> None:
    workspace.write({"apps/odd/src/main.ts": APP, "apps/odd/project.json": "{}\n"})
    workspace.commit()
    graph = Workspace.stock()
    graph["graph"]["nodes"][name] = node(name, "apps/odd", "app" if app else "lib")
    graph["graph"]["dependencies"][name] = [{"source": name, "target": "util", "type": "static"}]
    workspace.graph(graph)


# --- projects ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_project_of_any_name_is_answered(workspace: Workspace, name: str) -> None:
    with_project(workspace, name)
    changed = ("--files", "libs/util/x")
    assert sorted(workspace.affected(*changed).names) == sorted(["api", shown(name), "util"])
    why = workspace.affected(*changed, f"--why={name}")
    assert why.names[-1] == f"   └─ {shown(name)}  (static dependency)"
    not_affected = workspace.affected("--files", "docs/x", f"--why={name}")
    assert not_affected.code == 1
    assert not_affected.out == f"{shown(name)} is not affected\n"
    tree = workspace.run("graph").out.splitlines()
    assert f"{shown(name)} (lib, apps/odd)" in tree
    assert not TRICKS.search(workspace.run("graph").out)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_service_of_any_name_is_planned(workspace: Workspace, name: str) -> None:
    with_project(workspace, name, app=True)
    workspace.write({"libs/util/src/index.ts": "export const util = 2;\n"})
    said = workspace.plan()
    assert said.code == 0
    assert not TRICKS.search(said.out)
    mermaid = workspace.plan("--format", "mermaid")
    assert mermaid.code == 0
    for line in mermaid.names:
        assert line.count('"') % 2 == 0, line


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_json_holds_any_name_as_it_is(workspace: Workspace, name: str) -> None:
    with_project(workspace, name, app=True)
    changed = ("--files", "libs/util/x")
    names = workspace.affected(*changed, "--format", "json").json
    assert names == sorted(["api", name, "util"])
    why = workspace.affected(*changed, f"--why={name}", "--format", "json").json
    assert [step["node"] for step in why["chain"]] == ["util", name]
    projects = workspace.run("graph", "--format", "json").json["projects"]
    assert name in [project["name"] for project in projects]
    workspace.write({"libs/util/src/index.ts": "export const util = 2;\n"})
    plan = workspace.plan("--format", "json").json
    assert plan["affected"] == names
    assert [name] in [service["projects"] for service in plan["services"]]


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_mermaid_holds_any_name(workspace: Workspace, name: str) -> None:
    with_project(workspace, name)
    lines = workspace.run("graph", "--format", "mermaid").names
    assert len(lines) == 7
    label = next(line for line in lines if line.startswith("  p") and "odd" not in line)
    assert re.fullmatch(r'  p\d+\(?\[?\(?"[^"<>\[\]]*"\)?\]?\)?', label), label


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_dot_holds_any_name(workspace: Workspace, name: str) -> None:
    with_project(workspace, name)
    lines = workspace.run("graph", "--format", "dot").names
    assert len(lines) == 10
    quoted = r'"(?:[^"\\]|\\.)*"'
    for line in lines[3:-1]:
        assert re.fullmatch(rf"  {quoted}(?: -> {quoted})?(?: \[\w+=\w+\])?;", line), line


def test_patterns_take_names_as_they_are(workspace: Workspace) -> None:
    for name in ("a b  c", "🚀-é-日本", "a\\b:c"):
        with_project(workspace, name)
        changed = ("--files", "libs/util/x")
        assert workspace.affected(*changed, f"--projects={name}").names == [shown(name)]
        assert workspace.affected(*changed, f"--exclude={name}").names == ["api", "util"]


def test_an_unknown_project_of_any_name(workspace: Workspace) -> None:
    for name in NAMES.values():
        said = workspace.affected("--files", "docs/x", f"--why={name}")
        refused(said, "there is no project", hint="ciforge graph")
    refused(workspace.affected("--files", "docs/x", "--why", "utl"), hint="did you mean 'util'?")


def test_an_unknown_service_of_any_name(workspace: Workspace) -> None:
    for name in NAMES.values():
        if not name.startswith("-"):
            refused(workspace.run("digest", name), "there is no service", hint="services here: api")
    refused(workspace.run("digest", "apj"), hint="did you mean 'api'?")


def test_two_projects_that_would_share_an_image(workspace: Workspace) -> None:
    with_project(workspace, "API", app=True)
    refused(workspace.plan(), "'api'", "'API'", "both become the image 'api'", hint="services:")


def test_a_gone_folder_of_any_name_warns_in_two_lines(workspace: Workspace) -> None:
    for name in NAMES.values():
        workspace.project(name, "gone")
        lines = workspace.run("graph").err.splitlines()
        assert len(lines) == 2
        assert lines[0].startswith("ciforge: warning: the graph is not of this working tree")
        assert not TRICKS.search(lines[0])


# --- files ------------------------------------------------------------------------------

FILES = {
    **{n: f"apps/api/{NAMES[n]}.ts".replace("/ |", "|") for n in NAMES if n != "markup"},
    "lead": '"lead',
    "tail": "apps/api/a\r",
    "dot": "apps/api/...",
    "star": "apps/api/*",
    "colon": "apps/api/:(top)x",
    "bytes": "apps/api/\udcff\udcfe.ts",
    "long": f"apps/api/{'x' * 250}",
}


def put(workspace: Workspace, path: str, content: str = "1\n") -> None:
    place = workspace.path / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content)


@pytest.mark.parametrize("path", FILES.values(), ids=FILES)
def test_a_file_of_any_name_counts(workspace: Workspace, path: str) -> None:
    expected = [] if path == '"lead' else ["api"]
    before = workspace.run("digest", "api", "--format", "text").out
    put(workspace, path)
    assert workspace.affected().names == expected
    untracked = workspace.run("digest", "api").out
    assert (untracked != before) == bool(expected)
    assert workspace.plan().code == 0
    said = workspace.run("digest", "api", "--against", "main").out
    assert ("+ file" in said) == bool(expected)
    assert not TRICKS.search(said)
    if expected:
        why = workspace.affected("--why", "api").names
        assert len(why) == 2
        assert not TRICKS.search(why[0])
    workspace.repo.git("add", "--all")
    workspace.repo.git("commit", "--quiet", "--message", "x")
    assert workspace.run("digest", "api").out == untracked
    put(workspace, path, "2\n")
    assert workspace.affected("--uncommitted").names == expected
    assert (workspace.run("digest", "api").out != untracked) == bool(expected)


@pytest.mark.parametrize(
    ("form", "path"),
    [
        pytest.param(form, path, id=f"{form}-{n}")
        for form in ("text", "json", "markdown", "mermaid")
        for n, path in FILES.items()
        if n in ("newline", "emoji", "tricks", "bytes", "tail", "quotes", *CONTROLS)
    ],
)
def test_a_plan_tells_a_file_of_any_name(workspace: Workspace, form: str, path: str) -> None:
    put(workspace, path)
    said = workspace.plan("--format", form)
    assert said.code == 0
    if form == "json":
        assert said.json["services"][0]["input_changes"][0]["kind"] == "file"
    else:
        assert not TRICKS.search(said.out)
        assert "ciforge: error: second" not in [line.strip() for line in said.names]
    rows = [line for line in said.names if line.startswith(("| api", "  api "))]
    assert len(rows) == (form in ("text", "markdown"))


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=n)
        for n, path in FILES.items()
        if n in ("newline", "bytes", "ansi", "del", "c1", "tricks")
    ],
)
def test_json_tells_a_file_of_any_name(workspace: Workspace, path: str) -> None:
    put(workspace, path)
    assert workspace.affected("--why", "api", "--format", "json").json["file"] == path
    entries = workspace.run("digest", "api", "--format", "json").json["entries"]
    assert path in [entry["name"] for entry in entries]
    against = workspace.run("digest", "api", "--against", "main", "--format", "json").json
    assert [change["name"] for change in against["changes"]] == [path]


def test_markdown_stays_a_table(workspace: Workspace) -> None:
    for name in ("a|b.ts", "<img src=x>.ts", "`x`.ts", "[a](b).ts", "# x.ts", "@all ~bug !1.ts"):
        put(workspace, f"apps/api/{name}")
        rows = [r for r in workspace.plan("--format", "markdown").names if r.startswith("| api")]
        (row,) = rows
        assert len(re.findall(r"(?<!\\)\|", row)) == 4
        assert not re.search(r"(?<!\\)[`<\[@#~]", row)
        (workspace.path / "apps/api" / name).unlink()


# --- --files ----------------------------------------------------------------------------


def test_files_named_on_the_command_line(workspace: Workspace) -> None:
    for path in ("./docs/x", "/docs/x", "../docs/x", ".", ".."):
        refused(workspace.affected("--files", path), repr(path), hint="apps/api/src/main.ts")
    for path in ("docs/-x", "docs/$(reboot)", "docs/\x1b[31m", "docs/a b", "docs/é", "docs/\udcff"):
        assert workspace.affected("--files", path).names == ["docs"]
    assert workspace.affected("--files", "").names == []
    assert workspace.affected("--files", "no/project").names == []
    assert workspace.affected("--files", "docs/" + "x/" * 5000).names == ["docs"]


@pytest.mark.parametrize("paths", [",", "docs/x,", "docs/../x", "docs//x", "docs/./x", "docs/x/"])
def test_files_that_are_no_paths_are_no_bug(workspace: Workspace, paths: str) -> None:
    assert workspace.affected("--files", paths).code in (0, 2)


# --- revisions and branches -------------------------------------------------------------

REVISIONS = {
    "option": "--upload-pack=touch hacked",
    "shell": "$(touch hacked)",
    "list": "; touch hacked",
    "pipe": "| touch hacked",
    "backtick": "`touch hacked`",
    "dash": "-",
    "range": "main..main",
    "symmetric": "main...main",
    "file": "main:nx.json",
    "message": "HEAD^{/no such}",
    "reflog": "main@{99}",
    "newline": "main\nmain",
    "nul": "main\0",
    "ansi": "\x1b[31mmain",
    "bytes": "\udcff",
    "empty": "",
    "blank": " ",
}


@pytest.mark.parametrize("revision", REVISIONS.values(), ids=REVISIONS)
def test_a_hostile_base_is_refused(workspace: Workspace, revision: str, unchanged: Look) -> None:
    refused(workspace.affected(f"--base={revision}"))
    refused(workspace.plan(f"--base={revision}"))
    refused(workspace.run("digest", "api", f"--against={revision}"))


@pytest.mark.parametrize("revision", REVISIONS.values(), ids=REVISIONS)
def test_a_hostile_head_is_refused(workspace: Workspace, revision: str) -> None:
    refused(workspace.affected("--base=main", f"--head={revision}"))


@pytest.mark.parametrize("head", ["docs", "nx.json", "feature/*", "*"])
def test_a_head_that_is_a_path_is_refused(workspace: Workspace, head: str) -> None:
    """As after a branch called like a folder that was not fetched."""
    workspace.commit({"libs/util/src/index.ts": "2\n"})
    refused(workspace.affected("--base", "HEAD~1", "--head", head), repr(head), "is no commit")


@pytest.mark.parametrize("base", ["docs", "nx.json", "feature/*", "*"])
def test_a_base_that_is_a_path_is_refused(workspace: Workspace, base: str) -> None:
    workspace.commit({"libs/util/src/index.ts": "2\n"})
    for said in (workspace.affected("--base", base), workspace.plan("--base", base)):
        refused(said, repr(base), "is no commit")


def test_a_branch_called_like_a_folder(workspace: Workspace) -> None:
    workspace.repo.git("branch", "docs")
    workspace.repo.git("checkout", "--quiet", "-b", "feature/x")
    workspace.commit({"libs/util/src/index.ts": "2\n"})
    assert workspace.affected("--base", "docs").names == ["api", "util"]
    assert workspace.affected("--base", "docs", "--head", "feature/x").names == ["api", "util"]
    assert workspace.plan("--base", "docs").code == 0


def test_a_base_that_begins_with_a_dash_reads_as_an_option(workspace: Workspace) -> None:
    for command in ("affected", "plan"):
        said = workspace.run(command, "--base", "--upload-pack=x")
        refused(said, "--base: expected one argument", hint=f"ciforge {command} --help")


@pytest.mark.parametrize("revision", ["^main", "^HEAD"])
def test_a_negated_base_is_refused(workspace: Workspace, revision: str) -> None:
    workspace.commit({"docs/x": ""})
    refused(workspace.affected("--base", revision))
    refused(workspace.plan("--base", revision))
    refused(workspace.affected("--base", "main", "--head", revision))
    refused(workspace.run("digest", "api", "--against", revision))


def test_a_long_base_is_shortened(workspace: Workspace) -> None:
    for said in (
        workspace.affected("--base", "a" * 10_000),
        workspace.plan("--base", "a" * 10_000),
    ):
        refused(said, "is no commit of this repository")


def test_a_long_base_is_refused(workspace: Workspace) -> None:
    for said in (
        workspace.affected("--base", "a" * 10_000),
        workspace.plan("--base", "a" * 10_000),
    ):
        assert said.code == 2
        assert "is no commit of this repository" in said.err


def test_a_base_longer_than_an_argument_may_be(workspace: Workspace) -> None:
    workspace.write({"nx.json": json.dumps({"defaultBase": "a" * 200_000})})
    for said in (workspace.affected(), workspace.plan()):
        assert said.code in (2, 3)


@pytest.mark.parametrize(
    "variables",
    [
        {"NX_BASE": "--output=hacked"},
        {"NX_BASE": "nope"},
        {"NX_BASE": "main", "NX_HEAD": "--output=hacked"},
        {"NX_BASE": "main", "NX_HEAD": "nope"},
        {"NX_BASE": "0" * 40},
    ],
    ids=str,
)
def test_a_hostile_base_in_the_environment(
    workspace: Workspace,
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    unchanged: Look,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    refused(workspace.affected())


@pytest.mark.parametrize(
    "variables",
    [
        {"CI_MERGE_REQUEST_DIFF_BASE_SHA": "--output=hacked"},
        {"CI_COMMIT_TAG": "--all"},
        {"CI_COMMIT_BRANCH": "x", "CI_COMMIT_BEFORE_SHA": "--upload-pack=touch hacked"},
        {"CI_DEFAULT_BRANCH": "--upload-pack=touch hacked"},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_hostile_variables_of_ci(
    workspace: Workspace,
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    unchanged: Look,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    refused(workspace.plan())
    refused(workspace.affected("--base", "auto"))


@pytest.mark.parametrize(
    "name",
    ["$(reboot)", "a;rm", "'q", '"q', "🚀é", "a`b`", "a&b|c", "-x", "--all", "@", "a\u202eb"],
)
def test_a_branch_of_any_name(workspace: Workspace, name: str, unchanged: Look) -> None:
    first = workspace.repo.git("rev-parse", "HEAD")
    workspace.repo.git("update-ref", f"refs/heads/{name}", first)
    workspace.repo.git("symbolic-ref", "HEAD", f"refs/heads/{name}")
    unchanged()
    plan = workspace.plan("--format", "json").json
    assert plan["head"]["ref"] in (name, f"heads/{name}")
    assert plan["base"]["commit"] == first
    text = workspace.plan()
    assert f" on {shown(plan['head']['ref'])}" in text.out
    assert not TRICKS.search(text.out)
    assert workspace.affected("--base", f"refs/heads/{name}").names == []


def test_a_branch_that_turns_the_text(workspace: Workspace) -> None:
    workspace.repo.git("branch", "-m", "a\u202eb")
    said = workspace.plan("--base", "HEAD", "--format", "markdown")
    assert said.code == 0
    assert not TRICKS.search(said.out)


def test_a_remote_whose_default_branch_is_hostile(workspace: Workspace) -> None:
    first = workspace.repo.git("rev-parse", "HEAD")
    workspace.repo.git("update-ref", "refs/remotes/origin/--all", first)
    workspace.repo.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/--all")
    workspace.commit({"docs/index.md": "x"})
    base = workspace.plan("--format", "json").json["base"]
    assert (base["commit"], base["rule"]) == (first, "default-branch")


def test_the_trace_is_escaped(workspace: Workspace) -> None:
    workspace.affected("--verbose", "--base", "\x1b[31mx")


# --- folders and arguments --------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["a b", "q'\"", "🚀", "-C", "--help", "$(reboot)", "%s", "\x1b[31m", "a\nb", "\udcff"]
)
def test_a_workspace_in_a_folder_of_any_name(
    workspace: Workspace, name: str, tmp_path: Path
) -> None:
    place = tmp_path / "places" / name
    place.parent.mkdir()
    workspace.path.rename(place)
    argv = ("--graph", str(workspace.graph_file))
    (place / "libs/util/src/index.ts").write_text("2\n")
    assert ciforge("affected", *argv, at=place).names == ["api", "util"]
    assert ciforge("plan", *argv, at=place).code == 0
    assert ciforge("plan", "--format", "json", *argv, at=place).code == 0
    said = ciforge("affected", "--base", "nope", *argv, at=place)
    assert said.code == 2
    assert ciforge("plan", at=place).code == 3
    output = place.parent / f"{name}.json"
    assert ciforge("plan", "--format", "json", "-o", str(output), *argv, at=place).code == 0
    assert json.loads(output.read_bytes())["version"] == 1


@pytest.mark.parametrize("command", ["affected", "plan", "graph", "digest"])
def test_a_folder_called_like_a_command(
    workspace: Workspace, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = "graph" if command != "graph" else "plan"
    (workspace.path.parent / folder).symlink_to(workspace.path)
    monkeypatch.chdir(workspace.path.parent)
    extra = ["api"] if command == "digest" else []
    said = ciforge("-C", folder, command, *extra, "--graph", str(workspace.graph_file))
    assert said.code == 0, said


def test_arguments_that_are_no_arguments(workspace: Workspace) -> None:
    for argument in NAMES.values():
        said = ciforge("plan", f"--{argument}")
        assert said.code == 2
        assert not TRICKS.search(said.err)
        said = ciforge(f"x{argument}")
        assert said.code == 2
        assert not TRICKS.search(said.err)


def test_an_argument_cannot_write_a_line_of_its_own() -> None:
    said = ciforge("plan", "x\nciforge: all is well")
    assert len(said.err.splitlines()) == 2


@pytest.mark.parametrize("option", ["-C", "--graph", "-o"])
@pytest.mark.parametrize("path", ["x" * 300, "x/" * 3000, "a\0b"], ids=["name", "path", "nul"])
def test_paths_that_no_file_system_holds(workspace: Workspace, option: str, path: str) -> None:
    argv = [option, path] if option == "-C" else ["-C", str(workspace.path), option, path]
    if option != "--graph":
        argv += ["--graph", str(workspace.graph_file)]
    assert ciforge("plan", *argv).code == 2


# --- what the terminal and the locale take ----------------------------------------------

LOCALES = [
    {"LC_ALL": "C"},
    {"LC_ALL": "POSIX", "PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]


def test_output_is_the_same_under_any_locale(workspace: Workspace) -> None:
    name = "🚀-é"
    with_project(workspace, name)
    put(workspace, "libs/util/é.ts")
    graph = ("--graph", str(workspace.graph_file))
    always = (("affected", *graph), ("graph", *graph))
    commands = (*always, ("plan", "--format", "json", *graph), ("digest", "api", *graph))
    before = several(*commands, at=workspace.path, env={})
    assert before.code == 0
    for locale in LOCALES[:2]:
        assert several(*commands, at=workspace.path, env=locale) == before
    assert before.out.startswith(several(*always, at=workspace.path, env=LOCALES[2]).out)


def test_a_name_that_the_stream_cannot_hold(workspace: Workspace) -> None:
    with_project(workspace, "🚀")
    argv = ("affected", "--files", "docs/x", "--why", "🚀", "--graph", str(workspace.graph_file))
    said = process_of(*argv, at=workspace.path, env={"PYTHONIOENCODING": "ascii"})
    assert said.code == 1


def test_a_folder_beyond_ascii_without_utf8(workspace: Workspace) -> None:
    put(workspace, "libs/é/x.ts")
    workspace.project("odd", "libs/é")
    argv = ("affected", "--graph", str(workspace.graph_file))
    assert process_of(*argv, at=workspace.path).names == ["odd"]
    assert process_of(*argv, at=workspace.path, env=LOCALES[2]).names == ["odd"]


def test_names_in_errors_under_ascii(workspace: Workspace) -> None:
    argv = ("affected", "--files", "docs/x", "--why", "né", "--graph", str(workspace.graph_file))
    said = process_of(*argv, at=workspace.path, env={"PYTHONIOENCODING": "ascii"})
    assert said.code == 2
    assert said.err.startswith("ciforge: error: there is no project 'n\\xe9' in the graph\n")


def test_a_graph_with_half_a_surrogate_is_refused(workspace: Workspace) -> None:
    workspace.graph(json.dumps(graph_of([node("\ud800", "x")])))
    refused(workspace.affected("--files", "docs/x"), "is not JSON", "surrogate")
    assert os.path.exists(workspace.graph_file)
