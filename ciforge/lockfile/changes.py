"""The packages of a root lockfile: their graph, and which of them changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ciforge.lockfile import npm, pnpm, yarn
from ciforge.lockfile.common import Installed, LockfileError
from ciforge.workspace.model import Edge, ExternalNode


def changed_packages(
    name: str,
    base: str,
    head: str,
    package_json: Mapping[str, Any],
    *,
    installed: Installed | None = None,
) -> set[str]:
    """The packages whose set of (version, hash) differs between two texts of a lockfile.

    The rule is that of Nx's `projectsAffectedByDependencyUpdates: "auto"`. `name` is one of
    `LOCKFILE_NAMES`, `package_json` the root manifest at head (yarn only). Raises
    `LockfileError` when either side does not parse, and for bun, whose lockfiles are not
    read here: Nx then marks everything, or at least never less.
    """
    before = _fingerprints(_graph(name, base, package_json, installed, edges=False)[0])
    after = _fingerprints(_graph(name, head, package_json, installed, edges=False)[0])
    return {
        package for package in before.keys() | after if before.get(package) != after.get(package)
    }


def external_graph(
    name: str,
    text: str,
    package_json: Mapping[str, Any],
    *,
    installed: Installed | None = None,
) -> tuple[dict[str, ExternalNode], list[Edge]]:
    """A lockfile's external nodes by name, and the edges between them without repeats.

    `installed("node_modules/x")` gives that folder's parsed package.json or None. Only
    yarn.lock and version 1 of package-lock.json need it, where Nx looks at node_modules.
    Raises `LockfileError`.
    """
    nodes, edges = _graph(name, text, package_json, installed, edges=True)
    return nodes, list(dict.fromkeys(edges))


def _graph(
    name: str,
    text: str,
    package_json: Mapping[str, Any],
    installed: Installed | None,
    *,
    edges: bool,
) -> tuple[dict[str, ExternalNode], list[Edge]]:
    match name:
        case "package-lock.json":
            return npm.graph(text, edges=edges, installed=installed)
        case "pnpm-lock.yaml" | "pnpm-lock.yml":
            return pnpm.graph(text, edges=edges)
        case "yarn.lock":
            return yarn.graph(text, package_json, edges=edges, installed=installed)
        case _:
            raise LockfileError(f"{name} is not a lockfile that ciforge reads")


def _fingerprints(nodes: Mapping[str, ExternalNode]) -> dict[str, set[tuple[str, str | None]]]:
    result: dict[str, set[tuple[str, str | None]]] = {}
    for node in nodes.values():
        if node.data.package_name:
            fingerprint = (node.data.version, node.data.hash)
            result.setdefault(node.data.package_name, set()).add(fingerprint)
    return result
