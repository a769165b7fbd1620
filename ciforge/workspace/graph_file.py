"""Reads a project graph in each form in which Nx writes it, Nx 19 to 24.

- `nx graph --file`, `nx graph --print`, `nx affected --graph=stdout`: `{"graph": {"nodes": …,
  "dependencies": …}}`, without external packages;
- `.nx/workspace-data/project-graph.json`: nodes, externalNodes and dependencies at the top.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ciforge.errors import InputError
from ciforge.workspace.model import Edge, ExternalNode, NxJson, Project, ProjectGraph

_REGENERATE = "write it anew: nx graph --file=graph.json"

_decoded_names: list[str] = []


class _Node(Project):
    """Notes each decoded name: a dict alone would hide that a JSON key came twice."""

    def __post_init__(self) -> None:
        _decoded_names.append(self.name)


class _Body(msgspec.Struct, rename={"external_nodes": "externalNodes"}):
    nodes: dict[str, _Node] | None = None
    dependencies: dict[str, list[Edge]] | None = None
    external_nodes: dict[str, ExternalNode] | None = None
    errors: list[Any] = []


class _File(_Body):
    graph: _Body | None = None


_decoder = msgspec.json.Decoder(_File)


def parse_graph(data: bytes, name: str) -> ProjectGraph:
    """Decodes and checks a graph file; `name` stands in errors.

    Raises InputError, with the line where JSON breaks off or the path that has the wrong
    type, for anything that is not a whole graph: truncated JSON, another shape, two projects
    of one name, an edge to nowhere, a root outside the workspace, errors that Nx recorded.
    """
    _decoded_names.clear()
    try:
        decoded = _decoder.decode(data)
    except msgspec.ValidationError as error:
        raise InputError(
            f"is not a project graph: {error}", where=name, hint=_REGENERATE
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        where = f"{name}:{_line_of(error, data)}"
        raise InputError(f"is not JSON: {error}", where=where, hint=_REGENERATE) from error
    body = decoded.graph or decoded
    if body.nodes is None or body.dependencies is None:
        missing = "'nodes'" if body.nodes is None else "'dependencies'"
        raise InputError(
            f"is not a project graph: {missing} is missing",
            where=name,
            hint=_REGENERATE,
        )
    if body.errors:
        raise InputError(
            f"Nx recorded {len(body.errors)} error(s) while it made this graph: "
            f"{_first_message(body.errors)}",
            where=name,
            hint="mend what Nx names, then run nx reset and try again",
        )
    nodes: dict[str, Project] = body.nodes  # type: ignore[assignment]  # dict is invariant
    graph = ProjectGraph(nodes, body.dependencies, body.external_nodes)
    _check(graph, name)
    return graph


def _check(graph: ProjectGraph, name: str) -> None:
    if len(_decoded_names) != len(graph.nodes) or len(_decoded_names) != len(set(_decoded_names)):
        twice = next((n for n in _decoded_names if _decoded_names.count(n) > 1), None)
        raise InputError(
            f"two projects are called {twice!r}" if twice else "two projects have one key",
            where=name,
            hint="give each project its own name in project.json",
        )
    roots: dict[str, str] = {}
    for key, node in graph.nodes.items():
        if key != node.name:
            raise InputError(
                f"project {key!r} calls itself {node.name!r}", where=name, hint=_REGENERATE
            )
        root = node.data.root
        if roots.setdefault(root, key) != key:
            raise InputError(
                f"projects {roots[root]!r} and {key!r} share the folder {root!r}",
                where=name,
                hint="give each project a folder of its own",
            )
        if root.startswith("/") or "\\" in root or ".." in root.split("/"):
            raise InputError(
                f"project {key!r} lies outside the workspace: {root!r}",
                where=name,
                hint="a project's root is a folder below nx.json",
            )
    nodes, external = graph.nodes, graph.external_nodes
    for source, edges in graph.dependencies.items():
        if source not in nodes and (external is None or source not in external):
            raise InputError(
                f"has edges of {source!r}, which is no project in it",
                where=name,
                hint=_REGENERATE,
            )
        for edge in edges:
            if edge.target in nodes:
                continue
            if external is None:
                if edge.target.startswith("npm:"):
                    continue
            elif edge.target in external:
                continue
            raise InputError(
                f"has an edge from {source!r} to {edge.target!r}, which is no project in it",
                where=name,
                hint=_REGENERATE,
            )


def parse_nx_json(data: bytes, name: str = "nx.json") -> NxJson:
    """Decodes nx.json, comments and trailing commas allowed as Nx allows them.

    Raises InputError with the line of a fault.
    """
    try:
        return msgspec.json.decode(data, type=NxJson)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass  # perhaps comments: the plain form is tried first, as it is far quicker
    from ciforge.workspace.jsonc import strip_comments

    plain = strip_comments(data)
    hint = "mend it; Nx itself reads it too: nx show projects"
    try:
        return msgspec.json.decode(plain, type=NxJson)
    except msgspec.ValidationError as error:
        raise InputError(f"{error}", where=name, hint=hint) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        where = f"{name}:{_line_of(error, plain)}"
        raise InputError(f"is not JSON: {error}", where=where, hint=hint) from error


def _line_of(error: Exception, data: bytes) -> int:
    digits = "".join(c for c in str(error).rpartition("(byte ")[2] if c.isdigit())
    offset = int(digits) if digits else len(data)
    return data.count(b"\n", 0, offset) + 1


def _first_message(errors: list[Any]) -> str:
    first = errors[0]
    if isinstance(first, dict):
        first = first.get("message") or first.get("name") or first
    return str(first).strip().splitlines()[0] if str(first).strip() else "no message"
