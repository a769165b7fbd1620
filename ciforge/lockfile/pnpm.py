"""The external packages of a pnpm-lock.yaml as Nx 24 names them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from ciforge.lockfile import pnpm_format
from ciforge.lockfile.common import LockfileError, is_range, satisfies, stable_hash
from ciforge.lockfile.pnpm_format import SECTIONS, Lock, Package, Resolution, Resolved
from ciforge.workspace.model import Edge, ExternalData, ExternalNode

# Characters below letters and digits, in the order of JavaScript's localeCompare.
_PUNCTUATION = "_-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$"


def _name(key: str, v5: bool) -> str:
    start = key.find("/") + 1 if key.startswith("@") else 0
    if key.startswith("@") and not start:
        return key
    end = key.find("/" if v5 else "@", start)
    return key if end < 0 else key[:end]


def _base(version: str, v5: bool) -> str:
    return version.partition("_" if v5 else "(")[0]


def _version(key: str, name: str, v5: bool, alias: bool = False) -> str:
    if key.startswith(f"{name}@") or (v5 and key.startswith(f"{name}/")):
        return key[len(name) + 1 :]
    if alias:
        end = key.rfind("/") if v5 else key.find("@", 2)
        return f"npm:{key[:end]}@{key[len(key[:end]) + 1 :]}"
    return key


def _is_alias(version: str) -> bool:
    return version.startswith("/") or "@" in version


class _Patches:
    """Patch hashes by package, looked up by exact version, then range, then name alone."""

    def __init__(self, patches: dict[str, str]) -> None:
        self.by_name: dict[str, list[tuple[str, str]]] = {}
        for key, digest in patches.items():
            name = _name(key, v5=False)
            self.by_name.setdefault(name, []).append((key[len(name) + 1 :], digest))

    def find(self, name: str, version: str) -> str | None:
        entries = self.by_name.get(name, [])
        for wanted, digest in entries:
            if wanted and wanted == version:
                return digest
        for wanted, digest in entries:
            if wanted and is_range(wanted) and satisfies(version, wanted):
                return digest
        return next((digest for wanted, digest in entries if not wanted), None)


class _RootNames:
    """Under which name the root importer depends on a package, by the package's key."""

    def __init__(self, root: Resolved) -> None:
        self.sections = root
        self.by_version = {
            kind: {v: name for name, v in section.items() if v and not _is_alias(v)}
            for kind, section in root.items()
        }

    def find(self, key: str, original: str) -> str | None:
        passes = (("dependencies", "optionalDependencies"), ("devDependencies",))
        for kinds in passes:
            for candidate in (key, f"/{key}"):
                for kind in kinds:
                    if name := self._in(kind, candidate, original):
                        return name
        return None

    def _in(self, kind: str, key: str, original: str) -> str | None:
        section = self.sections.get(kind)
        if section is None:
            return None
        if name := self.by_version[kind].get(key):
            return name
        version = section.get(original)
        return original if version and key.startswith(f"/{original}/{version}") else None


def _entries(lock: Lock) -> Iterator[tuple[str, str, str | None, bool]]:
    """Key, package name, hash and whether an alias names it, for each package of the file."""
    patches = _Patches(lock.patches)
    root = lock.importers["."]
    root_names = _RootNames(root)
    # An alias counts only for packages listed after the first one that uses it.
    aliases = {
        version: name
        for kind in ("optionalDependencies", "devDependencies", "dependencies")
        for name, version in root.get(kind, {}).items()
        if version and _is_alias(version)
    }
    for key, package in lock.packages.items():
        original = _name(key, lock.v5)
        if not original:
            continue
        patch = patches.find(original, _base(key[len(original) + 1 :], lock.v5))
        digest = _digest(package, patch)
        name = root_names.find(key, original) or package.name or original
        for section in (
            package.peer_dependencies,
            package.optional_dependencies,
            package.dependencies,
        ):
            for alias, version in (section or {}).items():
                if _is_alias(version):
                    aliases |= {version: alias}
        yield key, name, digest, False
        for spelled in (f"/{key}", key):
            if spelled in aliases:
                yield key, aliases[spelled], digest, True


def _digest(package: Package, patch: str | None) -> str | None:
    resolution = package.resolution or Resolution()
    base = resolution.integrity or (stable_hash(resolution.tarball) if resolution.tarball else None)
    if patch and base:
        return stable_hash(base, patch)
    return base or patch


def graph(text: str, *, edges: bool) -> tuple[dict[str, ExternalNode], list[Edge]]:
    """External nodes by name and, if asked, edges in Nx's order. Raises `LockfileError`.

    Nx also insists on node_modules/.modules.yaml, that is on a finished `pnpm install`,
    and fails without it; a lockfile alone is enough here.
    """
    lock = pnpm_format.parse(text)
    versions: dict[str, dict[str, ExternalNode]] = {}
    by_key: dict[str, dict[str, ExternalNode]] = {}
    for key, name, digest, alias in _entries(lock):
        version = _base(_version(key, name, lock.v5, alias), lock.v5)
        if not version:
            continue
        node = versions.setdefault(name, {}).get(version)
        if node is None:
            node = ExternalNode(
                f"npm:{name}" if version.startswith("npm:") else f"npm:{name}@{version}",
                ExternalData(version, name, digest or stable_hash(name, version)),
            )
            versions[name][version] = node
        by_key.setdefault(key, {}).setdefault(f"{name}\n{version}", node)
    nodes = _named(lock, versions)
    _add_links(lock, nodes)
    return nodes, _edges(lock, by_key, nodes) if edges else []


def _named(lock: Lock, versions: dict[str, dict[str, ExternalNode]]) -> dict[str, ExternalNode]:
    """By name; the only version, or else the root importer's, is `npm:<package>`."""
    nodes: dict[str, ExternalNode] = {}
    root = lock.importers["."]
    for name, by_version in versions.items():
        hoisted = None
        if len(by_version) == 1:
            (hoisted,) = by_version.values()
        else:
            for kind in SECTIONS:
                version = _base(root.get(kind, {}).get(name) or "", lock.v5)
                if hoisted := by_version.get(version):
                    break
        if hoisted:
            hoisted.name = f"npm:{name}"
        nodes |= {node.name: node for node in by_version.values()}
    return nodes


def _collation(path: str) -> tuple[bool, list[tuple[int, str]], str]:
    rank = {char: index for index, char in enumerate(_PUNCTUATION)}
    last = len(_PUNCTUATION)
    keys = [(rank.get(char, last + char.isalpha()), char.lower()) for char in path]
    return path != ".", keys, path.swapcase()


def _add_links(lock: Lock, nodes: dict[str, ExternalNode]) -> None:
    """`link:` targets outside the workspace: a node each, the root importer's first."""
    for path in sorted(lock.importers, key=_collation):
        for section in lock.importers[path].values():
            for name, version in section.items():
                if version and version.startswith("link:") and _leaves(path, version[5:]):
                    data = ExternalData(version, name, stable_hash(name, version))
                    nodes.setdefault(f"npm:{name}", ExternalNode(f"npm:{name}", data))


def _leaves(importer: str, target: str) -> bool:
    # pnpm writes absolute targets only for folders outside the workspace.
    joined = posixpath.normpath(posixpath.join(importer, target))
    return joined == ".." or joined.startswith(("../", "/"))


def _edges(
    lock: Lock, by_key: dict[str, dict[str, ExternalNode]], nodes: dict[str, ExternalNode]
) -> list[Edge]:
    found: list[Edge] = []
    for key, package in lock.packages.items():
        sources = by_key.get(key)
        if sources is None:
            raise LockfileError(f"pnpm-lock.yaml does not parse: bad package key {key!r}")
        wanted = [
            item
            for section in (package.dependencies, package.optional_dependencies)
            for item in (section or {}).items()
        ]
        for source in sources.values():
            for name, reference in wanted:
                if reference in by_key:
                    target = next(iter(by_key[reference].values()))
                else:
                    version = _base(_version(reference, name, lock.v5), lock.v5)
                    found_node = nodes.get(f"npm:{name}@{version}") or nodes.get(f"npm:{name}")
                    if found_node is None:
                        continue
                    target = found_node
                found.append(Edge(source.name, target.name))
    return found
