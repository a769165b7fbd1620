"""A small Nx workspace in a real repository, and ciforge run on it, in this process or another."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ciforge.cli.main import run
from ciforge.doors import process

# What a terminal may obey: C0 but the newline, DEL, C1.
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Result:
    """What one run of ciforge said. `out` and `err` are strict UTF-8."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def names(self) -> list[str]:
        assert self.code == 0, self.err
        return self.out.removesuffix("\n").split("\n") if self.out else []


def checked(code: int | None, out: bytes, err: bytes) -> Result:
    """What holds for every run: no traceback, nothing that plays tricks on a terminal."""
    result = Result(code or 0, out.decode(), err.decode())
    assert "Traceback" not in result.err, result.err
    assert result.code in (0, 1, 2, 3, 130), result
    assert not CONTROL.search(result.out), repr(result.out)
    assert not CONTROL.search(result.err), repr(result.err)
    return result


def ciforge(*argv: str, at: Path | None = None) -> Result:
    """Runs the command line in this process, in folder `at`."""
    place = ["-C", str(at)] if at is not None else []
    streams = [
        io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors=errors)
        for errors in ("strict", "backslashreplace")
    ]
    kept = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = streams
    try:
        code: int | str | None = run([*place, *argv])
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.stdout, sys.stderr = kept
    said = []
    for stream in streams:
        stream.flush()
        said.append(stream.buffer.getvalue())  # type: ignore[attr-defined]
    assert isinstance(code, int | None)
    return checked(code, *said)


def spawn(
    *argv: str,
    at: Path,
    env: Mapping[str, str | None] | None = None,
    python: Iterable[str] = (),
    **options: Any,
) -> subprocess.Popen[bytes]:
    """Starts ciforge as a process of its own; a variable that is None is taken away."""
    variables = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **(env or {})}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(
        [sys.executable, *python, "-m", "ciforge", *argv],
        cwd=at,
        env={name: value for name, value in variables.items() if value is not None},
        **options,
    )


def process_of(*argv: str, at: Path, timeout: float = 30, **options: Any) -> Result:
    """Runs ciforge as a process of its own, to its end or, after `timeout`, to an error."""
    started = spawn(*argv, at=at, **options)
    try:
        out, err = started.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        started.kill()
        started.communicate()
        raise
    return checked(started.returncode, out or b"", err or b"")


SEVERAL = """\
import json, sys
from ciforge.cli.main import run
sys.exit(max([run(argv) for argv in json.loads(sys.argv[1])]))
"""


def several(*commands: tuple[str, ...], at: Path, env: Mapping[str, str]) -> Result:
    """Runs commands one after the other in one process, whose start costs the most."""
    done = subprocess.run(
        [sys.executable, "-c", SEVERAL, json.dumps(commands)],
        cwd=at,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **env},
        capture_output=True,
        timeout=30,
    )
    return checked(done.returncode, done.stdout, done.stderr)


def refused(result: Result, *parts: str, code: int = 2, hint: str | None = None) -> None:
    """One error of two lines: what and where, then what to do; nothing on standard output."""
    assert result.code == code, result
    assert result.out == "", result.out
    lines = result.err.splitlines()
    assert lines[0].startswith("ciforge: " if code == 3 else "ciforge: error: "), result.err
    assert len(lines) == 2, f"not two lines: {result.err}"
    assert lines[1].startswith("  ") and lines[1].strip(), result.err
    assert len(result.err) < 1500, f"{len(result.err)} characters"
    for part in parts:
        assert part in lines[0], f"{part!r} is not in {lines[0]!r}"
    if hint is not None:
        assert hint in lines[1], f"{hint!r} is not in {lines[1]!r}"


def node(name: str, root: str, type_: str = "lib", **data: Any) -> dict[str, Any]:
    kind = {"app": "application", "lib": "library"}.get(type_)
    return {
        "name": name,
        "type": type_,
        "data": {
            "root": root,
            "projectType": kind,
            "tags": [],
            "implicitDependencies": [],
            "targets": {"build": {"executor": "nx:run-commands", "options": {"command": "true"}}},
            **data,
        },
    }


def edges(*pairs: tuple[str, str]) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for source, target in pairs:
        found.setdefault(source, []).append({"source": source, "target": target, "type": "static"})
    return found


def graph_of(nodes: Iterable[dict[str, Any]], *pairs: tuple[str, str]) -> dict[str, Any]:
    """The shape of `nx graph --file`."""
    by_name = {each["name"]: each for each in nodes}
    return {
        "graph": {
            "nodes": by_name,
            "dependencies": {**{name: [] for name in by_name}, **edges(*pairs)},
        }
    }


APP = """\
import { NestFactory } from '@nestjs/core';
import { util } from '@acme/util';
NestFactory.create(util).then((app) => app.listen(3000));
"""


class Workspace:
    """`api` (a NestJS service) → `util`, `docs` alone; the graph lies outside the repository."""

    def __init__(self, repo: Any, graph_file: Path, folder: str = "") -> None:
        self.repo = repo
        self.path: Path = repo.path / folder
        self.graph_file = graph_file
        self._folder = folder

    def fill(self) -> str:
        self.write(
            {
                "nx.json": "{}\n",
                "package.json": '{"name": "acme", "dependencies": {"@nestjs/core": "11.0.0"}}\n',
                "Dockerfile": "FROM node:22-alpine\n",
                "apps/api/project.json": '{"name": "api"}\n',
                "apps/api/src/main.ts": APP,
                "libs/util/project.json": '{"name": "util"}\n',
                "libs/util/src/index.ts": "export const util = 1;\n",
                "docs/project.json": '{"name": "docs"}\n',
                "docs/index.md": "# Documentation\n",
            }
        )
        self.graph(self.stock())
        return str(self.repo.commit("Start"))

    @staticmethod
    def stock() -> dict[str, Any]:
        nodes = [
            node("api", "apps/api", "app"),
            node("util", "libs/util"),
            node("docs", "docs"),
        ]
        return graph_of(nodes, ("api", "util"))

    def write(self, files: Mapping[str, str | bytes]) -> None:
        prefix = f"{self._folder}/" if self._folder else ""
        self.repo.write({prefix + name: content for name, content in files.items()})

    def commit(self, files: Mapping[str, str | bytes] | None = None) -> str:
        self.write(files or {})
        return str(self.repo.commit())

    def graph(self, content: Any) -> None:
        """Writes the graph file: text and bytes as they are, anything else as JSON."""
        if not isinstance(content, str | bytes):
            content = json.dumps(content)
        if isinstance(content, str):
            content = content.encode()
        self.graph_file.write_bytes(content)

    def project(self, name: str, root: str, *pairs: tuple[str, str], **data: Any) -> None:
        """Adds a project (and edges) to the stock graph."""
        content = self.stock()
        content["graph"]["nodes"][name] = node(name, root, **data)
        for source, found in edges(*pairs).items():
            content["graph"]["dependencies"].setdefault(source, []).extend(found)
        self.graph(content)

    def run(self, command: str, *argv: str) -> Result:
        """A command with the graph file."""
        return ciforge(command, *argv, "--graph", str(self.graph_file), at=self.path)

    def affected(self, *argv: str) -> Result:
        return self.run("affected", *argv)

    def plan(self, *argv: str) -> Result:
        return self.run("plan", "--offline", *argv)


_TEMPLATES: list[Path] = []  # the repository of the first test, for all others to copy


@pytest.fixture
def workspace(repo: Any, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace(repo, tmp_path / "graph.json")
    if _TEMPLATES:
        shutil.copytree(_TEMPLATES[0], repo.path, dirs_exist_ok=True)
        made.graph(made.stock())
    else:
        made.fill()
        template = tmp_path_factory.mktemp("template") / "repo"
        shutil.copytree(repo.path, template, ignore=shutil.ignore_patterns("hooks"))
        _TEMPLATES.append(template)
    return made


def listing(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Every path below, with its mode, size and time of change."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found[str(path)] = (status.st_mode, status.st_size, status.st_mtime_ns)
    return found


@pytest.fixture
def unchanged(workspace: Workspace) -> Iterator[Callable[[], None]]:
    """Fails the test when anything in the repository, `.git` included, was written.

    A test that itself writes calls the value afterwards, to look from there on.
    """
    state: list[Any] = []

    def look() -> None:
        state[:] = [
            workspace.repo.git("status", "--porcelain", "--ignored"),
            listing(workspace.repo.path),
        ]

    look()
    yield look
    assert listing(workspace.repo.path) == state[1]
    assert workspace.repo.git("status", "--porcelain", "--ignored") == state[0]


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Ends what runs in this thread after `seconds`, so that a hang is a failure."""

    def end(*_: object) -> None:
        raise TimeoutError(f"no answer within {seconds:g} s")

    kept = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, kept)


@pytest.fixture(autouse=True)
def no_observers() -> Iterator[None]:
    """`--verbose` in one test must not speak in the next."""
    yield
    process._observers.clear()
