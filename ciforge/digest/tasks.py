"""Which tasks an image's build runs: its target and, through dependsOn, those before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from ciforge.errors import InputError
from ciforge.workspace.model import ProjectGraph
from ciforge.workspace.patterns import match_projects

Task = tuple[str, str]  # project, target


class TaskGraph:
    """The dependencies of projects and of their tasks; each is worked out once."""

    def __init__(self, graph: ProjectGraph) -> None:
        self._graph = graph
        self._direct: dict[str, list[str]] = {}
        self._all: dict[str, list[str]] = {}

    def dependencies(self, project: str) -> list[str]:
        """Direct dependencies that are projects, sorted; edges of every type count."""
        if project not in self._direct:
            edges = self._graph.dependencies.get(project, ())
            self._direct[project] = sorted({e.target for e in edges} & self._graph.nodes.keys())
        return self._direct[project]

    def all_dependencies(self, project: str) -> list[str]:
        """Transitive dependencies that are projects, sorted, without `project` itself."""
        if project not in self._all:
            reached: set[str] = set()
            stack = [project]
            while stack:
                for target in self.dependencies(stack.pop()):
                    if target not in reached:
                        reached.add(target)
                        stack.append(target)
            self._all[project] = sorted(reached - {project})
        return self._all[project]

    def build_tasks(self, project: str, target: str) -> list[Task]:
        """All tasks that `project:target` runs, itself included, sorted.

        As Nx follows dependsOn: `x` is a target of the same project, `^x` one of the
        dependencies (a dependency without it is passed through to its own), and the object
        forms name projects. Empty when the project has no such target.
        """
        if not self._has(project, target):
            return []
        done: set[Task] = set()
        stack: list[Task] = [(project, target)]
        while stack:
            task = stack.pop()
            if task in done:
                continue
            done.add(task)
            stack.extend(self._before(*task))
        return sorted(done)

    def _before(self, project: str, target: str) -> Iterator[Task]:
        depends_on = msgspec.json.decode(self._graph.nodes[project].data.targets[target].depends_on)
        for item in depends_on if isinstance(depends_on, list) else ():
            wanted, projects, upstream = _parse(item)
            if wanted is None:
                continue
            if upstream:
                yield from self._of_dependencies(project, wanted)
            elif projects is None:
                if self._has(project, wanted):
                    yield project, wanted
            else:
                for name in match_projects(projects, self._graph.nodes):
                    if self._has(name, wanted):
                        yield name, wanted

    def _of_dependencies(self, project: str, target: str) -> Iterator[Task]:
        seen = {project}
        stack = [project]
        while stack:
            for dependency in self.dependencies(stack.pop()):
                if dependency in seen:
                    continue
                seen.add(dependency)
                if self._has(dependency, target):
                    yield dependency, target
                else:
                    stack.append(dependency)

    def _has(self, project: str, target: str) -> bool:
        return target in self._graph.nodes[project].data.targets


def _parse(item: Any) -> tuple[str | None, list[str] | None, bool]:
    """A dependsOn entry as (target, projects or None for the same one, of dependencies)."""
    if isinstance(item, str):
        return item.removeprefix("^"), None, item.startswith("^")
    if not isinstance(item, dict) or not isinstance(item.get("target"), str):
        return None, None, False
    target: str = item["target"]
    upstream = bool(item.get("dependencies")) or target.startswith("^")
    target = target.removeprefix("^")
    projects = item.get("projects")
    if projects == "dependencies":
        return target, None, True
    if projects in (None, "self", "{self}"):
        return target, None, upstream
    names = [projects] if isinstance(projects, str) else projects
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(
            f"dependsOn has a wrong value for 'projects': {projects!r}",
            hint="write a project, or a list of projects and patterns",
        )
    return target, names, upstream
