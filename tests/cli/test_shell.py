"""How ciforge behaves as a program, and how its base policy fares in real repositories."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ciforge.cli.main import COMMANDS
from tests.cli.conftest import (
    Workspace,
    ciforge,
    graph_of,
    node,
    process_of,
    refused,
    several,
    spawn,
)
from tests.conftest import Repo

Look = Callable[[], None]
ESCAPE = b"\x1b"
ZERO = "0" * 40


# --- help and exit codes ----------------------------------------------------------------


def test_help_names_every_command() -> None:
    said = ciforge("--help")
    assert said.code == 0
    assert said.err == ""
    for name, summary in COMMANDS.items():
        assert name in said.out
        assert summary.split(",")[0] in " ".join(said.out.split())
    assert "Exit codes" in said.out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_has_examples(command: str) -> None:
    said = ciforge(command, "--help")
    assert said.code == 0
    assert said.err == ""
    assert said.out.startswith(f"usage: ciforge {command}")
    examples = said.out.partition("examples:\n")[2].splitlines()
    assert any(line.startswith(f"  ciforge {command}") for line in examples)
    for line in said.out.splitlines():
        assert len(line) <= 120, line


def test_examples_in_the_help_parse(workspace: Workspace) -> None:
    """Each example's options exist: nothing is refused as an unknown argument."""
    for command in ("affected", "plan", "digest", "graph"):
        text = ciforge(command, "--help").out.partition("examples:\n")[2]
        for line in text.splitlines():
            words = re.split(r"\s{2,}|[|>]", line.strip())[0].split()
            if words[:1] == ["ciforge"]:
                argv = [
                    word.strip("'") for word in words[1:] if word != "plan.json" and word != "-o"
                ]
                said = ciforge(*argv, at=workspace.path)
                assert "arguments" not in said.err, (line, said.err)


def test_usage_errors() -> None:
    for argv, words, hint in (
        (["afected"], "'afected'", "did you mean 'affected'?"),
        (["nope"], "'nope'", "ciforge --help"),
        (["plan", "--format", "jsn"], "'jsn'", "did you mean 'json'?"),
        (["plan", "--formt", "json"], "--formt", "--help"),
        (["plan", "extra"], "extra", "--help"),
        (["digest"], "SERVICE", "ciforge digest --help"),
        (["plan", "--base"], "--base", "ciforge plan --help"),
        (["affected", "--head", "main"], "--head needs --base", "--base REV"),
        (["affected", "--files", "a", "--base", "b"], "exclude each other", "one way"),
        (["affected", "--uncommitted", "--untracked"], "exclude each other", "one way"),
        (["affected", "--base", "a", "--untracked"], "exclude each other", "one way"),
    ):
        refused(ciforge(*argv), words, hint=hint)


def test_no_command_shows_the_help() -> None:
    said = ciforge()
    assert said.code == 2
    assert said.out.startswith("usage: ciforge")


def test_version() -> None:
    assert re.fullmatch(r"ciforge \d+\.\d+\.\d+\S*\n", ciforge("--version").out)


def test_options_before_and_after_the_command(workspace: Workspace) -> None:
    place, graph = str(workspace.path), str(workspace.graph_file)
    argv = ["--files", "libs/util/x", "--graph", graph]
    before = ciforge("-C", place, "affected", *argv)
    assert before.names == ["api", "util"]
    assert ciforge("affected", "-C", place, *argv) == before
    assert ciforge("affected", *argv, "-C", place) == before


def test_verbose_shows_each_call_with_its_time(workspace: Workspace) -> None:
    quiet = workspace.affected("--base", "main")
    said = workspace.affected("--base", "main", "--verbose")
    assert said.out == quiet.out
    assert re.search(r"^\[ *\d+\.\d{3} s\] git merge-base main HEAD$", said.err, re.MULTILINE)


def test_doctor(workspace: Workspace, tmp_path: Path, unchanged: Look) -> None:
    said = ciforge("doctor", at=workspace.path)
    assert said.code == 0
    assert re.search(r"^ok +git ", said.out, re.MULTILINE)
    assert re.search(r"^missing +nx ", said.out, re.MULTILINE)
    checks = ciforge("doctor", "--format", "json", at=workspace.path).json["checks"]
    assert {"name", "ok", "found", "needed_for", "fix", "required"} <= set(checks[0])
    outside = ciforge("doctor", at=tmp_path / "nowhere")
    assert outside.code == 1
    assert outside.err == ""


def test_schema_and_completion() -> None:
    for of in ([], ["config"], ["plan"]):
        assert "$defs" in ciforge("schema", *of).json
    for shell in ("bash", "zsh", "tcsh"):
        said = ciforge("completion", shell)
        assert said.code == 0
        assert "ciforge" in said.out
    done = subprocess.run(["bash", "-n"], input=ciforge("completion", "bash").out.encode())
    assert done.returncode == 0


# --- where ---------------------------------------------------------------------------


def test_a_directory_that_is_none(workspace: Workspace, tmp_path: Path) -> None:
    for place in (tmp_path / "none", workspace.path / "nx.json" / "x"):
        said = ciforge("plan", at=place)
        assert said.code == 2
        assert said.err.startswith(f"ciforge: error: {place}: no such directory")
    said = ciforge("plan", at=workspace.path / "nx.json")
    assert said.code == 2
    assert "is not a directory" in said.err


def test_a_bad_directory_says_what_to_do(workspace: Workspace, tmp_path: Path) -> None:
    refused(ciforge("plan", at=tmp_path / "none"), "no such directory")
    refused(ciforge("plan", at=workspace.path / "nx.json"), "is not a directory")


def test_no_workspace_and_too_many(repo: Repo) -> None:
    refused(ciforge("plan", at=repo.path), "no nx.json here, above or below", hint="-C DIR")
    repo.write({"a/nx.json": "{}", "b/c/nx.json": "{}", "node_modules/x/nx.json": "{}"})
    refused(ciforge("plan", at=repo.path), "2 Nx workspaces below: a, b/c", hint="workspace: DIR")


@pytest.fixture
def below(repo: Repo, tmp_path: Path) -> Workspace:
    made = Workspace(repo, tmp_path / "graph.json", "front/end")
    made.fill()
    return made


def test_a_workspace_in_a_subfolder(below: Workspace) -> None:
    """Paths are relative to it, and what changes outside of it does not count."""
    graph = ("--graph", str(below.graph_file))
    places = (below.path, below.repo.path, below.path / "apps/api/src")
    below.repo.write({"docs/index.md": "", "nx.txt": "", "libs/util/x.ts": ""})
    for place in places:
        assert ciforge("affected", *graph, at=place).names == []
    below.write({"libs/util/src/index.ts": "2\n", "docs/new.md": ""})
    for place in places:
        assert ciforge("affected", *graph, at=place).names == ["api", "docs", "util"]
    assert below.affected("--why", "api").names[0] == "libs/util/src/index.ts"
    below.commit()
    commits = ("--base", "HEAD~1", "--head", "HEAD")
    assert below.affected(*commits).names == ["api", "docs", "util"]
    plan = below.plan("--format", "json", "--base", "HEAD~1").json
    assert plan["services"][0]["input_changes"] == [
        {"change": "changed", "kind": "file", "name": "libs/util/src/index.ts"}
    ]


def test_a_digest_does_not_depend_on_the_subfolder(below: Workspace, workspace: Workspace) -> None:
    assert below.repo.path == workspace.repo.path
    answers = [w.run("digest", "api", "--format", "json").json for w in (below, workspace)]
    assert answers[0]["digest"] == answers[1]["digest"]


def test_a_configuration_above_the_workspace(below: Workspace) -> None:
    below.repo.commit("x", {"ciforge.yaml": "image: {salt: one}\n"})
    below.repo.write({"ciforge.yaml": "image: {salt: two}\n"})
    said = below.run("digest", "api", "--against", "HEAD").out
    assert "one → two" in said


def test_inside_a_hook(below: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    below.write({"libs/util/src/index.ts": "2\n"})
    below.commit()
    expected = ["api", "util"]
    assert below.affected("--base", "HEAD~1", "--head", "HEAD").names == expected
    monkeypatch.setenv("GIT_DIR", str(below.repo.path / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(below.repo.path / ".git" / "index"))
    assert below.affected("--base", "HEAD~1", "--head", "HEAD").names == expected


def test_in_a_worktree(workspace: Workspace, tmp_path: Path) -> None:
    workspace.repo.git("worktree", "add", "--quiet", "-b", "other", str(tmp_path / "tree"))
    (tmp_path / "tree/libs/util/src/index.ts").write_text("2\n")
    graph = ("--graph", str(workspace.graph_file))
    assert ciforge("affected", *graph, at=tmp_path / "tree").names == ["api", "util"]
    plan = ciforge("plan", "--format", "json", *graph, at=tmp_path / "tree").json
    assert plan["head"]["ref"] == "other"


# --- nothing is written -----------------------------------------------------------------


def test_no_command_writes_into_the_workspace(workspace: Workspace, unchanged: Look) -> None:
    workspace.write({".gitignore": "dist\n", "dist/x": "", "docs/index.md": "other\n", "new": ""})
    os.utime(workspace.path / "nx.json")  # git would refresh its index now
    unchanged()
    for command in (
        ("affected",),
        ("affected", "--base", "auto"),
        ("affected", "--uncommitted"),
        ("affected", "--why", "docs"),
        ("graph",),
        ("graph", "--format", "dot"),
        ("digest", "api"),
        ("digest", "api", "--against", "main"),
        ("plan",),
        ("plan", "--format", "json", "--offline"),
        ("plan", "--base", "main", "--format", "markdown"),
    ):
        assert workspace.run(*command).code == 0
    for command in (("doctor",), ("schema",), ("completion", "bash")):
        assert ciforge(*command, at=workspace.path).code == 0


def test_a_process_writes_nothing_either(workspace: Workspace, unchanged: Look) -> None:
    graph = ("--graph", str(workspace.graph_file))
    assert process_of("plan", *graph, at=workspace.path).code == 0
    assert process_of("affected", "--base", "nope", *graph, at=workspace.path).code == 2


def test_an_output_file(workspace: Workspace, tmp_path: Path, unchanged: Look) -> None:
    place = tmp_path / "new" / "folder" / "plan.json"
    said = workspace.plan("--format", "json", "-o", str(place))
    assert (said.code, said.out) == (0, "")
    assert place.read_text() == workspace.plan("--format", "json").out
    assert os.listdir(place.parent) == ["plan.json"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(place.stat().st_mode) == 0o666 & ~umask
    assert workspace.plan("-o", str(place)).code == 0
    assert place.read_text() == workspace.plan().out


def test_an_output_file_in_a_place_that_takes_none(
    workspace: Workspace, tmp_path: Path, unchanged: Look
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("kept")
    for place in (taken / "plan.json", tmp_path, Path("/proc/nowhere/plan.json")):
        refused(workspace.plan("-o", str(place)), f"{place}: cannot write: ")
    assert taken.read_text() == "kept"
    assert sorted(os.listdir(tmp_path)) == ["graph.json", "repo", "taken"]


def test_a_full_disk_leaves_the_old_file(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "plan.json"
    place.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    refused(workspace.plan("-o", str(place)), "No space left on device")
    assert place.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["graph.json", "plan.json", "repo"]


def test_an_output_file_that_is_a_pipe(workspace: Workspace, tmp_path: Path) -> None:
    """As /dev/stdout and /dev/null are: written to, never replaced."""
    place = tmp_path / "pipe"
    os.mkfifo(place)
    reader = os.open(place, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert workspace.plan("-o", str(place)).code == 0
        assert stat.S_ISFIFO(place.lstat().st_mode)
        assert os.read(reader, 1 << 20).startswith(b"1 service")
    finally:
        os.close(reader)


def test_an_output_file_behind_a_link(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert workspace.plan("-o", str(tmp_path / "link")).code == 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text().startswith("1 service")


# --- streams and signals ----------------------------------------------------------------


def shell(workspace: Workspace, line: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    """Runs a line of bash; `$ciforge` is the command and `$graph` its option."""
    variables = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "ciforge": f"{sys.executable} -m ciforge",
        "graph": f"--graph {workspace.graph_file}",
        **env,
    }
    return subprocess.run(
        ["bash", "-c", line], cwd=workspace.path, env=variables, capture_output=True, timeout=30
    )


@pytest.mark.parametrize(
    "command",
    ["schema", "--help", "plan --help", "completion bash", "graph $graph", "plan $graph", "doctor"],
)
def test_a_reader_that_goes_away(workspace: Workspace, command: str) -> None:
    done = shell(workspace, f"$ciforge {command} | true; echo ${{PIPESTATUS[0]}}")
    assert done.stdout == b"0\n"
    assert done.stderr == b""


def test_a_reader_that_takes_one_line(workspace: Workspace) -> None:
    nodes = [node(f"p{i}", f"docs/p{i}") for i in range(5000)]
    workspace.graph(graph_of(nodes))
    done = shell(workspace, "$ciforge graph $graph 2>err | head -1; cat err >&2; rm err")
    assert done.stdout == b"p0 (lib, docs/p0)\n"
    assert b"Traceback" not in done.stderr
    assert b"BrokenPipe" not in done.stderr


def test_a_closed_standard_output(workspace: Workspace) -> None:
    done = shell(workspace, "$ciforge affected --files docs/x $graph >&-")
    assert b"Traceback" not in done.stderr
    assert done.returncode in (0, 3)


def test_a_closed_standard_error(workspace: Workspace) -> None:
    done = shell(workspace, "$ciforge affected --base nope $graph 2>&-")
    assert done.returncode == 2
    done = shell(workspace, "$ciforge affected --files docs/x $graph 2>&-")
    assert (done.returncode, done.stdout) == (0, b"docs\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_standard_output(workspace: Workspace) -> None:
    done = shell(workspace, "$ciforge affected --files docs/x $graph >/dev/full")
    assert b"Traceback" not in done.stderr
    assert b"No space left on device" in done.stderr
    assert done.returncode == 3


@pytest.fixture
def slow_nx(workspace: Workspace) -> Iterator[Path]:
    """An nx that says that it runs, then hangs."""
    place = workspace.path / "node_modules/.bin/nx"
    place.parent.mkdir(parents=True)
    said = workspace.path.parent / "started"
    place.write_text(f"#!/bin/sh\necho $$ > {said}.new\nmv {said}.new {said}\nexec sleep 60\n")
    place.chmod(0o755)
    yield said
    wait_until(lambda: not runs(said.read_text().strip()), "nx still runs")


def runs(process: str) -> bool:
    """Whether a process is there and no zombie that its new parent has yet to reap."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def wait_until(true: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + 20
    while not true():
        assert time.monotonic() < until, otherwise
        time.sleep(0.02)


@pytest.mark.parametrize("command", ["affected", "plan", "graph"])
def test_control_c(workspace: Workspace, slow_nx: Path, command: str, tmp_path: Path) -> None:
    """To the whole group, as a terminal sends it: one line, 130, no traceback, no leftovers."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    started = spawn(
        command, at=workspace.path, start_new_session=True, env={"TMPDIR": str(temporary)}
    )
    wait_until(slow_nx.exists, "nx was not started")
    os.killpg(started.pid, signal.SIGINT)
    out, err = started.communicate(timeout=20)
    assert (started.returncode, out, err) == (130, b"", b"ciforge: interrupted\n")
    assert list(temporary.iterdir()) == []


def test_control_c_to_ciforge_alone(workspace: Workspace, slow_nx: Path) -> None:
    started = spawn("affected", at=workspace.path)
    wait_until(slow_nx.exists, "nx was not started")
    started.send_signal(signal.SIGINT)
    _, err = started.communicate(timeout=20)
    assert (started.returncode, err) == (130, b"ciforge: interrupted\n")


@pytest.mark.parametrize("command", ["affected", "plan"])
def test_a_terminated_process_leaves_nothing(
    workspace: Workspace, slow_nx: Path, command: str, tmp_path: Path
) -> None:
    """As GitLab ends a job that was cancelled: SIGTERM."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    started = spawn(command, at=workspace.path, env={"TMPDIR": str(temporary)})
    wait_until(slow_nx.exists, "nx was not started")
    started.terminate()
    out, err = started.communicate(timeout=20)
    try:
        assert started.returncode in (143, -signal.SIGTERM)
        assert b"Traceback" not in err
        assert out == b""
        assert list(temporary.iterdir()) == []
        assert not runs(slow_nx.read_text().strip())
    finally:
        if runs(slow_nx.read_text().strip()):
            os.kill(int(slow_nx.read_text()), signal.SIGKILL)


def on_terminal(workspace: Workspace, *argv: str, **env: str) -> bytes:
    """What a command writes to a terminal."""
    ours, theirs = pty.openpty()
    started = spawn(
        *argv, at=workspace.path, env=env, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL
    )
    os.close(theirs)
    said = b""
    try:
        while chunk := os.read(ours, 65536):
            said += chunk
    except OSError:
        pass  # Linux: the other side is closed
    finally:
        os.close(ours)
    started.wait(timeout=20)
    return said


def test_colours_on_a_terminal_only(workspace: Workspace) -> None:
    argv = ("plan", "--offline", "--graph", str(workspace.graph_file))
    assert ESCAPE in on_terminal(workspace, *argv, TERM="xterm")
    assert ESCAPE not in shell(workspace, "$ciforge plan $graph", TERM="xterm").stdout


def test_errors_in_colour_on_a_terminal_only(workspace: Workspace) -> None:
    argv = ("affected", "--head", "\x1b[5mnope")
    said = on_terminal(workspace, *argv, TERM="xterm")
    assert said.startswith(b"\x1b[31mciforge: error:\x1b[0m ")
    assert said.count(ESCAPE) == 2
    assert ESCAPE not in on_terminal(workspace, *argv, TERM="xterm", NO_COLOR="1")
    assert ESCAPE not in on_terminal(workspace, *argv, TERM="dumb")
    assert ESCAPE not in shell(workspace, "$ciforge affected --head nope").stderr


def test_no_colours_in_formats_for_machines(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ciforge.cli.terminal.colours", lambda _: True)
    workspace.write({"libs/util/src/index.ts": "2\n"})
    for form in ("json", "markdown", "mermaid"):
        assert workspace.plan("--format", form).code == 0  # each run is searched for escapes


# --- determinism ------------------------------------------------------------------------


def test_the_same_bytes_everywhere(workspace: Workspace, tmp_path: Path) -> None:
    """Over hash seeds, places of the checkout, times and the order of the graph."""
    workspace.commit({"libs/util/src/index.ts": "2\n"})
    shutil.copytree(workspace.path, tmp_path / "else where" / "copy", symlinks=True)
    graph = json.loads(workspace.graph_file.read_text())
    body = graph["graph"]
    turned = {
        "dependencies": dict(reversed(body["dependencies"].items())),
        "nodes": dict(reversed(body["nodes"].items())),
    }
    (tmp_path / "turned.json").write_text(json.dumps({"graph": turned}))
    runs = [
        (workspace.path, workspace.graph_file, "0"),
        (workspace.path, workspace.graph_file, "4242"),
        (tmp_path / "else where" / "copy", tmp_path / "turned.json", "7"),
    ]
    answers = set()
    for place, graph_file, seed in runs:
        graph = ("--graph", str(graph_file))
        commands = (
            ("plan", "--offline", "--format", "json", "--base", "HEAD~1", *graph),
            ("plan", "--offline", "--base", "HEAD~1", *graph),
            ("affected", "--base", "HEAD~1", "--format", "json", *graph),
            ("affected", "--base", "HEAD~1", "--why", "api", *graph),
            ("digest", "api", "--format", "json", *graph),
            ("graph", "--format", "json", *graph),
        )
        said = several(*commands, at=place, env={"PYTHONHASHSEED": seed})
        assert said.code == 0
        answers.add(said)
    assert len(answers) == 1


def test_the_same_text_for_a_turned_graph(workspace: Workspace) -> None:
    commands = [
        ("graph",),
        ("graph", "--format", "dot"),
        ("graph", "--format", "mermaid"),
        ("plan",),
    ]
    before = [workspace.run(*command).out for command in commands]
    body = Workspace.stock()["graph"]
    body["nodes"] = dict(reversed(body["nodes"].items()))
    workspace.graph({"graph": body})
    assert [workspace.run(*command).out for command in commands] == before


# --- the base policy, with real git -----------------------------------------------------


class History:
    """`main` m0 … m3, tags v1 (m0) and v2 (m2), and `feature` f1, f2 from m1; in a remote.

    m1 … m3 change the docs, f1 and f2 the library.
    """

    def __init__(self, workspace: Workspace, tmp_path: Path) -> None:
        self.workspace, self.tmp = workspace, tmp_path
        self.main = [workspace.repo.git("rev-parse", "HEAD")]
        for number in range(1, 4):
            self.main.append(workspace.commit({"docs/index.md": f"{number}\n"}))
        workspace.repo.git("checkout", "--quiet", "-b", "feature", self.main[1])
        self.feature = [
            workspace.commit({"libs/util/src/index.ts": f"export const util = {n};\n"})
            for n in (10, 11)
        ]
        workspace.repo.git("tag", "v1", self.main[0])
        workspace.repo.git("tag", "v2", self.main[2])
        self.remote = tmp_path / "remote.git"
        workspace.repo.git("clone", "--quiet", "--bare", ".", str(self.remote))
        git = ["git", "--git-dir", str(self.remote)]
        subprocess.run([*git, "symbolic-ref", "HEAD", "refs/heads/main"], check=True)
        subprocess.run([*git, "config", "uploadpack.allowAnySHA1InWant", "true"], check=True)

    def clone(self, *options: str) -> Workspace:
        place = self.tmp / f"clone-{len(list(self.tmp.iterdir()))}"
        quiet = ("-c", "advice.detachedHead=false", "clone", "--quiet")
        self.workspace.repo.git(*quiet, *options, f"file://{self.remote}", str(place))
        return Workspace(Repo(place), self.workspace.graph_file)

    def shallow(self, branch: str = "feature", *, reachable: bool = True) -> Workspace:
        made = self.clone("--depth", "1", "--branch", branch)
        if not reachable:
            made.repo.git("remote", "set-url", "origin", f"file://{self.tmp}/gone.git")
        return made


@pytest.fixture
def history(workspace: Workspace, tmp_path: Path) -> History:
    return History(workspace, tmp_path)


def base_of(workspace: Workspace, *argv: str) -> Any:
    return workspace.plan("--format", "json", *argv).json["base"]


def ci(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    monkeypatch.setenv("GITLAB_CI", "true")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_locally_the_merge_base_and_uncommitted_work(history: History) -> None:
    workspace = history.workspace
    workspace.write({"docs/new.md": "x"})
    plan = workspace.plan("--format", "json").json
    assert plan["base"]["commit"] == history.main[1]
    assert plan["base"]["rule"] == "default-branch"
    assert "main" in plan["base"]["reason"]
    assert plan["affected"] == ["api", "docs", "util"]
    assert plan["head"]["uncommitted"] == 1
    auto = workspace.affected("--base", "auto")
    assert auto.names == ["api", "docs", "util"]
    assert history.main[1][:8] in auto.err


def test_an_explicit_base_wins(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    ci(monkeypatch, CI_MERGE_REQUEST_DIFF_BASE_SHA=history.main[0])
    base = base_of(history.workspace, "--base", history.feature[0])
    assert (base["commit"], base["rule"]) == (history.feature[0], "--base")
    everything = history.workspace.plan("--base", ZERO, "--format", "json").json
    assert everything["base"]["commit"] is None
    assert "everything" in everything["base"]["reason"]
    assert everything["affected"] == ["api", "docs", "util"]


def test_a_merge_request(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    ci(monkeypatch, CI_MERGE_REQUEST_DIFF_BASE_SHA=history.main[1], CI_COMMIT_REF_NAME="feature")
    plan = history.workspace.plan("--format", "json").json
    assert (plan["base"]["commit"], plan["base"]["rule"]) == (history.main[1], "merge-request")
    assert plan["affected"] == ["api", "util"]
    assert plan["head"]["ref"] == "feature"


@pytest.mark.parametrize("vanished", ["1" * 40, ZERO])
def test_a_vanished_base_means_everything_said_aloud(
    history: History, monkeypatch: pytest.MonkeyPatch, vanished: str
) -> None:
    ci(monkeypatch, CI_MERGE_REQUEST_DIFF_BASE_SHA=vanished)
    plan = history.workspace.plan("--format", "json").json
    assert plan["base"]["commit"] is None
    assert "everything counts as changed" in plan["base"]["reason"]
    assert plan["affected"] == ["api", "docs", "util"]
    said = history.workspace.plan()
    assert "base      everything, " in said.out
    auto = history.workspace.affected("--base", "auto")
    assert auto.names == ["api", "docs", "util"]
    assert "everything" in auto.err


def test_a_branch_pipeline(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    ci(monkeypatch, CI_COMMIT_BRANCH="feature", CI_COMMIT_BEFORE_SHA=history.feature[0])
    base = base_of(history.workspace)
    assert (base["commit"], base["rule"]) == (history.feature[0], "before-sha")
    assert "CI_COMMIT_BEFORE_SHA" in base["reason"]


@pytest.mark.parametrize("before", [ZERO, None, "2" * 40])
def test_a_branch_pipeline_without_a_commit_before(
    history: History, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    ci(monkeypatch, CI_COMMIT_BRANCH="feature")
    if before is not None:
        monkeypatch.setenv("CI_COMMIT_BEFORE_SHA", before)
    base = base_of(history.workspace)
    assert (base["commit"], base["rule"]) == (None, "before-sha")
    assert "everything counts as changed" in base["reason"]


@pytest.mark.parametrize("before", ["", "0" * 64])
def test_other_ways_to_say_zero(
    history: History, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    ci(monkeypatch, CI_COMMIT_BRANCH="feature", CI_COMMIT_BEFORE_SHA=before)
    base = base_of(history.workspace)
    assert base["commit"] is None
    assert "zero" in base["reason"]


def test_a_forced_push(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit before is still here, but no longer in this history."""
    ci(monkeypatch, CI_COMMIT_BRANCH="feature", CI_COMMIT_BEFORE_SHA=history.main[3])
    base = base_of(history.workspace)
    assert base["commit"] is None
    assert "forced push" in base["reason"]


def test_a_tag(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    history.workspace.repo.git("checkout", "--quiet", "v2")
    ci(monkeypatch, CI_COMMIT_TAG="v2")
    base = base_of(history.workspace)
    assert (base["commit"], base["rule"]) == (history.main[0], "tag")
    assert "v1" in base["reason"]
    monkeypatch.setenv("CI_COMMIT_TAG", "v1")
    base = base_of(history.workspace)
    assert base["commit"] is None
    assert "no tag before v1: everything" in base["reason"]


def test_a_history_without_a_common_commit(history: History) -> None:
    workspace = history.workspace
    workspace.repo.git("checkout", "--quiet", "--orphan", "other")
    workspace.commit({"docs/index.md": "other\n"})
    assert workspace.plan().code == 0


def test_a_history_without_a_common_commit_is_said(history: History) -> None:
    workspace = history.workspace
    workspace.repo.git("checkout", "--quiet", "--orphan", "other")
    workspace.commit({"docs/index.md": "other\n"})
    assert "where this work left" not in base_of(workspace)["reason"]


def test_no_default_branch(workspace: Workspace) -> None:
    workspace.repo.git("branch", "-m", "trunk")
    refused(workspace.plan(), "no default branch was found", hint="--base REV")
    workspace.write({"ciforge.yaml": "default_branch: trunk\n"})
    assert workspace.plan().code == 0


# Shallow clones, as GitLab's runner makes them.


def test_a_shallow_clone_is_deepened(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    for variables, expected in (
        ({"CI_MERGE_REQUEST_DIFF_BASE_SHA": history.main[1]}, history.main[1]),
        ({"CI_COMMIT_BRANCH": "x", "CI_COMMIT_BEFORE_SHA": history.feature[0]}, history.feature[0]),
    ):
        clone = history.shallow()
        with monkeypatch.context() as patch:
            ci(patch, **variables)
            plan = clone.plan("--format", "json").json
            assert plan["base"]["commit"] == expected
            assert plan["affected"] == ["api", "util"]
        with monkeypatch.context() as patch:
            ci(patch, **variables)
            assert history.shallow().affected("--base", "auto").names == ["api", "util"]


def test_a_shallow_clone_locally(history: History) -> None:
    clone = history.clone("--depth", "1", "--no-single-branch", "--branch", "feature")
    base = base_of(clone)
    assert (base["commit"], base["rule"]) == (history.main[1], "default-branch")


def test_a_shallow_clone_with_an_explicit_commit(history: History) -> None:
    assert base_of(history.shallow(), "--base", history.main[1])["commit"] == history.main[1]


def test_a_shallow_clone_with_an_explicit_branch(history: History) -> None:
    clone = history.clone("--depth", "1", "--no-single-branch", "--branch", "feature")
    assert base_of(clone, "--base", "origin/main")["commit"] == history.main[1]


def test_a_shallow_clone_of_a_tag(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    ci(monkeypatch, CI_COMMIT_TAG="v2")
    assert base_of(history.shallow("v2"))["commit"] == history.main[0]


def test_a_shallow_clone_whose_base_has_vanished(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    ci(monkeypatch, CI_MERGE_REQUEST_DIFF_BASE_SHA="3" * 40)
    base = base_of(history.shallow())
    assert base["commit"] is None
    assert "has vanished: everything" in base["reason"]


@pytest.mark.parametrize(
    "variables",
    [
        {"CI_MERGE_REQUEST_DIFF_BASE_SHA": "1"},
        {"CI_COMMIT_BRANCH": "feature", "CI_COMMIT_BEFORE_SHA": "1"},
        {"CI_COMMIT_TAG": "v2"},
    ],
    ids=["merge request", "branch", "tag"],
)
def test_a_shallow_clone_that_cannot_be_deepened(
    history: History, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    clone = history.shallow(reachable=False)
    base = history.main[1]
    ci(monkeypatch, **{name: base if value == "1" else value for name, value in variables.items()})
    hint = "set GIT_DEPTH: 0 in the job, or run: git fetch --unshallow"
    refused(clone.plan(), "shallow clone", str(clone.path), hint=hint)
    refused(clone.affected("--base", "auto"), "shallow clone", hint=hint)


def test_a_shallow_clone_refuses_an_explicit_base(history: History) -> None:
    clone = history.shallow(reachable=False)
    for said in (
        clone.plan("--base", history.main[1]),
        clone.affected("--base", history.main[1]),
    ):
        refused(said, "shallow clone", hint="GIT_DEPTH: 0")


def test_a_shallow_clone_with_the_zero_commit(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is missing then, so nothing is fetched."""
    ci(monkeypatch, CI_COMMIT_BRANCH="feature", CI_COMMIT_BEFORE_SHA=ZERO)
    assert base_of(history.shallow(reachable=False))["commit"] is None


def test_a_shallow_clone_is_deepened_without_a_question(
    history: History, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A remote that asks for a password gets none: the error comes at once."""
    seen = tmp_path / "seen"
    script = tmp_path / "bin" / "git-remote-ask"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nenv > "{seen}"\nexit 1\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    clone = history.shallow()
    clone.repo.git("remote", "set-url", "origin", "ask::somewhere")
    ci(monkeypatch, CI_MERGE_REQUEST_DIFF_BASE_SHA=history.main[1])
    refused(clone.plan(), "shallow clone", hint="GIT_DEPTH: 0")
    assert seen.exists()


def test_git_never_asks_on_the_terminal(
    history: History, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    test_a_shallow_clone_is_deepened_without_a_question(history, monkeypatch, tmp_path)
    assert "GIT_TERMINAL_PROMPT=0" in (tmp_path / "seen").read_text()
