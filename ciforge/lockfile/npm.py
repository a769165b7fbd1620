"""package-lock.json (lockfileVersion 1, 2 and 3) as Nx 24 reads it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ciforge.lockfile.common import Installed, LockfileError, reading, satisfies, stable_hash
from ciforge.workspace.model import Edge, ExternalData, ExternalNode

_MODULES = "node_modules/"


class NpmPackage(msgspec.Struct, rename="camel"):
    """An entry of `packages` (versions 2 and 3), keyed by its folder."""

    name: str | None = None
    version: str | None = None
    resolved: str | None = None
    integrity: str | None = None
    link: bool = False
    in_bundle: bool = False
    dependencies: dict[str, str] | None = None
    dev_dependencies: dict[str, str] | None = None
    optional_dependencies: dict[str, str] | None = None
    peer_dependencies: dict[str, str] | None = None


class _V1Package(msgspec.Struct):
    """An entry of the nested `dependencies` (version 1)."""

    version: str | None = None
    resolved: str | None = None
    integrity: str | None = None
    requires: dict[str, str] | bool | None = None
    dependencies: dict[str, _V1Package] | None = None


class _Head(msgspec.Struct, rename="camel"):
    lockfile_version: int | float = 1


class _V1File(msgspec.Struct):
    dependencies: dict[str, _V1Package]


class _V3File(msgspec.Struct):
    packages: dict[str, NpmPackage]


def packages(text: str) -> dict[str, NpmPackage]:
    """The `packages` of a version 2 or 3 lockfile by folder; `LockfileError` for version 1."""
    if not _is_flat(text):
        raise LockfileError("package-lock.json of version 1 does not tell workspace folders")
    with reading("package-lock.json"):
        return msgspec.json.decode(text, type=_V3File).packages


def _is_flat(text: str) -> bool:
    with reading("package-lock.json"):
        return msgspec.json.decode(text, type=_Head).lockfile_version > 1


class _Nodes:
    """Nodes by package and version (the first entry of a version wins), and by folder."""

    def __init__(self) -> None:
        self.by_package: dict[str, dict[str, ExternalNode]] = {}
        self.by_path: dict[str, ExternalNode] = {}

    def add(self, name: str, version: str, path: str, entry: NpmPackage | _V1Package) -> None:
        versions = self.by_package.setdefault(name, {})
        if version not in versions:
            identity = [entry.resolved] if entry.resolved else [name, version]
            versions[version] = ExternalNode(
                f"npm:{name}@{version}" if version else f"npm:{name}",
                ExternalData(version, name, entry.integrity or stable_hash(*identity)),
            )
        self.by_path[path] = versions[version]

    def named(self) -> dict[str, ExternalNode]:
        """By name, what sits in the root's node_modules as `npm:<package>`."""
        result: dict[str, ExternalNode] = {}
        for name, versions in self.by_package.items():
            if hoisted := self.by_path.get(_MODULES + name):
                hoisted.name = f"npm:{name}"
            result |= {node.name: node for node in versions.values()}
        return result

    def target(self, path: str, name: str, wanted: str) -> ExternalNode | None:
        """What `name` resolves to from the folder `path`: nearest folder upwards that fits.

        An override makes npm install a version outside the range, so that Nx falls back to
        the nearest entry of that name.
        """
        nearest = None
        for folder in lookup_folders(path):
            node = self.by_path.get(f"{folder}{_MODULES}{name}")
            if node is None:
                continue
            if _fits(node.data.version, wanted):
                return node
            nearest = nearest or node
        return nearest


def lookup_folders(path: str) -> Iterator[str]:
    """The prefixes under which `path`'s packages may lie, nearest first, "" last."""
    while path:
        if not path.endswith("/"):
            path += "/"
        yield path
        path = path[: max(path.rfind(_MODULES), 0)]
    yield ""


def _fits(version: str, wanted: str) -> bool:
    if version.startswith("npm:") and wanted.startswith("npm:"):
        version, wanted = (text[text.find("@", 5) + 1 :] for text in (version, wanted))
    return version == wanted or satisfies(version, wanted)


def _flat_nodes(entries: dict[str, NpmPackage]) -> _Nodes:
    nodes = _Nodes()
    for path, entry in entries.items():
        if "node_modules" not in path or entry.link or entry.in_bundle:
            continue
        name = path.rpartition(_MODULES)[2]
        version = entry.version
        # A tarball's URL says more than the version in its manifest.
        if not version or (entry.resolved and version not in entry.resolved):
            version = entry.resolved
        if entry.name and entry.name != name:
            version = f"npm:{entry.name}@{version}" if version else f"npm:{entry.name}"
        if version:
            nodes.add(name, version, path, entry)
    return nodes


def _nested_nodes(entries: dict[str, _V1Package]) -> _Nodes:
    nodes = _Nodes()

    def add(name: str, entry: _V1Package, path: str) -> None:
        nodes.add(name, entry.version or "", path, entry)
        for child, child_entry in (entry.dependencies or {}).items():
            add(child, child_entry, f"{path}/{_MODULES}{child}")

    for name, entry in entries.items():
        if entry.version and entry.version.startswith("file:"):
            for child, child_entry in (entry.dependencies or {}).items():
                add(child, child_entry, f"{entry.version[5:]}/{_MODULES}{child}")
        else:
            add(name, entry, _MODULES + name)
    return nodes


def _nested_edges(
    entries: dict[str, _V1Package], nodes: _Nodes, installed: Installed | None
) -> Iterator[Edge]:
    def edges(path: str, wanted: dict[str, str]) -> Iterator[Edge]:
        if source := nodes.by_path.get(path):
            for name, version_range in wanted.items():
                if target := nodes.target(path, name, version_range):
                    yield Edge(source.name, target.name)

    def visit(path: str, entry: _V1Package) -> Iterator[Edge]:
        if isinstance(entry.requires, dict):
            yield from edges(path, entry.requires)
        for child, child_entry in (entry.dependencies or {}).items():
            yield from visit(f"{path}/{_MODULES}{child}", child_entry)
        # Version 1 does not record peers; Nx takes them from the installed package.
        manifest = (installed(path) if installed else None) or {}
        peers = manifest.get("peerDependencies")
        yield from edges(path, peers if isinstance(peers, dict) else {})

    for name, entry in entries.items():
        yield from visit(_MODULES + name, entry)


def graph(
    text: str, *, edges: bool, installed: Installed | None = None
) -> tuple[dict[str, ExternalNode], list[Edge]]:
    """External nodes by name and, if asked, edges in Nx's order. Raises `LockfileError`."""
    with reading("package-lock.json"):
        if not _is_flat(text):
            nested = msgspec.json.decode(text, type=_V1File).dependencies
            nodes = _nested_nodes(nested)
            named = nodes.named()
            return named, list(_nested_edges(nested, nodes, installed)) if edges else []
        entries = msgspec.json.decode(text, type=_V3File).packages
    nodes = _flat_nodes(entries)
    named = nodes.named()
    found: list[Edge] = []
    for path, entry in entries.items() if edges else ():
        source = nodes.by_path.get(path)
        if source is None:
            continue
        for wanted in (entry.peer_dependencies, entry.dependencies, entry.optional_dependencies):
            for name, version_range in (wanted or {}).items():
                if target := nodes.target(path, name, version_range):
                    found.append(Edge(source.name, target.name))
    return named, found
