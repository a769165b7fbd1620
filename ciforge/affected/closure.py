"""Everything that depends on the touched nodes, and the shortest chain to each of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ciforge.workspace.model import ProjectGraph

if TYPE_CHECKING:
    import networkx

    Dependents = networkx.DiGraph[str]


def dependents_graph(graph: ProjectGraph) -> Dependents:
    """A networkx DiGraph with an edge from each node to what depends on it.

    Nodes are project names and, where the graph knows them, `npm:` nodes. Parallel edges
    collapse into one: every type counts alike (Nx, project level).
    """
    import networkx

    dependents: Dependents = networkx.DiGraph()
    dependents.add_nodes_from(graph.nodes)
    if graph.external_nodes:
        dependents.add_nodes_from(graph.external_nodes)
    dependents.add_edges_from(
        (edge.target, source) for source, edges in graph.dependencies.items() for edge in edges
    )
    return dependents


def affected_projects(graph: ProjectGraph, touched: Iterable[str]) -> list[str]:
    """The touched projects and all that depend on touched nodes, in the graph's order."""
    import networkx

    dependents = dependents_graph(graph)
    reached: set[str] = set()
    sources = [node for node in touched if node in dependents]
    for layer in networkx.bfs_layers(dependents, sources):
        reached.update(layer)
    return [name for name in graph.nodes if name in reached]


def shortest_chain(graph: ProjectGraph, touched: Iterable[str], project: str) -> list[str] | None:
    """Nodes from a touched one to `project` along dependents, or None when there is no way.

    Among equally short chains the one whose names sort first is taken.
    """
    import networkx

    dependents = dependents_graph(graph)
    sources = {node for node in touched if node in dependents}
    if project not in dependents or not sources:
        return None
    distance = networkx.single_source_shortest_path_length(dependents.reverse(copy=False), project)
    start = min((s for s in sources if s in distance), key=lambda s: (distance[s], s), default=None)
    if start is None:
        return None
    chain = [start]
    while chain[-1] != project:
        left = distance[chain[-1]] - 1
        chain.append(min(n for n in dependents.successors(chain[-1]) if distance.get(n) == left))
    return chain


def edge_types(graph: ProjectGraph, source: str, target: str) -> list[str]:
    """The types of the edges from `source` to `target`, sorted."""
    return sorted({e.type for e in graph.dependencies.get(source, []) if e.target == target})
