"""How a project is built and started: its targets and scripts reduced to known tools.

A plugin's target is `nx:run-commands` with a command, a script is `nx:run-script`, an older
target has an executor of its own: all three become a `Step` that names the tool.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from ciforge.workspace import entries
from ciforge.workspace.model import ProjectData, Target

CAP = 1 << 20  # bytes of one file that are looked at
CONFIG_SUFFIXES = (".js", ".mjs", ".cjs", ".ts", ".mts", ".cts")

_EXECUTORS = {
    "next": ("@nx/next:build",),
    "vite": ("@nx/vite:build",),
    "angular": (
        *(
            f"@angular-devkit/build-angular:{n}"
            for n in ("application", "browser", "browser-esbuild")
        ),
        *(f"@nx/angular:{n}" for n in ("application", "browser-esbuild", "webpack-browser")),
        "@angular/build:application",
        "@angular-builders/custom-esbuild:application",
        "@angular-builders/custom-webpack:browser",
    ),
    "angular-server": ("@angular-devkit/build-angular:server", "@nx/angular:webpack-server"),
    "webpack": ("@nx/webpack:webpack", "@nx/rspack:rspack", "@nx/web:webpack", "@nx/web:build"),
    "node": ("@nx/js:node", "@nx/node:node", "@nx/node:execute"),
    "node-build": ("@nx/node:build", "@nx/node:webpack"),
    "js": ("@nx/js:tsc", "@nx/js:swc", "@nx/esbuild:esbuild", "@nx/rollup:rollup"),
    "python-build": ("@nxlv/python:build",),
}
_TOOL_OF = {executor: tool for tool, names in _EXECUTORS.items() for executor in names}
_COMMANDS = {
    "next": r"next\s+build",
    "vite": r"vite\s+build",
    "webpack": r"(?:webpack-cli|webpack|rspack)(?:\s+build|(?=\s+-|\s*(?:$|[&;|])))",
    "pages": r"(?:react-scripts|vue-cli-service|ng|rsbuild|parcel)\s+build",
    "nest": r"nest\s+build",
    "electron": r"electron-(?:builder|forge|packager|vite)",
    "python-server": (
        r"uvicorn|gunicorn|hypercorn|granian|daphne|flask\s+(?:\S+\s+)*?run"
        r"|fastapi\s+(?:run|dev)|manage\.py\s+runserver"
    ),
    "run-node": r"node(?:\s+-\S+)*\s+[\w./@][\w./@-]*",
    "js": r"tsc|tsup|swc|esbuild|rollup",
}
# A word of its own, or behind a folder as in node_modules/.bin/next.
_TOOLS = {t: re.compile(rf"(?:^|(?<=[\s;&|('\"/]))(?:{p})(?![\w-])") for t, p in _COMMANDS.items()}
_BUILDS = {
    "next", "vite", "angular", "webpack", "pages", "nest", "node-build", "python-build", "electron"
}  # fmt: skip
_NOT_BUILDS = re.compile(r"(?:^|[-:_.])(?:serve|dev|start|watch|preview|test|e2e)(?:$|[-:_.])")
_SETTINGS = frozenset({"main", "entry", "index", "template", "target"})
_STEMS = ("main", "bootstrap", "index")


class Files:
    """The workspace's files as detection sees them, each read once, none beyond `CAP`.

    `cut` holds the paths of those that are longer.
    """

    def __init__(self, read: Callable[[str], bytes | None], exists: Callable[[str], bool]) -> None:
        self._read = read
        self._exists = exists
        self._seen: dict[str, bytes] = {}
        self.cut: set[str] = set()

    def exists(self, path: str) -> bool:
        """Whether it is a file of the workspace: settings may name any path, also outside."""
        outside = path.startswith(("/", "../")) or "\0" in path
        return not outside and self._exists(path)

    def bytes(self, path: str) -> bytes:
        """The file's start, empty when there is no such file."""
        if path not in self._seen:
            data = self._read(path) or b""
            if len(data) > CAP:
                self.cut.add(path)
            self._seen[path] = data[:CAP]
        return self._seen[path]

    def json(self, path: str) -> dict[str, Any]:
        """A JSON object, empty for anything else."""
        return decode(self.bytes(path).removeprefix(b"\xef\xbb\xbf"))


@dataclass(frozen=True)
class Step:
    """One target, or one script of package.json (then `target` is None), and the tool it runs.

    `tool` is "" when none is known. `said` is the executor or the command, as it is written.
    """

    name: str
    target: str | None
    tool: str
    said: str
    executor: bool
    options: dict[str, Any]

    def __str__(self) -> str:
        who = f"target {self.name}" if self.target else f"package.json script {self.name}"
        return f"{who} {'uses' if self.executor else 'runs'} {self.said}"

    @property
    def builds(self) -> bool:
        if self.name.startswith(("build", "compile", "bundle")) and self.tool == "js":
            return True
        return self.tool in _BUILDS and not _NOT_BUILDS.search(self.name)


@dataclass
class Build:
    """A project's steps, build target, entry files and Dockerfile."""

    data: ProjectData
    files: Files

    @cached_property
    def manifest(self) -> dict[str, Any]:
        path = self.first("package.json")
        return self.files.json(path) if path else {}

    @cached_property
    def dockerfile(self) -> str | None:
        return self.first("Dockerfile")

    @cached_property
    def steps(self) -> list[Step]:
        """`build` first, then what is called build-something; targets before scripts."""
        found: list[Step] = []
        scripts = self.manifest.get("scripts")
        scripts = scripts if isinstance(scripts, dict) else {}
        scripts = {k: v for k, v in scripts.items() if isinstance(v, str)}
        for name in sorted(self.data.targets, key=_build_first):
            target = self.data.targets[name]
            options = decode(target.options)
            # Until Nx 16 the same executors were @nrwl's.
            executor = re.sub(r"^@nrwl/", "@nx/", target.executor or "")
            commands = _commands(target, options, scripts)
            found += _steps(name, name, executor, commands, options)
        for name in sorted(scripts, key=_build_first):
            if name.split(":")[0] in ("build", "start") and name not in self.data.targets:
                found += _steps(name, None, "", [scripts[name]], {})
        return found

    @cached_property
    def target(self) -> str | None:
        """The build target: the one of that name, else the first that runs a builder."""
        if "build" in self.data.targets:
            return "build"
        return next((step.target for step in self.steps if step.target and step.builds), None)

    @property
    def possible(self) -> bool:
        """Whether there is a build target, a build script or a Dockerfile."""
        script = any(step.target is None and step.name == "build" for step in self.steps)
        return bool(self.target or script or self.dockerfile)

    def __str__(self) -> str:
        for step in self.steps:
            if step.name == (self.target or "build"):
                return str(step)
        return f"target {self.target}" if self.target else str(self.dockerfile)

    def first(self, *names: str) -> str | None:
        """The first of these files that the project has, relative to the workspace."""
        return self.present(*(posixpath.join(self.data.root, name) for name in names))

    def present(self, *paths: str) -> str | None:
        """The first of these files that the workspace has."""
        return next(filter(self.files.exists, map(posixpath.normpath, paths)), None)

    def folders(self, *names: str) -> list[str]:
        """These folders of the project, and its source root."""
        source = self.data.source_root
        return [posixpath.join(self.data.root, n) for n in names] + ([source] if source else [])

    def config(self, stem: str) -> str | None:
        return self.first(*(stem + suffix for suffix in CONFIG_SUFFIXES))

    def option(self, step: Step, key: str) -> str | None:
        """An option that names an existing file: relative to the workspace, else to the root."""
        value = step.options.get(key)
        if not isinstance(value, str) or not value:
            return None
        value = value.replace("{projectRoot}", self.data.root).replace("{workspaceRoot}/", "")
        return self.present(value) or self.first(value)

    @cached_property
    def bundler(self) -> tuple[str | None, dict[str, str]]:
        """The webpack or rspack configuration: its path, and what it says of the result."""
        named = (
            self.option(step, key)
            for step in self.steps
            for key in ("webpackConfig", "rspackConfig")
        )
        path = next(filter(None, named), None)
        path = path or self.config("webpack.config") or self.config("rspack.config")
        if path is None:
            return None, {}
        return path, entries.read_settings(path, self.files.bytes(path), _SETTINGS)

    def page(self, step: Step) -> str | None:
        """The HTML page that a webpack step fills."""
        settings = self.bundler[1]
        named = [settings[key] for key in ("index", "template") if key in settings]
        pages = [self.option(step, "index"), *map(self.first, filter(None, named))]
        pages.append(self.first("src/index.html", "index.html"))
        return next((p for p in pages if p and p.endswith((".html", ".htm"))), None)

    def entry_files(self) -> Iterator[str]:
        """Existing entry files, likeliest first, each once.

        The build's `main`, `main:` of the bundler's configuration, then main, bootstrap and
        index in `src` or the source root.
        """
        seen: set[str] = set()
        for path in self._candidates():
            if path is not None and path not in seen:
                seen.add(path)
                yield path

    def _candidates(self) -> Iterator[str | None]:
        for step in sorted(self.steps, key=lambda step: step.target != self.target):
            yield self.option(step, "main")
        settings = self.bundler[1]
        for key in ("main", "entry"):
            if settings.get(key):
                yield self.first(settings[key])
        for stem in _STEMS:
            for folder in self.folders("src"):
                yield self.present(*(f"{folder}/{stem}{suffix}" for suffix in entries.SUFFIXES))


def decode(raw: bytes | msgspec.Raw) -> dict[str, Any]:
    """A JSON object, empty for whatever is none."""
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _build_first(name: str) -> tuple[bool, str]:
    return not name.startswith("build"), name


def _commands(target: Target, options: dict[str, Any], scripts: dict[str, str]) -> list[str]:
    several = options.get("commands")
    found: list[Any] = [target.command, options.get("command")]
    found += [
        item.get("command") if isinstance(item, dict) else item
        for item in (several if isinstance(several, list) else [])
    ]
    # Nx before 17 does not say what a script holds.
    script = options.get("script")
    content = decode(target.metadata).get("scriptContent")
    found.append(content or (scripts.get(script) if isinstance(script, str) else None))
    return [command for command in found if isinstance(command, str) and command]


def _steps(
    name: str, target: str | None, executor: str, commands: list[str], options: dict[str, Any]
) -> Iterator[Step]:
    tool = _TOOL_OF.get(executor, "")
    if executor.startswith("@nxlv/python:"):
        tool = tool or "python"
    elif "electron" in executor:
        tool = "electron"
    if tool:
        yield Step(name, target, tool, executor, True, options)
    known = bool(tool)
    for command in commands:
        for tool, pattern in _TOOLS.items():
            match = pattern.search(command)
            if match:
                known = True
                said = re.sub(r"\s+", " ", match[0])
                yield Step(name, target, tool, said, False, options)
    if not known and (commands or executor):
        said = re.sub(r"\s+", " ", commands[0])[:60] if commands else executor
        yield Step(name, target, "", said, not commands, options)
