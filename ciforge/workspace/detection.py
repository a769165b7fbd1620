"""Which projects are services, and of what kind.

Rules from nine public repositories, where they found all 38 NestJS and Next.js projects and
nothing else. Executors alone find only 29 of them: a plugin's targets are `nx:run-commands`,
so commands, scripts and entry files are looked at too. What no rule can know is left to the
configuration: an image made elsewhere, a Dockerfile elsewhere or shared, a demo.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ciforge.workspace import entries
from ciforge.workspace.builders import CAP, Build, Files, Step
from ciforge.workspace.model import Project, ProjectGraph

# "image" is never detected: a service without source, known through the configuration.
Kind = Literal["nestjs", "nextjs", "spa", "node", "python", "docker", "image"]

_PYTHON_ENTRIES = ("main.py", "app.py", "manage.py", "wsgi.py", "asgi.py", "__main__.py")
# Enough for an entry's own imports; a barrel of hundreds of exports is a library.
_MOST_IMPORTS = 20


@dataclass(frozen=True)
class Detected:
    """A service. Paths are relative to the workspace.

    `reason` is one short sentence with the file or target that proves it. `entry` is the file
    that starts it (for `nextjs` its next.config, for `spa` its HTML page where it has one),
    `dockerfile` its own `Dockerfile`, `build_target` the name of a target.
    """

    project: str
    kind: Kind
    reason: str
    entry: str | None = None
    dockerfile: str | None = None
    build_target: str | None = None


@dataclass(frozen=True)
class Rejected:
    """A project that no rule takes for a service, and the rule that came nearest."""

    project: str
    reason: str


def detect(
    graph: ProjectGraph, read: Callable[[str], bytes | None], exists: Callable[[str], bool]
) -> tuple[list[Detected], list[Rejected]]:
    """Sort every project of the graph into services and others, each list sorted by name.

    `read` gives a workspace file's bytes or None, `exists` tells whether there is such a file;
    nothing else is touched. Libraries and e2e projects cost no read, others a few; of a file
    only the first MB is looked at, and the reason then says so. Raises nothing of its own,
    whatever the files hold.
    """
    detected: list[Detected] = []
    rejected: list[Rejected] = []
    for name in sorted(graph.nodes):
        project = graph.nodes[name]
        files = Files(read, exists)
        verdict = _Candidate(name, project, files, alone=len(graph.nodes) == 1).verdict()
        if isinstance(verdict, Detected):
            detected.append(verdict)
        else:
            rejected.append(verdict)
    return detected, rejected


class _Candidate:
    """One project under the rules, from the most telling to the least."""

    def __init__(self, name: str, project: Project, files: Files, *, alone: bool) -> None:
        self.name = name
        self.project = project
        self.files = files
        self.build = Build(project.data, files)
        # The workspace's own root: what lies there may belong to any project.
        self.shared = posixpath.normpath(project.data.root) == "." and not alone
        self.near: list[str] = []  # what almost made it a service

    def verdict(self) -> Detected | Rejected:
        no = self._dropped()
        if no is not None:
            return Rejected(self.name, no)
        rules = (self._nextjs, self._nestjs, self._spa, self._node, self._python, self._docker)
        for rule in rules:
            found = rule()
            if found is not None:
                return found
        return Rejected(self.name, self._why_not() + self._cut())

    def _dropped(self) -> str | None:
        data = self.project.data
        if self.project.type == "e2e":
            return "end-to-end tests: its type is e2e"
        for what, text in (("name", self.name), ("folder", data.root)):
            last = text.rsplit("/", 1)[-1].lower()
            if last == "e2e" or last.endswith("-e2e"):
                return f"end-to-end tests: its {what} is {text}"
        if data.project_type == "library":
            dockerfile = self.build.dockerfile
            also = f", in spite of {dockerfile}: only the configuration can name it a service"
            return "library: its projectType says so" + (also if dockerfile else "")
        return self._desktop()

    def _desktop(self) -> str | None:
        ours = [self.build.manifest.get(key) for key in ("dependencies", "devDependencies")]
        depends = any(isinstance(names, dict) and "electron" in names for names in ours)
        for step in self.build.steps:
            if step.tool == "electron" and (depends or step.name == (self.build.target or "build")):
                return f"desktop program, not a service: {step}" + self._cut()
        return None

    def _nextjs(self) -> Detected | None:
        config = self.build.config("next.config")
        step = next((step for step in self.build.steps if step.tool == "next"), None)
        if step is not None and (config is not None or step.executor):
            proof = f"{config}, and {step}" if config else str(step)
            return self._found("nextjs", proof, config, step)
        if config is not None and self.build.dockerfile is not None and not self.shared:
            return self._found("nextjs", f"{config} beside {self.build.dockerfile}", config)
        if config is not None:
            self.near.append(f"{config}, but no target or script runs next build")
        return None

    def _nestjs(self) -> Detected | None:
        for path in self.build.entry_files():
            proof = self._nest_proof(path)
            if proof is not None and self.build.possible:
                return self._found("nestjs", proof, path)
            if proof is not None:
                self.near.append(f"{proof}, but there is no build target, script or Dockerfile")
        manifest = self.build.first("nest-cli.json")
        if manifest is None or not self.build.possible:
            return None
        settings = self.files.json(manifest)
        folder, file = settings.get("sourceRoot", "src"), settings.get("entryFile", "main")
        entry = self.build.first(f"{folder}/{file}.ts", f"{folder}/{file}.js")
        return self._found("nestjs", f"{manifest}, and {self.build}", entry)

    def _nest_proof(self, path: str) -> str | None:
        source = entries.read_source(path, self.files.bytes(path))
        nest, starts, via = source.nest, source.starts, ""
        for specifier in () if nest else source.relative[:_MOST_IMPORTS]:
            imported = entries.resolve(path, specifier, self.files.exists)
            data = self.files.bytes(imported) if imported else b""
            if imported and entries.mentions_nest(data):
                below = entries.read_source(imported, data)
                nest, starts = below.nest, starts or below.starts
                via = f"imports {imported}, which "
            if nest:
                break
        if nest is None:
            return None
        # index.ts is also a library's door, and libraries import @nestjs/core for a guard.
        door = posixpath.basename(path).startswith("index.")
        if door and not starts and self.project.data.project_type != "application":
            self.near.append(f"{path} {via}{nest}, but starts nothing when it is loaded")
            return None
        return f"{path} {via}{nest}"

    def _spa(self) -> Detected | None:
        for step in self.build.steps:
            page = self.build.first("index.html", "src/index.html")
            if step.tool == "angular" and not self._server_side():
                page = self.build.option(step, "index") or page
                return self._found("spa", str(step), page, step)
            if step.tool == "vite":
                config = self.build.config("vite.config")
                data = self.files.bytes(config) if config else b""
                if config and "lib" in entries.read_settings(config, data, frozenset({"lib"})):
                    self.near.append(f"{step}, but {config} makes a library")
                    continue
                if page is None:
                    self.near.append(f"{step}, but there is no index.html")
            elif step.tool == "webpack":
                page = None if self._node_bundle(step) else self.build.page(step)
            elif step.tool != "pages":
                continue
            if page is not None:
                return self._found("spa", f"{page}, and {step}", page, step)
        return None

    def _node(self) -> Detected | None:
        for step in self.build.steps:
            bundle = self._node_bundle(step)
            run = step.tool == "run-node" and step.name.split(":")[0] in ("start", "serve")
            # Nx's own guess: no main, exports or bin in the manifest, or a tsconfig.app.json.
            run = run and self.project.type == "app" and self.build.possible
            if bundle or run or step.tool in ("node", "node-build", "angular-server"):
                proof = f"{step}, and {bundle}" if bundle else str(step)
                return self._found("node", proof, next(self.build.entry_files(), None))
            if _renders(step):
                return self._found("node", f"{step} with ssr", self.build.option(step, "browser"))
        return None

    def _node_bundle(self, step: Step) -> str | None:
        """What says that a webpack step builds for Node.js."""
        if step.tool != "webpack":
            return None
        config, settings = self.build.bundler
        target = step.options.get("target")
        if target is None and settings.get("target") == "node":
            return f"{config} has target node"
        return "its target is node" if target == "node" else None

    def _server_side(self) -> bool:
        return any(step.tool == "angular-server" or _renders(step) for step in self.build.steps)

    def _python(self) -> Detected | None:
        manifest = self.build.first("pyproject.toml", "requirements.txt")
        plugin = next((s for s in self.build.steps if s.said.startswith("@nxlv/python:")), None)
        if manifest is None and plugin is None:
            return None
        base = manifest or str(plugin)
        folders = self.build.folders(".", "src", "app")
        entry = self.build.present(*(f"{f}/{name}" for f in folders for name in _PYTHON_ENTRIES))
        server = next((s for s in self.build.steps if s.tool == "python-server"), None)
        dockerfile = None if self.shared else self.build.dockerfile
        if server is not None:
            return self._found("python", f"{base}, and {server}", entry)
        if entry is not None or dockerfile is not None:
            return self._found("python", f"{base} beside {entry or dockerfile}", entry)
        if plugin is not None and self.project.data.project_type == "application":
            return self._found("python", f"{plugin}, and its projectType is application")
        self.near.append(f"{base}, but no application entry and no Dockerfile")
        return None

    def _docker(self) -> Detected | None:
        if self.build.dockerfile is None:
            return None
        if self.shared:
            only = "may build any project: only the configuration can say which"
            self.near.append(f"the workspace's {self.build.dockerfile} {only}")
            return None
        return self._found("docker", f"{self.build.dockerfile} in its folder")

    def _why_not(self) -> str:
        if self.near:
            return self.near[0]
        if not self.build.possible:
            return "no build target, no build script and no Dockerfile"
        return f"no rule takes it for a service: {self.build}"

    def _found(
        self, kind: Kind, proof: str, entry: str | None = None, step: Step | None = None
    ) -> Detected:
        target = (step.target if step else None) or self.build.target
        return Detected(self.name, kind, proof + self._cut(), entry, self.build.dockerfile, target)

    def _cut(self) -> str:
        cut = ", ".join(sorted(self.files.cut))
        return f" (only the first {CAP >> 20} MB of {cut} was read)" if cut else ""


def _renders(step: Step) -> bool:
    """Whether an Angular build makes a server that renders the pages."""
    ssr = step.options.get("ssr") and step.options.get("outputMode") != "static"
    return step.tool == "angular" and bool(ssr)
