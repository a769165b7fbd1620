"""Which services stand on which: levels within which order doesn't matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ciforge.workspace.model import ProjectGraph


def service_levels(graph: ProjectGraph, services: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The level of each service, from 1; `services` maps names to Nx projects.

    A service stands one level above the highest one that its projects depend on. Services
    that depend on each other in a cycle share a level.
    """
    import networkx

    dependencies: networkx.DiGraph[str] = networkx.DiGraph()
    dependencies.add_nodes_from(graph.nodes)
    dependencies.add_edges_from(
        (source, edge.target)
        for source, edges in graph.dependencies.items()
        if source in graph.nodes
        for edge in edges
        if edge.target in graph.nodes
    )
    # The projects of one image are one node: what any of them stands on, the image stands on.
    for projects in services.values():
        dependencies.add_edges_from(
            zip(projects, [*projects[1:], projects[0]], strict=True) if projects else ()
        )
    owners = {p: name for name, projects in services.items() for p in projects}
    condensed = networkx.condensation(dependencies)
    height: dict[int, int] = {}
    for component in reversed(list(networkx.topological_sort(condensed))):
        below = max((height[c] for c in condensed.successors(component)), default=0)
        holds_service = any(p in owners for p in condensed.nodes[component]["members"])
        height[component] = below + holds_service
    mapping = condensed.graph["mapping"]
    return {
        name: height[mapping[projects[0]]] if projects else 1 for name, projects in services.items()
    }
