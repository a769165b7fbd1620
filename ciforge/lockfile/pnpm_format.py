"""The notations of pnpm-lock.yaml (lockfileVersion 5 to 9), brought into one as Nx 24 does it."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from ciforge.lockfile import yaml12
from ciforge.lockfile.common import LockfileError, reading

# The order in which pnpm and Nx look at an importer's sections.
SECTIONS = ("dependencies", "devDependencies", "optionalDependencies")


class Resolution(msgspec.Struct):
    integrity: str | None = None
    tarball: str | None = None
    repo: str | None = None
    commit: str | None = None
    directory: str | None = None
    path: str | None = None


class Package(msgspec.Struct, rename="camel"):
    name: str | None = None
    resolution: Resolution | None = None
    dependencies: dict[str, str] | None = None
    optional_dependencies: dict[str, str] | None = None
    peer_dependencies: dict[str, str] | None = None


class _Direct(msgspec.Struct):
    specifier: str | None = None
    version: str | None = None


class _Importer(msgspec.Struct, rename="camel"):
    # Up to version 5 a dependency is its version, and `specifiers` has the other half.
    dependencies: dict[str, str | _Direct] | None = None
    dev_dependencies: dict[str, str | _Direct] | None = None
    optional_dependencies: dict[str, str | _Direct] | None = None
    specifiers: dict[str, str] | None = None

    def sections(self) -> dict[str, dict[str, str | _Direct]]:
        values = (self.dependencies, self.dev_dependencies, self.optional_dependencies)
        return {kind: value for kind, value in zip(SECTIONS, values, strict=True) if value}


class _Patch(msgspec.Struct):
    hash: str | None = None


class _File(_Importer, rename="camel", kw_only=True):
    """The whole file; a lockfile of one project has its only importer at the top level."""

    lockfile_version: str | int | float
    importers: dict[str, _Importer] | None = None
    packages: dict[str, Package] | None = None
    patched_dependencies: dict[str, str | _Patch] | None = None


# Section -> dependency -> resolved version (None where version 5 drops it).
Resolved = dict[str, dict[str, str | None]]


class Lock(NamedTuple):
    v5: bool
    packages: dict[str, Package]
    importers: dict[str, Resolved]
    patches: dict[str, str]


def strip_peers(key: str) -> str:
    """`a@1(b@2(c@3))(d@4)` -> `a@1`: the parentheses at the end, balanced from the right."""
    if not key.endswith(")"):
        return key
    depth = 0
    for index in range(len(key) - 1, -1, -1):
        if key[index] == ")":
            depth += 1
        elif key[index] == "(":
            depth -= 1
        elif depth == 0:
            return key[: index + 1]
    return key


def parse(text: str) -> Lock:
    """Any lockfile version in one shape. Raises `LockfileError`, also where Nx would throw."""
    raw = yaml12.load(yaml12.split_documents(text)[1])
    if not isinstance(raw, dict):
        raise LockfileError("pnpm-lock.yaml does not parse: it is not a mapping")
    with reading("pnpm-lock.yaml"):
        if raw.get("snapshots") is not None:
            raw = {**raw, "packages": _joined(raw)}
            file = msgspec.convert(raw, type=_File)
        else:
            file = msgspec.convert(raw, type=_File)
            _rename_packages(file)
    try:
        v5 = not float(file.lockfile_version) >= 6
    except ValueError:  # "5.4-inlineSpecifiers"
        v5 = True
    patches = {
        key: digest
        for key, patch in (file.patched_dependencies or {}).items()
        if (digest := patch.hash if isinstance(patch, _Patch) else patch)
    }
    return Lock(v5, file.packages or {}, _importers(file, v5), patches)


def _joined(raw: dict[str, Any]) -> dict[str, Any]:
    """Version 9: each snapshot with what `packages` says of it."""
    snapshots, packages = raw["snapshots"], raw.get("packages") or {}
    if not isinstance(snapshots, dict) or not isinstance(packages, dict):
        raise LockfileError("pnpm-lock.yaml does not parse: packages is not a mapping")
    joined: dict[str, Any] = {}
    for key, snapshot in snapshots.items():
        package = packages.get(strip_peers(key)) or {}
        if not isinstance(snapshot, dict) or not isinstance(package, dict):
            raise LockfileError(f"pnpm-lock.yaml does not parse: {key} is not a mapping")
        joined[key] = snapshot | package
    return joined


def _rename_packages(file: _File) -> None:
    """Before version 9: package keys, and references to them, in version 9's notation."""
    if not file.packages:
        return
    renamed: dict[str, str] = {}
    for key, package in file.packages.items():
        base = strip_peers(key)
        new = base[1:] if not package.name else _named_key(package, base)
        if new is not None:
            renamed[key] = new + key[len(base) :]
            if base != key:
                renamed[base] = new

    def reference(alias: str, old: str) -> str:
        new = renamed.get(old)
        return new.removeprefix(f"{alias}@") if new else old

    packages: dict[str, Package] = {}
    for key, package in file.packages.items():
        packages[renamed.get(key) or key] = package
        for section in (package.dependencies, package.optional_dependencies):
            for alias, old in (section or {}).items():
                section[alias] = reference(alias, old)  # type: ignore[index]
    file.packages = packages
    if file.sections() and "." not in (file.importers or {}):
        root = _Importer(file.dependencies, file.dev_dependencies, file.optional_dependencies)
        file.importers = {**(file.importers or {}), ".": root}
    for importer in (file.importers or {}).values():
        for directs in importer.sections().values():
            for alias, direct in directs.items():
                if isinstance(direct, _Direct) and direct.version:
                    direct.version = reference(alias, direct.version)


def _named_key(package: Package, base: str) -> str | None:
    """The key of a package that is not from a registry; None leaves the old one."""
    resolution = package.resolution
    if resolution is None:
        raise LockfileError(f"pnpm-lock.yaml does not parse: {base} has no resolution")
    if resolution.tarball is not None:
        path = f"#path:{resolution.path}" if resolution.path else ""
        return f"{package.name}@{resolution.tarball}{path}"
    if resolution.repo is not None:
        repo = resolution.repo if "://" in resolution.repo else f"https://{resolution.repo}"
        prefix = "" if repo.startswith("git+") else "git+"
        path = f"&path:{resolution.path}" if resolution.path else ""
        return f"{package.name}@{prefix}{repo}#{resolution.commit}{path}"
    return f"{package.name}@{base}" if resolution.directory is not None else None


def _importers(file: _File, v5: bool) -> dict[str, Resolved]:
    importers = file.importers
    if importers is None:
        importers = {".": file}
    elif v5 and "." in importers:
        root = importers["."]
        specifiers = root.specifiers if file.specifiers is None else file.specifiers
        if specifiers is None and root.sections():
            raise LockfileError("pnpm-lock.yaml does not parse: importer . has no specifiers")
        specifiers = specifiers or {}
        for section in root.sections().values():
            for name, version in section.items():
                if isinstance(version, str):
                    section[name] = _Direct(specifiers.get(name), version)
    if "." not in importers:
        raise LockfileError("pnpm-lock.yaml does not parse: it has no importer .")
    resolved = {path: _resolved(path, importer) for path, importer in importers.items()}
    for section_of_root in resolved["."].values():
        for name, version_of_root in section_of_root.items():
            if version_of_root is None:
                raise LockfileError(f"pnpm-lock.yaml does not parse: {name} has no version")
    return resolved


def _resolved(path: str, importer: _Importer) -> Resolved:
    result: Resolved = {}
    specifiers: dict[str, str | None] = {}
    for kind, section in importer.sections().items():
        result[kind] = {}
        for name, direct in section.items():
            if isinstance(direct, str):
                direct = _Direct()
            if specifiers.get(name) not in (None, direct.specifier):
                raise LockfileError(f"pnpm-lock.yaml: {path} lists {name} with two specifiers")
            specifiers[name] = direct.specifier
            result[kind][name] = direct.version
    return result
