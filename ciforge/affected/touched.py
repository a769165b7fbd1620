"""Which nodes of the graph a set of changed files touches, each with the rule that says so.

The rules are those of Nx 24 at project level (`nx show projects --affected`); they are pure:
what they need to know of the outside is in `Change` and `Surroundings`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ciforge.affected.json_diff import JsonChange, diff_json, parse_strict
from ciforge.affected.packages import packages_touched
from ciforge.workspace.model import LOCKFILE_NAMES, NxJson, ProjectGraph, plugin_name

ROOT_TSCONFIGS = ("tsconfig.base.json", "tsconfig.json")


@dataclass(frozen=True)
class Change:
    """A changed file, relative to the workspace.

    `deleted`: not in the working tree. `before` and `after` are its texts at base and head,
    read only for the root files whose content decides (`needs_content`); None where the
    whole file counts as changed (`--files`).
    """

    path: str
    deleted: bool = False
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True)
class Surroundings:
    """What the rules know of the working tree beside the changed files.

    `package_json`: the root manifest, `{}` without one. `root_tsconfig`: the name of the one
    that Nx takes, of ROOT_TSCONFIGS.
    """

    nx_json: NxJson = field(default_factory=NxJson)
    package_json: Mapping[str, Any] = field(default_factory=dict)
    root_tsconfig: str | None = None


@dataclass(frozen=True)
class Touch:
    """Why a node is touched: the changed file (None for a configured project) and the rule."""

    file: str | None
    rule: str


Touched = dict[str, Touch]


def needs_content(path: str, root_tsconfig: str | None) -> bool:
    """Whether a rule looks into this file, so that its texts must be in its Change."""
    return path == "package.json" or path == root_tsconfig or path in LOCKFILE_NAMES


def touched(graph: ProjectGraph, changes: Iterable[Change], around: Surroundings) -> Touched:
    """The touched projects and `npm:` nodes; the first rule that names a node is kept.

    `graph.external_nodes` must be there when package.json or a lockfile changed: without it
    no package is known, which is not what Nx would say.
    """
    changes = list(changes)
    found: Touched = {}
    for rule in _RULES:
        for node, touch in rule(graph, changes, around):
            found.setdefault(node, touch)
    return found


Hits = Iterator[tuple[str, Touch]]


def _all(graph: ProjectGraph, file: str | None, rule: str) -> Hits:
    touch = Touch(file, rule)
    return ((name, touch) for name in graph.nodes)


def owner_of(path: str, roots: Mapping[str, str]) -> str | None:
    """The project whose root is the nearest folder above `path`; `roots` maps root to name."""
    folder = path
    while folder:
        folder = folder.rpartition("/")[0]
        owner = roots.get(folder)
        if owner is not None:
            return owner
    return None


def project_roots(graph: ProjectGraph) -> dict[str, str]:
    """Project names by root folder; the workspace's own root is ""."""
    return {_folder(node.data.root): name for name, node in graph.nodes.items()}


def _folder(root: str) -> str:
    root = posixpath.normpath(root)
    return "" if root == "." else root


def _owners(graph: ProjectGraph, changes: list[Change], _: Surroundings) -> Hits:
    roots = project_roots(graph)
    for change in changes:
        owner = owner_of(change.path, roots)
        if owner is not None:
            yield owner, Touch(change.path, "a file of the project")


def _nx_json(graph: ProjectGraph, changes: list[Change], _: Surroundings) -> Hits:
    if any(change.path == "nx.json" for change in changes):
        yield from _all(graph, "nx.json", "nx.json configures every project")


def _workspace_inputs(graph: ProjectGraph, changes: list[Change], around: Surroundings) -> Hits:
    from ciforge.workspace.root_filesets import workspace_filesets, workspace_matcher

    by_pattern: dict[str, list[str]] = {}
    for name, node in graph.nodes.items():
        for pattern in workspace_filesets(node, around.nx_json):
            by_pattern.setdefault(pattern, []).append(name)
    for pattern, names in by_pattern.items():
        matches = workspace_matcher(pattern)
        for change in changes:
            if matches(change.path):
                touch = Touch(change.path, f"an input of its targets: {{workspaceRoot}}/{pattern}")
                for name in names:
                    yield name, touch
                break


# The files from which Nx's own plugins and Nx itself make projects: when one of them is
# deleted, Nx can't know what it was and takes every project for touched.
_CORE_PROJECT_FILES = ("package.json", "project.json", *LOCKFILE_NAMES)
_SCRIPTS = "{js,ts,mjs,mts,cjs,cts}"
_PLUGIN_FILES = {
    "@nx/angular": "**/angular.json",
    "@nx/cypress": "**/cypress.config.{js,ts,mjs,cjs}",
    "@nx/detox": "**/{detox.config,.detoxrc}.{json,js}",
    "@nx/docker": "**/Dockerfile",
    "@nx/dotnet": "**/{*.{csproj,fsproj,vbproj},Directory.Build.{props,targets,rsp},"
    "Directory.Solution.{props,targets},Directory.Packages.props}",
    "@nx/eslint": "**/{.eslintrc,.eslintrc.{js,cjs,yaml,yml,json},"
    "eslint.config.{js,cjs,mjs,ts,cts,mts}}",
    "@nx/expo": "**/app.{json,config.js,config.ts}",
    "@nx/gradle": "**/{build.gradle,build.gradle.kts}",
    "@nx/jest": "**/jest.config.{cjs,mjs,js,cts,mts,ts}",
    "@nx/js": "**/tsconfig*.json",
    "@nx/maven": "**/pom.xml",
    "@nx/next": "**/next.config.{ts,js,cjs,mjs}",
    "@nx/nuxt": f"**/nuxt.config.{_SCRIPTS}",
    "@nx/playwright": f"**/playwright.config.{_SCRIPTS}",
    "@nx/react": "**/react-router.config.{ts,js,cjs,cts,mjs,mts}",
    "@nx/react-native": "**/app.{json,config.js,config.ts}",
    "@nx/remix": f"**/{{remix,vite}}.config.{_SCRIPTS}",
    "@nx/rollup": f"**/rollup.config.{_SCRIPTS}",
    "@nx/rsbuild": f"**/rsbuild.config.{_SCRIPTS}",
    "@nx/rspack": f"**/rspack.config.{_SCRIPTS}",
    "@nx/storybook": f"**/.storybook/main.{_SCRIPTS}",
    "@nx/vite": f"**/vite.config.{_SCRIPTS}",
    "@nx/vitest": f"**/{{vite,vitest}}.config.{_SCRIPTS}",
    "@nx/webpack": "**/webpack.config.{js,ts,mjs,cjs}",
}


def _deleted_project_files(
    graph: ProjectGraph, changes: list[Change], around: Surroundings
) -> Hits:
    deleted = [change.path for change in changes if change.deleted]
    if not deleted:
        return
    patterns = [
        _PLUGIN_FILES[name]
        for name in dict.fromkeys(map(plugin_name, around.nx_json.plugins))
        if name in _PLUGIN_FILES
    ]
    from ciforge.workspace.globs import nx_glob_set

    matchers = [nx_glob_set([pattern]) for pattern in patterns]
    for path in deleted:
        core = path.rpartition("/")[2] in ("package.json", "project.json")
        if core or path in _CORE_PROJECT_FILES or any(globs.matches(path) for globs in matchers):
            rule = "a deleted file that made a project: Nx can't tell which, and takes all"
            yield from _all(graph, path, rule)
            return


def _lockfile(graph: ProjectGraph, changes: list[Change], around: Surroundings) -> Hits:
    mode = _dependency_updates(around)
    change = next((c for c in changes if c.path in LOCKFILE_NAMES), None)
    if isinstance(mode, list):
        from ciforge.workspace.patterns import match_projects

        key = "projectsAffectedByDependencyUpdates"
        for name in match_projects([str(p) for p in mode], graph.nodes):
            yield name, Touch(None, f"listed in {key}, whatever changed")
        return
    if change is None:
        return
    if mode != "auto":
        rule = "the lockfile changed, and projectsAffectedByDependencyUpdates is 'all'"
        yield from _all(graph, change.path, rule)
        return
    nodes = _changed_external_nodes(graph, change, around)
    if nodes is None:
        rule = "the lockfile's change can't be pinned to packages"
        yield from _all(graph, change.path, rule)
        return
    for node in nodes:
        yield node, Touch(change.path, "its entry in the lockfile changed")


def _dependency_updates(around: Surroundings) -> Any:
    config = around.nx_json.plugins_config.get("@nx/js")
    if isinstance(config, dict):
        return config.get("projectsAffectedByDependencyUpdates", "all")
    return "all"


def _changed_external_nodes(
    graph: ProjectGraph, change: Change, around: Surroundings
) -> list[str] | None:
    """Nodes of the packages whose (version, integrity) set differs; None: can't be told."""
    from ciforge.lockfile import LockfileError, changed_packages

    if change.deleted or change.before is None or change.after is None:
        return None
    try:
        names = changed_packages(
            change.path, change.before, change.after, dict(around.package_json)
        )
    except LockfileError:
        return None
    nodes = []
    known = set()
    for node in (graph.external_nodes or {}).values():
        if node.data.package_name in names:
            nodes.append(node.name)
            known.add(node.data.package_name)
    return nodes if known == names else None


def _package_json(graph: ProjectGraph, changes: list[Change], around: Surroundings) -> Hits:
    change = next((c for c in changes if c.path == "package.json"), None)
    if change is None or change.deleted:
        return
    json_changes = _json_changes(change)
    external = graph.external_nodes or {}
    if json_changes is None:
        for node in external:
            yield node, Touch(change.path, "package.json as a whole counts as changed")
        return
    names = packages_touched(graph, json_changes, around.nx_json)
    if isinstance(names, str):
        yield from _all(graph, change.path, names)
        return
    for node, rule in names:
        yield node, Touch(change.path, rule)


def _json_changes(change: Change) -> list[JsonChange] | None:
    """The changes inside a JSON file, None when it counts as changed as a whole."""
    if change.before is None or change.after is None:
        return None
    try:
        return diff_json(parse_strict(change.before), parse_strict(change.after))
    except ValueError:
        return None


def _tsconfig(graph: ProjectGraph, changes: list[Change], around: Surroundings) -> Hits:
    name = around.root_tsconfig
    change = next((c for c in changes if c.path == name), None)
    if change is None or name is None:
        return
    json_changes = _json_changes(change)
    if json_changes is None or not all(
        c.path[0] == "compilerOptions" and (len(c.path) == 1 or c.path[1] == "paths")
        for c in json_changes
    ):
        yield from _all(graph, name, "compiler options of every project changed")
        return
    aliases = [c for c in json_changes if len(c.path) == 4]
    if any(c.kind == "deleted" for c in aliases):
        yield from _all(graph, name, "a path alias lost a target")
        return
    for c in aliases:
        for value in (c.before, c.after):
            target = value.removeprefix("./") if isinstance(value, str) else None
            for project in graph.nodes.values():
                root = project.data.root.removesuffix("/")
                if target is not None and (target == root or target.startswith(f"{root}/")):
                    yield project.name, Touch(name, f"path alias {c.path[2]!r} leads into it")


# In Nx's order: native locators first, then those of its JavaScript plugin.
_RULES = (
    _owners,
    _nx_json,
    _workspace_inputs,
    _deleted_project_files,
    _lockfile,
    _package_json,
    _tsconfig,
)
