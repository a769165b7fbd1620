"""Nx and TypeScript, installed once by npm in the cache, and what Nx says of a workspace."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.cache import Workspace, cache_folder
from benchmarks.measure import Command, environment, run_once
from benchmarks.packages import TOOLS

VERSION = TOOLS["nx"]


class NoNxError(Exception):
    """There is no Nx to compare with; the message says why."""


class GraphDiffersError(Exception):
    """Nx made another graph of a workspace than the generator had in mind."""


@dataclass(frozen=True)
class Nx:
    """An installation that workspaces share through a link named node_modules."""

    node: str
    modules: Path

    def environment(self, *, isolated: bool = True) -> dict[str, str]:
        plugins = {} if isolated else {"NX_ISOLATE_PLUGINS": "false"}
        return environment(NX_DAEMON="false", NX_NO_CLOUD="true", **plugins)

    def link(self, workspace: Workspace) -> None:
        """Gives the workspace its node_modules."""
        link = workspace.path / "node_modules"
        if not link.is_symlink() or link.readlink() != self.modules:
            link.unlink(missing_ok=True)
            link.symlink_to(self.modules)

    def command(
        self, name: str, workspace: Workspace, *arguments: str, isolated: bool = True
    ) -> Command:
        package = workspace.path / "node_modules" / "nx"
        program = json.loads((package / "package.json").read_bytes())["bin"]["nx"]
        argv = [self.node, str(package / program), *arguments]
        return Command(name, argv, workspace.path, self.environment(isolated=isolated))

    def graph(self, workspace: Workspace) -> Path:
        """The file that `nx graph --file` writes, made once and compared with the generator's."""
        self.link(workspace)
        file = workspace.folder / f"nx-{VERSION}-graph.json"
        if not file.exists():
            draft = workspace.folder / "draft.json"
            run_once(self.command("nx graph", workspace, "graph", f"--file={draft}"))
            draft.rename(file)
        _compare(_read(workspace.graph), _read(file))
        return file


def find_nx() -> Nx:
    """The cached Nx, installed when it is not there yet. Raises NoNxError."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise NoNxError("node and npm are not installed")
    home = cache_folder() / f"nx-{VERSION}-typescript-{TOOLS['typescript']}"
    if not home.exists():
        _install(npm, home)
    return Nx(node, home / "node_modules")


def _install(npm: str, home: Path) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=home.parent))
    try:
        manifest = {"name": "bench-tools", "private": True, "dependencies": TOOLS}
        (draft / "package.json").write_text(json.dumps(manifest))
        done = subprocess.run(
            [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=draft,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
        )
        if done.returncode:
            raise NoNxError(f"npm could not install nx {VERSION}:\n{done.stderr.strip()[-1000:]}")
        draft.rename(home)
    except subprocess.TimeoutExpired:
        raise NoNxError(f"npm did not install nx {VERSION} within ten minutes") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _read(file: Path) -> dict[str, Any]:
    graph: dict[str, Any] = json.loads(file.read_bytes())["graph"]
    return graph


def _compare(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Projects and edges must be the same, else the workspace isn't what it is meant to be."""

    def parts(graph: dict[str, Any]) -> set[str]:
        nodes = {
            f"project {name}: {json.dumps(node, sort_keys=True)}"
            for name, node in graph["nodes"].items()
        }
        edges = {
            f"edge {edge['source']} → {edge['target']} ({edge['type']})"
            for edges in graph["dependencies"].values()
            for edge in edges
        }
        return nodes | edges

    mine, real = parts(ours), parts(theirs)
    if mine != real:
        raise GraphDiffersError(
            "Nx's graph (+) is not the generator's (-)\n" + difference(mine, real)
        )


def difference(left: Set[str], right: Set[str], most: int = 20) -> str:
    """What only one side has, as lines with - and +."""
    lines = [*(f"- {p}" for p in sorted(left - right)), *(f"+ {p}" for p in sorted(right - left))]
    if len(lines) > most:
        lines[most:] = [f"… and {len(lines) - most} more"]
    return "\n".join(lines)
