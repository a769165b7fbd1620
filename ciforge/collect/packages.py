"""Completes a graph with packages where a rule needs them and the graph file has none."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ciforge.affected.touched import Change, Touched, owner_of, project_roots, touched
from ciforge.collect.workspace import Root
from ciforge.workspace.model import LOCKFILE_NAMES, Edge, ExternalNode, ProjectGraph

if TYPE_CHECKING:
    from collections.abc import Mapping


def with_packages(
    root: Root, graph: ProjectGraph, changes: list[Change]
) -> tuple[ProjectGraph, Touched]:
    """The touched nodes, with the packages that they need in the graph.

    `nx graph --file` leaves packages out. Then they come from the root lockfile, and the
    edges to the touched ones from the projects' own imports and manifests, as Nx makes them.
    """
    mode = root.nx_json.plugins_config.get("@nx/js")
    auto = isinstance(mode, dict) and mode.get("projectsAffectedByDependencyUpdates") == "auto"
    needed = any(c.path == "package.json" or (auto and c.path in LOCKFILE_NAMES) for c in changes)
    if graph.external_nodes is not None or not needed:
        return graph, touched(graph, changes, root.surroundings)
    nodes, edges = _from_lockfile(root)
    dependencies = dict(graph.dependencies)
    for edge in edges:
        dependencies.setdefault(edge.source, []).append(edge)
    graph = ProjectGraph(graph.nodes, dependencies, nodes)
    found = touched(graph, changes, root.surroundings)
    packages = _dependents([n for n in found if n in nodes], edges)
    if packages and not found.keys() >= graph.nodes.keys():
        for edge in project_edges(root, graph, packages):
            dependencies[edge.source] = [*dependencies.get(edge.source, []), edge]
    return graph, found


def _from_lockfile(root: Root) -> tuple[dict[str, ExternalNode], list[Edge]]:
    from ciforge.lockfile import LockfileError, external_graph

    for name in LOCKFILE_NAMES:
        text = root.text(name)
        if text is not None:
            try:
                return external_graph(name, text, root.package_json, installed=root.manifest)
            except LockfileError:
                return {}, []
    return {}, []


def _dependents(names: Iterable[str], edges: list[Edge]) -> set[str]:
    """The packages themselves and all packages that lead to them."""
    by_target: dict[str, list[str]] = {}
    for edge in edges:
        by_target.setdefault(edge.target, []).append(edge.source)
    reached = set(names)
    stack = list(reached)
    while stack:
        for source in by_target.get(stack.pop(), ()):
            if source not in reached:
                reached.add(source)
                stack.append(source)
    return reached


def project_edges(root: Root, graph: ProjectGraph, packages: set[str]) -> list[Edge]:
    """Edges from projects to those of `packages` (node names) that they import or declare."""
    from ciforge.workspace.imports import is_source, package_of, specifiers

    wanted = _nodes_by_package(graph, packages)
    needles = [name.encode() for name in wanted]
    roots = project_roots(graph)
    found: set[tuple[str, str]] = set()
    for path in root.git.tracked():
        manifest = path.rpartition("/")[2] == "package.json"
        if not (manifest or is_source(path)):
            continue
        owner = owner_of(path, roots)
        if owner is None or root.ignores.ignores(path):
            continue
        content = root.read(path)
        if content is None or not any(needle in content for needle in needles):
            continue
        if manifest:
            if path.rpartition("/")[0] not in roots:
                continue
            names = _declared(content)
        else:
            names = {n for s in specifiers(content, path) if (n := package_of(s))}
        found.update((owner, node) for name in names & wanted.keys() for node in wanted[name])
    return [Edge(source, target) for source, target in sorted(found)]


def _nodes_by_package(graph: ProjectGraph, packages: set[str]) -> Mapping[str, list[str]]:
    """The nodes that an import of each package means: the hoisted one, else all of its versions."""
    external = graph.external_nodes or {}
    wanted: dict[str, list[str]] = {}
    for node in packages:
        name = external[node].data.package_name
        hoisted = f"npm:{name}"
        if hoisted not in external or node == hoisted:
            wanted.setdefault(name, []).append(node)
    return wanted


def _declared(content: bytes) -> set[str]:
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError):
        return set()
    if not isinstance(manifest, dict):
        return set()
    sections = ("dependencies", "devDependencies", "peerDependencies", "optionalDependencies")
    return {
        name
        for section in sections
        if isinstance(manifest.get(section), dict)
        for name in manifest[section]
    }
