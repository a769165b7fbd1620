"""yarn.lock, of yarn 1 (classic) and of yarn 2 and later (berry), as Nx 24 reads it."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ciforge.lockfile import yaml12
from ciforge.lockfile.common import (
    Installed,
    LockfileError,
    compare,
    is_range,
    reading,
    satisfies,
    stable_hash,
)
from ciforge.workspace.model import Edge, ExternalData, ExternalNode

_CLASSIC = re.compile(r"(?:#.*\r?\n)*?#\s+yarn\s+lockfile\s+v1\r?\n", re.IGNORECASE)
_QUOTED = r'"(?:[^"\\\x00-\x1f\x7f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"'
_WORD = r"(?:--|[a-zA-Z/0-9])[^\r\n\t :,]*"
_TOKEN = re.compile(rf"{_QUOTED}|{_WORD}")
_LINE = re.compile(
    rf"(?P<indent> *)(?P<names>(?:{_QUOTED}|{_WORD})(?:[ \t]*,[ \t]*(?:{_QUOTED}|{_WORD}))*)"
    rf"(?:[ \t]*(?P<opens>:)[ \t]*|(?:[ \t]*:)?[ \t]+(?P<value>{_QUOTED}|{_WORD})[ \t]*)"
)


class YarnEntry(msgspec.Struct, rename="camel"):
    """What the lockfile says of one resolution; which keys there are depends on the version."""

    version: str | None = None
    resolution: str | None = None
    resolved: str | None = None
    integrity: str | None = None
    checksum: str | None = None
    link_type: str | None = None
    dependencies: dict[str, str] | None = None
    optional_dependencies: dict[str, str] | None = None
    peer_dependencies: dict[str, str] | None = None


class YarnLock(msgspec.Struct):
    """Entries by their descriptors, several joined by ", "."""

    berry: bool
    entries: dict[str, YarnEntry]


def parse(text: str) -> YarnLock:
    """Either kind of yarn.lock; an empty text is a berry lockfile of nothing, as for Nx.

    Raises `LockfileError`.
    """
    if _CLASSIC.match(text):
        raw = _parse_classic(text)
    else:
        raw = yaml12.load(text, strings_only=True, last_key_wins=True)
        if raw is None:
            raw = {}
        elif not isinstance(raw, dict):
            raise LockfileError("yarn.lock does not parse: it is not a mapping")
    berry = bool(raw.pop("__metadata", None))
    with reading("yarn.lock"):
        entries = msgspec.convert(raw, type=dict[str, YarnEntry])
    return YarnLock(berry, entries if berry else _grouped(entries))


def _parse_classic(text: str) -> dict[str, Any]:
    root: dict[str, Any] = {}
    stack = [root]
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        if not line.strip(" \t") or line.lstrip(" \t").startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        level = len(match["indent"]) // 2 if match else 0
        if match is None or len(match["indent"]) % 2 or level >= len(stack):
            raise LockfileError(f"yarn.lock does not parse: line {number}")
        del stack[level + 1 :]
        names = [_unquoted(token) for token in _TOKEN.findall(match["names"])]
        if match["opens"]:
            block: dict[str, Any] = {}
            stack[level].update(dict.fromkeys(names, block))
            stack.append(block)
        elif len(names) == 1:
            stack[level][names[0]] = _unquoted(match["value"])
        else:
            raise LockfileError(f"yarn.lock does not parse: line {number}")
    return root


def _unquoted(token: str) -> str:
    return str(json.loads(token)) if token.startswith('"') else token


def _grouped(entries: dict[str, YarnEntry]) -> dict[str, YarnEntry]:
    """Classic: descriptors of one tarball joined again; all without a tarball are one group."""
    groups: dict[str, tuple[list[str], YarnEntry]] = {}
    for key, entry in entries.items():
        groups.setdefault(f"{entry.resolved}\n{entry.integrity}", ([], entry))[0].append(key)
    return {", ".join(keys): entry for keys, entry in groups.values()}


def package_of(descriptor: str) -> str:
    """`@scope/name@range` -> `@scope/name`; what Nx makes of one without a range, too."""
    return descriptor[: descriptor.find("@", 1)]


def graph(
    text: str,
    package_json: Mapping[str, Any],
    *,
    edges: bool,
    installed: Installed | None = None,
) -> tuple[dict[str, ExternalNode], list[Edge]]:
    """External nodes by name and, if asked, edges in Nx's order. Raises `LockfileError`.

    Of several versions of a package Nx names the one in the root's node_modules
    `npm:<package>` (`installed`), else the one that `package_json` asks for.
    """
    lock = parse(text)
    by_package: dict[str, dict[str | None, ExternalNode]] = {}
    by_key: dict[str, ExternalNode] = {}
    patches: dict[str, list[YarnEntry]] = {}
    for keys, entry in lock.entries.items():
        if entry.link_type == "soft":
            continue
        descriptors = dict.fromkeys(keys.split(", "))
        if "@patch:" in keys:
            for name in dict.fromkeys(map(package_of, descriptors)):
                patches.setdefault(name, []).append(entry)
            continue
        described: dict[str, list[str]] = {}
        for key in descriptors:
            described.setdefault(package_of(key), []).append(key)
        for name, own_keys in described.items():
            _add(by_package.setdefault(name, {}), by_key, name, own_keys, entry, lock.berry)
    _fold_patches(by_package, patches)
    wanted = _root_ranges(package_json)
    nodes: dict[str, ExternalNode] = {}
    for name, versions in by_package.items():
        if hoisted := _hoisted(name, versions, wanted, installed):
            hoisted.name = f"npm:{name}"
        nodes |= {node.name: node for node in versions.values()}
    return nodes, list(_edges(lock, by_key)) if edges else []


def _add(
    versions: dict[str | None, ExternalNode],
    by_key: dict[str, ExternalNode],
    name: str,
    keys: list[str],
    entry: YarnEntry,
    berry: bool,
) -> None:
    version, alias = _version(name, keys[0], entry, berry)
    for key in keys:
        node = versions.get(version)
        if node is None:
            digest = entry.integrity or entry.checksum
            if not digest and version is None:
                raise LockfileError(f"yarn.lock does not parse: {key} has no version")
            node = ExternalNode(
                f"npm:{name}@{version}" if version and not alias else f"npm:{name}",
                ExternalData(version or "", name, digest or stable_hash(name, version or "")),
            )
            # A tarball or an alias is found by the version in its manifest.
            versions[entry.version or version] = node
        by_key[key] = node


def _version(name: str, key: str, entry: YarnEntry, berry: bool) -> tuple[str | None, bool]:
    """The version Nx shows, and whether `name` is an alias of another package."""
    wanted = key[key.find("@", 1) + 1 :]
    if berry:
        resolution = entry.resolution
        if resolution and not resolution.startswith(f"{name}@"):
            return wanted, True
        # A resolution from another registry has a suffix after "::".
        if resolution and resolution.partition("::")[0] != f"{name}@npm:{entry.version}":
            return resolution[len(name) + 1 :], False
        return entry.version, False
    if wanted.startswith("npm:"):
        return wanted, True
    return entry.resolved if _is_tarball(wanted, entry) else entry.version, False


def _is_tarball(wanted: str, entry: YarnEntry) -> bool:
    if not entry.resolved or entry.integrity or is_range(wanted):
        return False
    return bool(entry.version) and str(entry.version) not in entry.resolved


def _fold_patches(
    by_package: dict[str, dict[str | None, ExternalNode]], patches: dict[str, list[YarnEntry]]
) -> None:
    """A patched entry is no node; it changes the hash of the package it patches."""
    for name, entries in patches.items():
        for key, node in by_package.get(name, {}).items():
            parts = {
                (entry.checksum or "", entry.resolution or "")
                for entry in entries
                if entry.version and entry.version in (key, node.data.version)
            } - {("", "")}
            if parts:
                node.data.hash = stable_hash(node.data.hash or "", *map("\0".join, sorted(parts)))


def _root_ranges(package_json: Mapping[str, Any]) -> dict[str, str]:
    ranges: dict[str, str] = {}
    for kind in ("dependencies", "devDependencies", "peerDependencies", "optionalDependencies"):
        section = package_json.get(kind) or {}
        if not isinstance(section, Mapping):
            raise LockfileError(f"package.json: {kind} is not an object")
        ranges |= {name: wanted for name, wanted in section.items() if isinstance(wanted, str)}
    return ranges


def _hoisted(
    name: str,
    versions: dict[str | None, ExternalNode],
    wanted: Mapping[str, str],
    installed: Installed | None,
) -> ExternalNode | None:
    if len(versions) == 1:
        (node,) = versions.values()
        return node
    manifest = installed(f"node_modules/{name}") if installed else None
    if manifest and (version := manifest.get("version")):
        return versions.get(version)
    asked = wanted.get(name)
    if not asked:
        return None
    order = functools.cmp_to_key(compare)
    newest = sorted((version or "" for version in versions), key=order, reverse=True)
    if asked == "*":
        return versions[newest[0]]
    for version in newest:
        if satisfies(version, asked):
            return versions[version]
    for version in newest:
        if versions[version].name == f"npm:{name}@{asked}":
            return versions[version]
    for version in newest:
        if versions[version].data.version != version:
            return versions[version]
    return None


def _edges(lock: YarnLock, by_key: dict[str, ExternalNode]) -> Iterator[Edge]:
    first_of: dict[str, ExternalNode] = {}
    for key, node in by_key.items():
        first_of.setdefault(package_of(key), node)
    for keys, entry in lock.entries.items():
        for key in keys.split(", "):
            source = by_key.get(key)
            if source is None:
                continue
            for section in (entry.dependencies, entry.optional_dependencies):
                for name, wanted in (section or {}).items():
                    target = by_key.get(f"{name}@npm:{wanted}") or by_key.get(f"{name}@{wanted}")
                    if target is None and wanted.removeprefix("npm:") == "*":
                        target = first_of.get(name)
                    if target:
                        yield Edge(source.name, target.name)
