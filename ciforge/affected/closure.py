"""Everything that depends on the touched nodes, and the shortest chain to each of it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from ciforge.workspace.model import ProjectGraph

if TYPE_CHECKING:
    import networkx


class Closure:
    """What is affected when `touched` nodes are: one walk answers for all projects."""

    def __init__(self, graph: ProjectGraph, touched: Iterable[str]) -> None:
        self._graph = graph
        self._touched = list(touched)

    @cached_property
    def dependents(self) -> networkx.DiGraph[str]:
        """An edge from each node to what depends on it; projects and, where known, packages.

        Parallel edges collapse into one: every type counts alike (Nx, project level).
        """
        import networkx

        dependents: networkx.DiGraph[str] = networkx.DiGraph()
        dependents.add_nodes_from(self._graph.nodes)
        if self._graph.external_nodes:
            dependents.add_nodes_from(self._graph.external_nodes)
        dependents.add_edges_from(
            (edge.target, source)
            for source, edges in self._graph.dependencies.items()
            for edge in edges
        )
        return dependents

    @cached_property
    def distance(self) -> dict[str, int]:
        """Edges between each affected node and the nearest touched one."""
        import networkx

        sources = [node for node in self._touched if node in self.dependents]
        layers = networkx.bfs_layers(self.dependents, sources)
        return {node: depth for depth, layer in enumerate(layers) for node in layer}

    @property
    def projects(self) -> list[str]:
        """The affected projects, in the graph's order."""
        return [name for name in self._graph.nodes if name in self.distance]

    def chain(self, project: str) -> list[str] | None:
        """Nodes from a touched one to `project`, or None when it is not affected.

        Of equally short chains the one whose names, read from the end, sort first.
        """
        if project not in self.distance:
            return None
        chain = [project]
        while (left := self.distance[chain[-1]]) > 0:
            before = self.dependents.predecessors(chain[-1])
            chain.append(min(n for n in before if self.distance.get(n) == left - 1))
        return chain[::-1]


def edge_types(graph: ProjectGraph, source: str, target: str) -> list[str]:
    """The types of the edges from `source` to `target`, sorted."""
    return sorted({e.type for e in graph.dependencies.get(source, []) if e.target == target})
