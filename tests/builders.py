"""Small workspaces as values and as files, for tests."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ciforge.workspace.model import (
    Edge,
    ExternalData,
    ExternalNode,
    Project,
    ProjectData,
    ProjectGraph,
    Target,
)


def project(name: str, root: str, type_: str = "lib", **data: Any) -> Project:
    return Project(name, type_, ProjectData(root=root, **data))


def graph(
    projects: Iterable[Project],
    edges: Iterable[tuple[str, str] | tuple[str, str, str]] = (),
    packages: dict[str, str] | None = None,
) -> ProjectGraph:
    """`packages` maps package names to versions; None: a graph that knows no packages."""
    external = None
    if packages is not None:
        external = {
            f"npm:{name}": ExternalNode(f"npm:{name}", ExternalData(version, name, f"h-{version}"))
            for name, version in packages.items()
        }
    dependencies: dict[str, list[Edge]] = {}
    for edge in edges:
        dependencies.setdefault(edge[0], []).append(Edge(*edge))
    return ProjectGraph({p.name: p for p in projects}, dependencies, external)


def target(*inputs: Any, depends_on: Iterable[Any] = ()) -> Target:
    from msgspec import Raw

    return Target(
        inputs=list(inputs) or None, depends_on=Raw(json.dumps(list(depends_on)).encode())
    )


def graph_json(graph: ProjectGraph) -> str:
    """The graph in the form of `nx graph --file`."""
    nodes = {
        name: {
            "name": name,
            "type": node.type,
            "data": {
                "root": node.data.root,
                "projectType": node.data.project_type,
                "tags": node.data.tags,
                "targets": {
                    key: {
                        "executor": "nx:run-commands",
                        "options": {"command": "echo"},
                        **({"inputs": value.inputs} if value.inputs is not None else {}),
                        "dependsOn": json.loads(bytes(value.depends_on)),
                    }
                    for key, value in node.data.targets.items()
                },
                "namedInputs": node.data.named_inputs,
            },
        }
        for name, node in graph.nodes.items()
    }
    dependencies = {
        name: [
            {"source": e.source, "target": e.target, "type": e.type}
            for e in graph.dependencies.get(name, ())
        ]
        for name in graph.nodes
    }
    return json.dumps({"graph": {"nodes": nodes, "dependencies": dependencies}})
