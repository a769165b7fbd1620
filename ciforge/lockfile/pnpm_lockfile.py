"""A pnpm-lock.yaml of lockfileVersion 9, prepared for being reduced many times.

Parsing resolves all references and renders the line that each importer, package and
snapshot has in any reduced lockfile: keys in order, values as JSON, which is YAML too.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import msgspec

from ciforge.lockfile import yaml12
from ciforge.lockfile.common import LockfileError
from ciforge.lockfile.pnpm_format import SECTIONS, strip_peers

# A YAML key longer than this must be written as an explicit key ("? ").
_LONGEST_KEY = 1000
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_PATCH_HASH = re.compile(r"\(patch_hash=([^)]*)\)")
_PACKAGE = re.compile(r"(@[^/]+/[^@]+|[^@]+)")


@dataclass(frozen=True)
class Links:
    """What an importer's section or a snapshot refers to: snapshots by key, folders."""

    snapshots: tuple[str, ...]
    folders: tuple[str, ...]


@dataclass(frozen=True)
class Importer:
    """A project; `links` go by section and dependency."""

    raw: Mapping[str, Any]
    line: str
    links: Mapping[str, Mapping[str, Links]]


@dataclass(frozen=True)
class Snapshot:
    """A package with its peers; `names` are its own and its dependencies' names,
    `patch` is its name and the hash of its patch."""

    line: str
    package: str
    links: Links
    names: frozenset[str]
    patch: tuple[str, str] | None


@dataclass(frozen=True)
class Package:
    """`folder` and `file` are where a `file:` package lies in the workspace."""

    line: str
    folder: str | None
    file: str | None


@dataclass(frozen=True)
class PnpmLockfile:
    """A parsed pnpm-lock.yaml of lockfileVersion 9 (pnpm 9 and later)."""

    environment: str | None
    head: Mapping[str, Any]
    importers: Mapping[str, Importer]
    snapshots: Mapping[str, Snapshot]
    packages: Mapping[str, Package]

    @classmethod
    def parse(cls, text: str) -> PnpmLockfile:
        """Raises `LockfileError`: another lockfile version, or references without a target."""
        environment, main = yaml12.split_documents(text)
        head = mapping(yaml12.load(main), "pnpm-lock.yaml")
        version = head.get("lockfileVersion")
        if not isinstance(version, str | float) or str(version).partition(".")[0] != "9":
            raise LockfileError(
                f"pnpm-lock.yaml has lockfileVersion {version}; only 9 (pnpm 9 and later) "
                "can be reduced"
            )
        importers = mapping(head.pop("importers", None), "importers")
        snapshots = mapping(head.pop("snapshots", None) or {}, "snapshots")
        packages = mapping(head.pop("packages", None) or {}, "packages")
        if "." not in importers:
            raise LockfileError("pnpm-lock.yaml has no importer .")
        known = snapshots.keys()
        return cls(
            environment,
            head,
            {path: _importer(path, raw, known) for path, raw in importers.items()},
            {key: _snapshot(key, raw, known, packages) for key, raw in snapshots.items()},
            {key: _package(key, raw) for key, raw in packages.items()},
        )


def mapping(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise LockfileError(f"{where} is not a mapping")
    return value


def strings(value: object, where: str) -> dict[str, str]:
    texts = mapping(value, where)
    for key, text in texts.items():
        if not isinstance(text, str):
            raise LockfileError(f"{where}: {key} is not a string")
    return texts


def _reference(
    name: str, version: object, folder: str, known: AbstractSet[str], where: str
) -> Links:
    """Where `name: version` leads: a linked folder, or a snapshot (an alias has its full key)."""
    if not isinstance(version, str):
        raise LockfileError(f"pnpm-lock.yaml: {where} has no version of {name}")
    if version.startswith("link:"):
        return Links((), (posixpath.normpath(posixpath.join(folder, version[5:])),))
    for key in (f"{name}@{version}", version):
        if key in known:
            return Links((key,), ())
    raise LockfileError(f"pnpm-lock.yaml: {where} needs {name}@{version}, which has no snapshot")


def _importer(path: str, raw: object, known: AbstractSet[str]) -> Importer:
    importer = mapping(raw, f"importer {path}")
    links: dict[str, dict[str, Links]] = {}
    for kind in SECTIONS:
        section = mapping(importer.get(kind) or {}, f"{kind} of {path}")
        links[kind] = {}
        for name, direct in section.items():
            direct = mapping(direct, f"{kind} of {path}: {name}")
            if not isinstance(direct.get("specifier"), str):
                raise LockfileError(f"pnpm-lock.yaml: {path} has no specifier of {name}")
            links[kind][name] = _reference(name, direct.get("version"), path, known, path)
    return Importer(importer, entry_line(path, importer), links)


def _snapshot(
    key: str, raw: object, known: AbstractSet[str], packages: Mapping[str, object]
) -> Snapshot:
    snapshot = mapping(raw, f"snapshot {key}")
    package = strip_peers(key)
    if package not in packages:
        raise LockfileError(f"pnpm-lock.yaml: snapshot {key} has no entry in packages")
    found: list[Links] = []
    own_name = package_name(package)
    names = {own_name}
    for kind in ("dependencies", "optionalDependencies"):
        section = mapping(snapshot.get(kind) or {}, f"{kind} of {key}")
        names |= section.keys()
        found += [_reference(name, v, ".", known, key) for name, v in section.items()]
    links = Links(
        tuple(target for link in found for target in link.snapshots),
        tuple(folder for link in found for folder in link.folders),
    )
    patched = _PATCH_HASH.match(key, len(package))
    patch = (own_name, patched[1]) if patched else None
    return Snapshot(entry_line(key, snapshot), package, links, frozenset(names), patch)


def _package(key: str, raw: object) -> Package:
    package = mapping(raw, f"package {key}")
    resolution = mapping(package.get("resolution") or {}, f"resolution of {key}")
    folder, tarball = resolution.get("directory"), resolution.get("tarball")
    local = isinstance(tarball, str) and tarball.startswith("file:")
    return Package(
        entry_line(key, package),
        posixpath.normpath(folder) if isinstance(folder, str) else None,
        posixpath.normpath(str(tarball)[5:]) if local else None,
    )


def package_name(key: str) -> str:
    match = _PACKAGE.match(key)
    return match[0] if match else key


def json_text(value: object) -> str:
    """JSON in one line with sorted keys, which YAML reads as a flow mapping."""
    text = msgspec.json.encode(value, order="sorted").decode()
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def entry_line(key: str, value: object) -> str:
    quoted = json_text(key)
    if len(quoted) > _LONGEST_KEY:
        return f"  ? {quoted}\n  : {json_text(value)}\n"
    return f"  {quoted}: {json_text(value)}\n"


def section_text(name: str, lines: Iterable[str]) -> str:
    return f"\n{name}:\n{''.join(lines)}"


def yaml_text(document: Mapping[str, Any]) -> str:
    """A document in a canonical form: one line for each key of the two upper levels."""
    parts = []
    for key in sorted(document):
        value = document[key]
        name = json_text(key) if not re.fullmatch(r"[a-zA-Z]\w*", key) else key
        if isinstance(value, dict) and value:
            parts.append(section_text(name, (entry_line(k, value[k]) for k in sorted(value))))
        else:
            parts.append(f"\n{name}: {json_text(value)}\n")
    return "".join(parts).lstrip("\n") or "{}\n"
