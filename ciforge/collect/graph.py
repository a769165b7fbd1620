"""Gets the project graph, from a file, a cache or Nx, and looks whether it can be trusted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ciforge.collect.workspace import Root
from ciforge.digest.tree import File
from ciforge.doors import files, nx
from ciforge.errors import InputError
from ciforge.plan.model import PlanGraph
from ciforge.workspace.graph_file import parse_graph
from ciforge.workspace.jsonc import strip_comments
from ciforge.workspace.model import ProjectGraph


@dataclass(frozen=True)
class GraphChoice:
    """Where the user wants the graph from: a file, else a cache folder, else Nx.

    Relative to the current folder.
    """

    file: Path | None = None
    cache: Path | None = None


@dataclass(frozen=True)
class Found:
    """A graph as it was written, and read. `files` of the tree, where they were looked at."""

    data: bytes
    graph: ProjectGraph
    origin: PlanGraph
    files: Mapping[str, File] | None = None
    notes: tuple[str, ...] = ()


def find_graph(root: Root, choice: GraphChoice) -> Found:
    """The chosen graph, or what Nx says now."""
    if choice.file is not None:
        data = files.read_bytes(choice.file, pipe=True)
        if data is None:
            raise InputError(
                "there is no such file",
                where=str(choice.file),
                hint="write it: nx graph --file=graph.json",
            )
        return Found(data, parse_graph(data, str(choice.file)), PlanGraph(source="file"))
    if choice.cache is not None and root.in_git:
        return _from_cache(root, choice.cache)
    data = nx.project_graph(root.path)
    return Found(data, parse_graph(data, "nx graph"), PlanGraph(source="nx"))


def _from_cache(root: Root, folder: Path) -> Found:
    from ciforge.collect.graph_cache import cached_graph

    cached = cached_graph(root, folder)
    if cached.doubt is not None:
        origin = PlanGraph(source="nx", reason=f"made by Nx: {cached.doubt}")
    elif cached.changed == 0:
        origin = PlanGraph(source="cache", reason="reused: it was made of the same files")
    else:
        these = "1 file differs" if cached.changed == 1 else f"{cached.changed} files differ"
        said = f"reused: {these} from those it was made of, and none changes it"
        origin = PlanGraph(source="cache", reason=said)
    notes = (cached.note,) if cached.note else ()
    return Found(cached.data, cached.graph, origin, cached.snapshot.files, notes)


def stale_signs(root: Root, graph: ProjectGraph, project_files: list[str]) -> list[str]:
    """Where the graph and the working tree disagree on which projects there are.

    `project_files`: the project.json and package.json files that git knows. A graph file that is
    older than the tree, and one that Nx wrote in part, both show here.
    """
    roots = {node.data.root.removeprefix("./").rstrip("/") or "." for node in graph.nodes.values()}
    signs = []
    on_disk = set()
    for path in project_files:
        folder = path.rpartition("/")[0] or "."
        on_disk.add(folder)
        if folder in roots or root.ignores.ignores(path):
            continue
        if path.endswith("package.json") and not (root.packages and root.packages.matches(path)):
            continue
        if files.exists(root.path / path):
            signs.append(f"{path} is no project in it")
    for node in graph.nodes.values():
        folder = node.data.root.removeprefix("./").rstrip("/") or "."
        if folder not in on_disk and not files.exists(root.path / folder):
            signs.append(f"the folder of its project {node.name} is gone: {folder}")
    return signs


def has_no_imports(graph: ProjectGraph) -> bool:
    """Whether not one edge came from source code, though there are projects to connect."""
    return len(graph.nodes) > 1 and not any(
        edge.type in ("static", "dynamic") and not edge.target.startswith("npm:")
        for edges in graph.dependencies.values()
        for edge in edges
    )


def missing_import(root: Root, graph: ProjectGraph, *, limit: int = 2000) -> str | None:
    """A source file that imports another project, when the graph has no such edge at all.

    Nx finds no import without `typescript` in node_modules, and says nothing about it.
    """
    names = set(_aliases(root)) | set(_package_names(root, graph))
    if not names or not root.in_git:
        return None
    needles = [name.encode() for name in names]
    from ciforge.workspace.imports import is_source, specifiers

    candidates = (p for p in sorted(root.git.index()) if is_source(p))
    for path in _first(candidates, limit):
        content = root.read(path)
        if content is None or not any(needle in content for needle in needles):
            continue
        for specifier in specifiers(content, path):
            if any(specifier == n or specifier.startswith(f"{n}/") for n in names):
                return path
    return None


def _first(paths: Iterator[str], limit: int) -> Iterator[str]:
    return (path for _, path in zip(range(limit), paths, strict=False))


def _aliases(root: Root) -> Iterator[str]:
    if root.root_tsconfig is None:
        return
    try:
        config = json.loads(strip_comments(root.read(root.root_tsconfig) or b"{}"))
        paths = config["compilerOptions"]["paths"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return
    if isinstance(paths, dict):
        yield from (alias.removesuffix("/*") for alias in paths if len(alias) > 2)


def _package_names(root: Root, graph: ProjectGraph) -> Iterator[str]:
    for node in graph.nodes.values():
        if node.data.root in (".", ""):
            continue
        try:
            manifest = json.loads(root.read(f"{node.data.root}/package.json") or b"{}")
        except (ValueError, RecursionError):
            continue
        if isinstance(manifest, dict) and isinstance(manifest.get("name"), str):
            yield manifest["name"]


def warnings(
    root: Root, graph: ProjectGraph, project_files: list[str]
) -> Iterator[tuple[str, str]]:
    """What makes the graph doubtful: `(message, what to do)` pairs."""
    signs = stale_signs(root, graph, project_files)
    if signs:
        more = f" (and {len(signs) - 1} more)" if len(signs) > 1 else ""
        yield (
            f"the graph is not of this working tree: {signs[0]}{more}",
            "write it anew (nx graph --file=graph.json); if it stays so, Nx wrote only a part",
        )
    if has_no_imports(graph):
        found = missing_import(root, graph)
        if found is not None:
            yield (
                f"the graph has no import edge at all, though {found} imports another project",
                (
                    "Nx finds imports only with typescript in node_modules, and @nx/js (or "
                    "pluginsConfig for it) in the workspace: mend that, and write the graph anew"
                ),
            )
