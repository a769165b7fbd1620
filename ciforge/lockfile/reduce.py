"""The part of a pnpm lockfile that some of a workspace's projects need.

`pnpm install --frozen-lockfile` compares the lockfile with pnpm-workspace.yaml and with the
root package.json, so that the three are reduced together. A lockfile is parsed once
(`PnpmLockfile.parse`) and reduced for many services: a reduction walks the references and
joins lines that were rendered when parsing.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ciforge.lockfile import yaml12
from ciforge.lockfile.common import LockfileError
from ciforge.lockfile.pnpm_lockfile import (
    Importer,
    PnpmLockfile,
    entry_line,
    json_text,
    mapping,
    package_name,
    section_text,
    strings,
    yaml_text,
)
from ciforge.lockfile.pnpm_settings import Settings, only, override_target, reduced_catalogs

# What `pnpm install` runs in the root project; other scripts are none of its business.
INSTALL_SCRIPTS = frozenset(
    {
        "preinstall",
        "install",
        "postinstall",
        "prepublish",
        "preprepare",
        "prepare",
        "postprepare",
        "pnpm:devPreinstall",
    }
)

_GLOB = re.compile(r"([\\*?\[\]{}()!+@|])")


@dataclass(frozen=True)
class ReducedPnpm:
    """What an install of the kept projects reads.

    `lockfile`, `workspace_yaml` and `package_json` are file contents. `importers` are the
    folders whose package.json must be there: those asked for that the lockfile knows, and
    those they link to. `patches` are patch files, `local_paths` further files and folders
    (`file:` packages, `.pnpmfile.cjs`); all relative to the workspace root and sorted.
    `packages` counts the packages of the lockfile.
    """

    lockfile: str
    workspace_yaml: str | None
    package_json: str
    importers: list[str]
    patches: list[str]
    local_paths: list[str]
    packages: int

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the three texts; the files in `patches` are the caller's to hash."""
        texts = (self.lockfile, self.workspace_yaml, self.package_json)
        return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


@dataclass(frozen=True)
class _Kept:
    """The closure: what stays of a lockfile."""

    importers: dict[str, Importer]
    snapshots: set[str]
    packages: set[str]
    names: set[str]
    catalog_entries: set[tuple[str, str]]
    applied_patches: set[tuple[str, str]]


def reduce_pnpm(
    lockfile: str | PnpmLockfile,
    *,
    workspace_yaml: str | None,
    root_package_json: str,
    importers: Sequence[str],
    keep_root_dev: AbstractSet[str] | None,
) -> ReducedPnpm:
    """Lockfile, workspace file and root manifest of the projects in the folders `importers`.

    The root project always stays, with those of its devDependencies that `keep_root_dev`
    names (all for None). Projects that a kept one links to stay too; folders that are no
    importers (projects without a package.json) count for nothing.

    What no kept project reaches leaves all three files: packages, catalog entries, patches,
    overrides, build permissions. `packages:` becomes the list of kept folders, so that
    neither a new glob nor a stray manifest below a copied folder matters. `settings`,
    `packageExtensions` and `ignoredOptionalDependencies` stay whole, since pnpm compares
    them as a whole. Of the root manifest's scripts those of the install life cycle stay,
    because pnpm runs them; an edit of any other must not rebuild every service.

    Equal meaning gives equal bytes. Raises `LockfileError` on malformed input.
    """
    lock = lockfile if isinstance(lockfile, PnpmLockfile) else PnpmLockfile.parse(lockfile)
    manifest = _manifest(root_package_json)
    workspace = None
    if workspace_yaml is not None:
        workspace = mapping(yaml12.load(workspace_yaml) or {}, "pnpm-workspace.yaml")
    kept = _closure(lock, importers, keep_root_dev)
    overrides = {
        key: value
        for key, value in strings(lock.head.get("overrides") or {}, "overrides").items()
        # "-" removes a dependency, so that no lockfile names what it applies to.
        if value == "-" or override_target(key) in kept.names
    }
    patches = {
        key: patch
        for key, patch in _patches(lock).items()
        if (package_name(key), patch["hash"] if isinstance(patch, dict) else patch)
        in kept.applied_patches
    }
    settings = Settings(lock, kept.names, kept.catalog_entries, overrides, patches)
    files: dict[str, str] = {
        key: patch["path"] for key, patch in patches.items() if isinstance(patch, dict)
    }
    manifest = _reduced_manifest(manifest, settings, keep_root_dev)
    for source in (mapping(manifest.get("pnpm") or {}, "pnpm"), workspace or {}):
        files |= strings(source.get("patchedDependencies") or {}, "patchedDependencies")
    if workspace is not None:
        if "packages" in workspace:
            folders = sorted(kept.importers.keys() - {"."})
            workspace["packages"] = [_GLOB.sub(r"\\\1", folder) for folder in folders] or ["."]
        workspace = settings.reduce(workspace)
    return ReducedPnpm(
        lockfile=_render(lock, kept, overrides, patches),
        workspace_yaml=None if workspace is None else yaml_text(workspace),
        package_json=json.dumps(manifest, indent=2, ensure_ascii=False) + "\n",
        importers=sorted(kept.importers),
        patches=sorted({posixpath.normpath(files[key]) for key in patches if key in files}),
        local_paths=_local_paths(lock, kept),
        packages=len(kept.packages),
    )


def _closure(
    lock: PnpmLockfile, folders: Sequence[str], keep_root_dev: AbstractSet[str] | None
) -> _Kept:
    kept = _Kept({}, set(), set(), set(), set(), set())
    todo_folders = [".", *map(posixpath.normpath, folders)]
    todo_snapshots: list[str] = []
    while todo_folders or todo_snapshots:
        if todo_snapshots:
            key = todo_snapshots.pop()
            if key in kept.snapshots:
                continue
            snapshot = lock.snapshots[key]
            kept.snapshots.add(key)
            kept.packages.add(snapshot.package)
            kept.names.update(snapshot.names)
            if snapshot.patch:
                kept.applied_patches.add(snapshot.patch)
            todo_snapshots += snapshot.links.snapshots
            todo_folders += snapshot.links.folders
            if folder := lock.packages[snapshot.package].folder:
                todo_folders.append(folder)
            continue
        path = todo_folders.pop()
        if path in kept.importers or path not in lock.importers:
            continue
        importer = lock.importers[path]
        if path == "." and keep_root_dev is not None:
            importer = _without_dev(importer, keep_root_dev)
        kept.importers[path] = importer
        for kind, links in importer.links.items():
            for name, link in links.items():
                kept.names.add(name)
                specifier = importer.raw[kind][name]["specifier"]
                if specifier.startswith("catalog:"):
                    kept.catalog_entries.add((specifier[8:] or "default", name))
                todo_snapshots += link.snapshots
                todo_folders += link.folders
    return kept


def _without_dev(importer: Importer, keep: AbstractSet[str]) -> Importer:
    raw = {key: value for key, value in importer.raw.items() if key != "devDependencies"}
    if dev := only(importer.raw.get("devDependencies") or {}, keep.__contains__):
        raw["devDependencies"] = dev
    dev_links = only(importer.links["devDependencies"], keep.__contains__)
    return Importer(raw, entry_line(".", raw), {**importer.links, "devDependencies": dev_links})


def _patches(lock: PnpmLockfile) -> dict[str, Any]:
    patches = mapping(lock.head.get("patchedDependencies") or {}, "patchedDependencies")
    for key, patch in patches.items():
        if not isinstance(patch, str):
            strings(patch, f"patchedDependencies: {key}")
            if not {"hash", "path"} <= patch.keys():
                raise LockfileError(f"pnpm-lock.yaml: patch {key} has no hash or no path")
    return patches


def _manifest(text: str) -> dict[str, Any]:
    try:
        manifest = json.loads(text)
        # Refuses what cannot be written again: NaN, half a surrogate pair.
        json.dumps(manifest, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise LockfileError(f"package.json does not parse: {error}") from error
    return mapping(manifest, "package.json")


def _reduced_manifest(
    manifest: Mapping[str, Any], settings: Settings, keep_root_dev: AbstractSet[str] | None
) -> dict[str, Any]:
    reduced = dict(manifest)
    scripts = mapping(manifest.get("scripts") or {}, "scripts")
    reduced["scripts"] = only(scripts, INSTALL_SCRIPTS.__contains__)
    if keep_root_dev is not None:
        dev = mapping(manifest.get("devDependencies") or {}, "devDependencies")
        reduced["devDependencies"] = only(dev, keep_root_dev.__contains__)
    if "pnpm" in manifest:
        reduced["pnpm"] = settings.reduce(mapping(manifest["pnpm"] or {}, "pnpm"))
    if "resolutions" in manifest:
        reduced["resolutions"] = settings.reduce_overrides(manifest["resolutions"])
    for key in ("scripts", "devDependencies", "pnpm", "resolutions"):
        if key in reduced and not reduced[key]:
            del reduced[key]
    return reduced


def _render(
    lock: PnpmLockfile, kept: _Kept, overrides: Mapping[str, str], patches: Mapping[str, Any]
) -> str:
    head = {key: value for key, value in lock.head.items() if key != "lockfileVersion"}
    head["overrides"] = overrides
    head["patchedDependencies"] = patches
    head["catalogs"] = reduced_catalogs(head.get("catalogs") or {}, kept.catalog_entries)
    times = mapping(head.get("time") or {}, "time")
    head["time"] = only(times, kept.packages.__contains__)
    for key in ("overrides", "patchedDependencies", "catalogs", "time"):
        if not head[key]:
            del head[key]
    text = f"lockfileVersion: {json_text(str(lock.head['lockfileVersion']))}\n"
    if head:
        text += "\n" + yaml_text(head)
    sections = {
        "importers": {path: importer.line for path, importer in kept.importers.items()},
        "packages": {key: lock.packages[key].line for key in kept.packages},
        "snapshots": {key: lock.snapshots[key].line for key in kept.snapshots},
    }
    for name, lines in sections.items():
        if lines:
            text += section_text(name, map(lines.__getitem__, sorted(lines)))
    return yaml12.join_documents(lock.environment, text)


def _local_paths(lock: PnpmLockfile, kept: _Kept) -> list[str]:
    paths = {".pnpmfile.cjs"} if lock.head.get("pnpmfileChecksum") else set()
    for key in kept.packages:
        package = lock.packages[key]
        if package.file:
            paths.add(package.file)
        if package.folder and package.folder not in kept.importers:
            paths.add(package.folder)
    return sorted(paths)
