"""Which tasks an image's build runs: its target and, through dependsOn, those before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from ciforge.errors import InputError
from ciforge.workspace.model import Project, ProjectGraph

Task = tuple[str, str]  # project, target


def project_dependencies(graph: ProjectGraph, project: str) -> list[str]:
    """Direct dependencies that are projects, sorted; edges of every type count."""
    return sorted(
        {e.target for e in graph.dependencies.get(project, ()) if e.target in graph.nodes}
    )


def all_dependencies(graph: ProjectGraph, project: str) -> list[str]:
    """Transitive dependencies that are projects, sorted, without `project` itself."""
    reached: set[str] = set()
    stack = [project]
    while stack:
        for target in project_dependencies(graph, stack.pop()):
            if target not in reached:
                reached.add(target)
                stack.append(target)
    return sorted(reached - {project})


def build_tasks(graph: ProjectGraph, project: str, target: str) -> list[Task]:
    """All tasks that `project:target` runs, itself included, sorted.

    As Nx follows dependsOn: `x` is a target of the same project, `^x` one of the
    dependencies (a dependency without it is passed through to its own), and the object forms
    name projects. Empty when the project has no such target.
    """
    if target not in graph.nodes[project].data.targets:
        return []
    done: set[Task] = set()
    stack: list[Task] = [(project, target)]
    while stack:
        task = stack.pop()
        if task in done:
            continue
        done.add(task)
        stack.extend(_before(graph, *task))
    return sorted(done)


def _before(graph: ProjectGraph, project: str, target: str) -> Iterator[Task]:
    depends_on = msgspec.json.decode(graph.nodes[project].data.targets[target].depends_on)
    for item in depends_on if isinstance(depends_on, list) else ():
        wanted, projects, upstream = _parse(item)
        if wanted is None:
            continue
        if upstream:
            yield from _of_dependencies(graph, project, wanted)
        elif projects is None:
            if _has(graph.nodes[project], wanted):
                yield project, wanted
        else:
            from ciforge.workspace.patterns import match_projects

            for name in match_projects(projects, graph.nodes):
                if _has(graph.nodes[name], wanted):
                    yield name, wanted


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


def _of_dependencies(graph: ProjectGraph, project: str, target: str) -> Iterator[Task]:
    seen = {project}
    stack = [project]
    while stack:
        for dependency in project_dependencies(graph, stack.pop()):
            if dependency in seen:
                continue
            seen.add(dependency)
            if _has(graph.nodes[dependency], target):
                yield dependency, target
            else:
                stack.append(dependency)


def _has(project: Project, target: str) -> bool:
    return target in project.data.targets
