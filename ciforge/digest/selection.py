"""Which files the tasks of an image's build read, by their Nx inputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ciforge.digest.tasks import TaskGraph
from ciforge.digest.tree import Tree
from ciforge.workspace.inputs import (
    PROJECT_ROOT,
    DependencyInput,
    expand,
    filesets_for,
    matches,
    named_inputs,
)
from ciforge.workspace.model import InputDefinition, NxJson, ProjectGraph
from ciforge.workspace.patterns import match_projects
from ciforge.workspace.root_filesets import WORKSPACE_ROOT, workspace_matcher

Filesets = tuple[str, ...]
_GLOB = frozenset("*?[{(!")


class Selector:
    """Selects files of one tree; every (project, filesets) pair is matched once.

    `like`, a selector of the same graph, lends what is equal: where nx.json is the same, what
    targets read; where a project has the same paths, which of them match.
    """

    def __init__(
        self, graph: ProjectGraph, nx_json: NxJson, tree: Tree, like: Selector | None = None
    ) -> None:
        self._graph = graph
        self._nx_json = nx_json
        self._tree = tree
        self._like = like
        self.tasks: TaskGraph = like.tasks if like else TaskGraph(graph)
        self._matched: dict[tuple[str | None, Filesets], list[str]] = {}
        self._reads: dict[tuple[str, str], frozenset[tuple[str, Filesets]]] = {}
        self._named: dict[tuple[str, str], Filesets] = {}
        self._all: dict[tuple[tuple[str, ...], str], list[tuple[str, Filesets]]] = {}
        if like and like._nx_json == nx_json:
            self._reads, self._named, self._all = like._reads, like._named, like._all

    def project_files(self, projects: Sequence[str], target: str) -> dict[str, set[str]]:
        """Selected files by the project that owns them."""
        found: dict[str, set[str]] = {}
        for project, filesets in self._all_reads(projects, target):
            own = tuple(f for f in filesets if _body(f).startswith(PROJECT_ROOT))
            if own:
                found.setdefault(project, set()).update(self._match(project, own))
        return found

    def workspace_files(self, projects: Sequence[str], target: str) -> set[str]:
        """Files selected by `{workspaceRoot}/…` filesets, whoever owns them."""
        found: set[str] = set()
        for _, filesets in self._all_reads(projects, target):
            rooted = tuple(f for f in filesets if _body(f).startswith(WORKSPACE_ROOT))
            # Negations alone would select the whole workspace (as Nx hashes them).
            if any(not f.startswith("!") for f in rooted):
                found.update(self._match(None, rooted))
        return found

    def configured(self, pattern: str) -> list[str]:
        """Files that a configured input names: a path, a folder with all below it, or a glob."""
        rest = pattern.removeprefix(f"{WORKSPACE_ROOT}/")
        if _GLOB.isdisjoint(rest):
            plain = rest.rstrip("/")
            return [plain] if plain in self._tree.files else self._tree.below(plain)
        matcher = workspace_matcher(rest)
        return [path for path in self._tree.paths if matcher(path)]

    def _all_reads(self, projects: Sequence[str], target: str) -> list[tuple[str, Filesets]]:
        key = (tuple(projects), target)
        if key not in self._all:
            self._all[key] = sorted(self._read_by(projects, target))
        return self._all[key]

    def _read_by(self, projects: Sequence[str], target: str) -> set[tuple[str, Filesets]]:
        found: set[tuple[str, Filesets]] = set()
        for project in projects:
            tasks = self.tasks.build_tasks(project, target)
            if not tasks:
                # Nothing that Nx builds: the image reads what Nx takes for a project's inputs.
                found |= self._inputs(project, None)
            for task in tasks:
                if task not in self._reads:
                    inputs = self._graph.nodes[task[0]].data.targets[task[1]].inputs
                    self._reads[task] = frozenset(self._inputs(task[0], inputs))
                found |= self._reads[task]
        return found

    def _inputs(
        self, project: str, inputs: Sequence[InputDefinition] | None
    ) -> set[tuple[str, Filesets]]:
        """`(project, filesets)` pairs that one target of `project` reads."""
        target = filesets_for(self._graph.nodes[project], inputs, self._nx_json)
        found = {(project, tuple(target.own))} if target.own else set()
        for dependency in target.deps:
            found.update(self._of_others(project, dependency))
        if target.outputs and not target.deps:
            # It reads what its dependencies' tasks write: their sources stand for it.
            found.update(self._of_others(project, DependencyInput("default")))
        return found

    def _of_others(
        self, project: str, dependency: DependencyInput
    ) -> Iterable[tuple[str, Filesets]]:
        if isinstance(dependency.projects, str):
            others = self.tasks.all_dependencies(project)
        else:
            others = match_projects(list(dependency.projects), self._graph.nodes)
            if dependency.of_dependencies:
                others = sorted({d for o in others for d in self.tasks.dependencies(o)})
        for other in others:
            if dependency.fileset is not None:
                yield other, (dependency.fileset,)
            elif dependency.name is not None:
                filesets = self._named_filesets(other, dependency.name)
                if filesets:
                    yield other, filesets

    def _named_filesets(self, project: str, name: str) -> Filesets:
        key = (project, name)
        if key not in self._named:
            node = self._graph.nodes[project]
            named = named_inputs(node, self._nx_json)
            expanded = expand([name], named) if name in named else ()
            own = [item for item in expanded if isinstance(item, str) and item[0] != "^"]
            self._named[key] = tuple(filesets_for(node, own, self._nx_json).own)
        return self._named[key]

    def _match(self, project: str | None, filesets: Filesets) -> list[str]:
        key = (project, filesets)
        if key not in self._matched:
            if project is None:
                self._matched[key] = matches(filesets, "", self._tree.paths)
            else:
                paths = self._tree.by_project[project]
                like = self._like
                if like and like._tree.by_project[project] == paths:
                    self._matched[key] = like._match(project, filesets)
                else:
                    root = self._graph.nodes[project].data.root
                    self._matched[key] = matches(filesets, root, paths)
        return self._matched[key]


def _body(fileset: str) -> str:
    return fileset.removeprefix("!")
