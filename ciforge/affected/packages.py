"""Which packages a change of the root package.json touches."""

from __future__ import annotations

import re

from ciforge.affected.json_diff import JsonChange
from ciforge.workspace.model import ExternalNode, NxJson, ProjectGraph, plugin_name

_SECTIONS = ("dependencies", "devDependencies")


def packages_touched(
    graph: ProjectGraph, changes: list[JsonChange], nx_json: NxJson
) -> list[tuple[str, str]] | str:
    """`(node, rule)` pairs, or a rule's words when every project is touched.

    As Nx 24: a dependency that went away touches all; one added or changed touches its node
    (and the implementation of `@types/x`), or the workspace project of its name; nx and the
    configured plugins touch all; an override touches what its selector names, all if nothing.
    """
    everywhere = {plugin_name(p) for p in nx_json.plugins} | {"nx"}
    by_name: dict[str, list[ExternalNode]] = {}
    for node in (graph.external_nodes or {}).values():
        by_name.setdefault(node.data.package_name, []).append(node)
    found: list[tuple[str, str]] = []
    for change in changes:
        if change.path[0] in _SECTIONS and len(change.path) == 2:
            package = change.path[1]
            if change.kind == "deleted":
                return f"{package} was removed from {change.path[0]}"
            rule = f"{package} {'was added' if change.kind == 'added' else 'changed'}"
            nodes = by_name.get(package)
            if not nodes:
                if package in graph.nodes:
                    found.append((package, rule))
                continue
            found.append((nodes[0].name, rule))
            if nodes[0].name.startswith("npm:@types/"):
                types_of = by_name.get(package.removeprefix("@types/"))
                if types_of:
                    found.append((types_of[0].name, f"{rule} (types of it)"))
            if package in everywhere:
                return f"{package} changed, which every project builds with"
        elif change.path[0] in ("overrides", "resolutions") or (
            change.path[:2] == ("pnpm", "overrides")
        ):
            selector = _selector(change)
            if selector is None:
                continue
            nodes = by_name.get(_package_of(selector, pnpm=change.path[0] == "pnpm") or "", [])
            if not nodes:
                return f"the override of {selector!r} names no package of the lockfile"
            if any(node.data.package_name in everywhere for node in nodes):
                return f"{selector} is overridden, which every project builds with"
            found += [(node.name, f"the override of {selector!r} changed") for node in nodes]
    return found


def _selector(change: JsonChange) -> str | None:
    if not isinstance(change.before, str) and not isinstance(change.after, str):
        return None
    index = 2 if change.path[0] == "pnpm" else len(change.path) - 1
    if index >= len(change.path):
        return None
    selector = change.path[index]
    return change.path[index - 1] if selector == "." else selector


_PARENT = re.compile(r"[^ |@]>")
_PACKAGE = re.compile(r"(?:^|/)(@[^/@>\s]+/[^/@>\s]+|[^/@>\s]+)(?:@[^/]*)?\Z")


def _package_of(selector: str, *, pnpm: bool) -> str | None:
    if pnpm:
        # In a range, `>` follows a blank, `|` or `@`; elsewhere it separates parent and child.
        parent = _PARENT.search(selector)
        if parent:
            selector = selector[parent.end() :]
    match = _PACKAGE.search(selector)
    return match[1] if match else None
