"""The project graph and nx.json as Nx writes them, reduced to what ciforge reads.

Nodes and edges keep Nx's own words (`data.root`, `implicitDependencies`, …), so that a
graph file decodes straight into these structs. What only a few commands look at stays
`msgspec.Raw`, undecoded JSON: `ciforge affected` never pays for it.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

# Root lockfiles in Nx's order: of several changed ones it looks only at the first.
LOCKFILE_NAMES = (
    "yarn.lock",
    "package-lock.json",
    "pnpm-lock.yaml",
    "pnpm-lock.yml",
    "bun.lockb",
    "bun.lock",
)

# A fileset string ("{projectRoot}/**/*"), a named input, or an object such as
# {"externalDependencies": [...]}, {"input": "production", "projects": "dependencies"}.
InputDefinition = str | dict[str, Any]


class Target(msgspec.Struct, gc=False, rename={"depends_on": "dependsOn"}):
    """One target of a project, target defaults already merged in by Nx."""

    inputs: list[InputDefinition] | None = None
    executor: str | None = None
    command: str | None = None
    options: Raw = Raw(b"{}")
    outputs: Raw = Raw(b"[]")
    depends_on: Raw = Raw(b"[]")
    metadata: Raw = Raw(b"{}")


class ProjectData(
    msgspec.Struct,
    rename={
        "source_root": "sourceRoot",
        "project_type": "projectType",
        "named_inputs": "namedInputs",
        "implicit_dependencies": "implicitDependencies",
    },
):
    """A project's configuration. `root` is relative to the workspace, "." for its root."""

    root: str
    source_root: str | None = None
    project_type: str | None = None
    tags: list[str] = []
    targets: dict[str, Target] = {}
    named_inputs: dict[str, list[InputDefinition]] = {}
    implicit_dependencies: list[str] = []
    metadata: Raw = Raw(b"{}")


class Project(msgspec.Struct):
    """A node of the graph. `type` is `app`, `lib` or `e2e`."""

    name: str
    type: str
    data: ProjectData


class ExternalData(msgspec.Struct, rename={"package_name": "packageName"}):
    version: str = ""
    package_name: str = ""
    hash: str | None = None


class ExternalNode(msgspec.Struct):
    """A package of the lockfile; `name` is `npm:<package>` or `npm:<package>@<version>`."""

    name: str
    data: ExternalData
    type: str = "npm"


class Edge(msgspec.Struct, gc=False, frozen=True):
    """`source` depends on `target`; `type` is `static`, `dynamic` or `implicit`."""

    source: str
    target: str
    type: str = "static"


class ProjectGraph(msgspec.Struct, rename={"external_nodes": "externalNodes"}):
    """Projects by name, external packages by node name, edges by source.

    `external_nodes` is None when the file has none to tell (`nx graph --file`), which is not
    the same as a workspace without packages.
    """

    nodes: dict[str, Project]
    dependencies: dict[str, list[Edge]] = {}
    external_nodes: dict[str, ExternalNode] | None = None


class NxPlugin(msgspec.Struct):
    plugin: str
    options: Raw = Raw(b"{}")
    include: list[str] | None = None
    exclude: list[str] | None = None


def plugin_name(plugin: str | NxPlugin) -> str:
    """The package of a configured plugin: `@nx/js` for `@nx/js/typescript`."""
    path = plugin if isinstance(plugin, str) else plugin.plugin
    return "/".join(path.split("/")[: 2 if path.startswith("@") else 1])


class AffectedDefaults(msgspec.Struct, rename={"default_base": "defaultBase"}):
    default_base: str | None = None


class NxJson(
    msgspec.Struct,
    rename={
        "default_base": "defaultBase",
        "named_inputs": "namedInputs",
        "plugins_config": "pluginsConfig",
        "target_defaults": "targetDefaults",
    },
):
    """The keys of nx.json that ciforge reads."""

    default_base: str | None = None
    affected: AffectedDefaults | None = None
    named_inputs: dict[str, list[InputDefinition]] = {}
    plugins: list[str | NxPlugin] = []
    plugins_config: dict[str, Any] = {}
    target_defaults: Raw = Raw(b"{}")
