"""The packages that some workspace folders reach through an npm or a yarn lockfile.

The keys of an npm lockfile are folders in node_modules, and another project's bump may move
packages between them. The set of what is reached stays the same then, which makes it fit
for a digest where the lockfile's bytes are not.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ciforge.lockfile import npm, yarn
from ciforge.lockfile.common import LockfileError
from ciforge.lockfile.yarn import YarnEntry

# Name, version, and integrity or else whatever the lockfile knows of the source.
Reached = tuple[str, str, str]

_SECTIONS = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")


def reached_packages(
    name: str,
    text: str,
    workspace_dirs: Sequence[str],
    *,
    manifests: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Reached]:
    """Sorted packages that the projects in `workspace_dirs` ("." is the root) reach.

    `name` is package-lock.json (version 2 or 3) or yarn.lock. Other workspace projects on
    the way are walked through, not listed. yarn 1 does not record what projects depend on:
    it needs `manifests`, each project's parsed package.json by folder. Raises
    `LockfileError` on malformed text and on a folder that is not there.
    """
    folders = [posixpath.normpath(folder) for folder in workspace_dirs]
    if name == "package-lock.json":
        return sorted(_npm(npm.packages(text), folders))
    if name != "yarn.lock":
        raise LockfileError(f"{name} is not a lockfile whose reached packages ciforge lists")
    lock = yarn.parse(text)
    if lock.berry:
        return sorted(_berry(lock.entries, folders))
    if manifests is None:
        raise LockfileError("yarn.lock of yarn 1 needs the projects' manifests")
    return sorted(_classic(lock.entries, folders, manifests))


def _npm(packages: Mapping[str, npm.NpmPackage], folders: Iterable[str]) -> set[Reached]:
    reached: set[Reached] = set()
    todo = ["" if folder == "." else folder for folder in folders]
    for folder in todo:
        if folder not in packages:
            raise LockfileError(f"package-lock.json has no workspace {folder or '.'}")
    seen = set(todo)
    while todo:
        path = todo.pop()
        entry = packages[path]
        if "node_modules" in path and not entry.link:
            name = entry.name or path.rpartition("node_modules/")[2]
            source = entry.integrity or entry.resolved or ""
            reached.add((name, entry.version or "", source))
        for target in _npm_targets(packages, path, entry):
            if target not in seen:
                seen.add(target)
                todo.append(target)
    return reached


def _npm_targets(
    packages: Mapping[str, npm.NpmPackage], path: str, entry: npm.NpmPackage
) -> Iterator[str]:
    if entry.link:
        if entry.resolved and entry.resolved in packages:
            yield entry.resolved
        return
    sections = (
        entry.dependencies,
        entry.dev_dependencies,
        entry.optional_dependencies,
        entry.peer_dependencies,
    )
    for wanted in {name for section in sections for name in section or ()}:
        for folder in _node_folders(path):
            target = f"{folder}node_modules/{wanted}"
            if target in packages:
                yield target
                break


def _node_folders(path: str) -> Iterator[str]:
    """As node looks modules up: every parent folder, but none inside node_modules itself."""
    while path:
        if not path.endswith("node_modules"):
            yield f"{path}/"
        path = posixpath.dirname(path)
    yield ""


class _Yarn:
    """A walk over descriptors; `found` gets what is reached."""

    def __init__(self, entries: Mapping[str, YarnEntry]) -> None:
        self.by_key: dict[str, YarnEntry] = {}
        self.by_name: dict[str, list[tuple[str, YarnEntry]]] = {}
        for keys, entry in entries.items():
            for key in keys.split(", "):
                self.by_key[key] = entry
                self.by_name.setdefault(yarn.package_of(key), []).append((key, entry))

    def find(self, name: str, wanted: str) -> list[YarnEntry]:
        """The entries of a dependency, with the patches of it.

        A resolution in the root manifest replaces a range, whose descriptor is then not in
        the lockfile. All entries of the package stand for it: too many, never too few.
        """
        entry = self.by_key.get(f"{name}@{wanted}") or self.by_key.get(f"{name}@npm:{wanted}")
        own = self.by_name.get(name, [])
        if entry is None:
            return [entry for _, entry in own]
        patched = f"{name}@patch:{name}@{quote('npm:' + wanted.removeprefix('npm:'), safe='^~*')}#"
        return [entry, *(entry for key, entry in own if key.startswith(patched))]

    def walk(self, todo: list[YarnEntry]) -> set[Reached]:
        seen: set[int] = set()
        reached: set[Reached] = set()
        while todo:
            entry = todo.pop()
            if id(entry) in seen:
                continue
            seen.add(id(entry))
            if entry.link_type != "soft":
                reached.add(self._identity(entry))
            for section in (entry.dependencies, entry.optional_dependencies):
                for name, wanted in (section or {}).items():
                    todo += self.find(name, wanted)
        return reached

    def _identity(self, entry: YarnEntry) -> Reached:
        source = entry.integrity or entry.checksum or entry.resolved or entry.resolution or ""
        if entry.resolution:
            return yarn.package_of(entry.resolution), entry.version or "", source
        key = next(key for key, other in self.by_key.items() if other is entry)
        return yarn.package_of(key), entry.version or "", source


def _berry(entries: Mapping[str, YarnEntry], folders: Iterable[str]) -> set[Reached]:
    by_folder = {
        posixpath.normpath(entry.resolution.partition("@workspace:")[2]): entry
        for entry in entries.values()
        if entry.resolution and "@workspace:" in entry.resolution
    }
    for folder in folders:
        if folder not in by_folder:
            raise LockfileError(f"yarn.lock has no workspace {folder}")
    return _Yarn(entries).walk([by_folder[folder] for folder in folders])


def _classic(
    entries: Mapping[str, YarnEntry],
    folders: Iterable[str],
    manifests: Mapping[str, Mapping[str, Any]],
) -> set[Reached]:
    lock = _Yarn(entries)
    projects = {manifest.get("name"): folder for folder, manifest in manifests.items()}
    start: list[YarnEntry] = []
    todo = list(folders)
    seen = set(todo)
    while todo:
        folder = todo.pop()
        if folder not in manifests:
            raise LockfileError(f"no manifest of the workspace {folder}")
        for kind in _SECTIONS:
            section = manifests[folder].get(kind) or {}
            if not isinstance(section, Mapping):
                raise LockfileError(f"{folder}/package.json: {kind} is not an object")
            for name, wanted in section.items():
                if name not in projects:
                    start += lock.find(name, str(wanted))
                elif projects[name] not in seen:
                    seen.add(projects[name])
                    todo.append(projects[name])
    return lock.walk(start)
