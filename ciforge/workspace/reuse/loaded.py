"""The code that plugins run to make the graph: configuration files, and what these load.

Its answer may depend on more than its text. Variables of the environment can be noted; a program
that reads files, or loads what only it knows, makes every reuse doubtful.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ciforge.workspace.entries import resolve
from ciforge.workspace.imports import is_source, package_of, specifiers
from ciforge.workspace.jsonc import strip_comments
from ciforge.workspace.reuse.shaping import is_config_code

Read = Callable[[str], bytes | None]

_RELATIVE = re.compile(r"""["'`](\.{1,2}/[^"'`\n$]*)["'`]""")
_ENV = re.compile(r"""process\s*\.\s*env\s*(?:\.\s*(\w+)|\[\s*["'](\w+)["']\s*\])""")
_ANY_ENV = re.compile(r"process\s*\.\s*env\b|import\s*\.\s*meta\s*\.\s*env\b|\bloadEnv\b")
_OPEN_LOAD = re.compile(r"""\b(?:require|import)\s*\(\s*(?!["'`])""")
_LOOKS_AROUND = re.compile(
    r"(?:node:)?(?:fs|fs/promises|child_process|os|http|https|net|worker_threads|vm|module)"
    r"|fs-extra|glob|fast-glob|globby|tinyglobby|execa|dotenv"
)
_BUILTIN = re.compile(r"(?:node:)?(?:path|url|util|assert|crypto|events|process|buffer)(?:/.*)?")
_LOCAL_VERSION = re.compile(r"workspace:|file:|link:|portal:|\*$|\.")


@dataclass(frozen=True)
class Loaded:
    """`files` by the configuration file that leads to them; `variables` that they name."""

    files: dict[str, str]
    variables: tuple[str, ...] = ()
    doubt: str | None = None


def loaded_code(files: Iterable[str], read: Read, exists: Callable[[str], bool]) -> Loaded:
    """Follows the configuration files among `files`, all of them of the workspace."""
    found: dict[str, str] = {}
    variables: set[str] = set()
    manifests: dict[str, frozenset[str]] = {}
    waiting = [(path, path) for path in sorted(filter(is_config_code, files), reverse=True)]
    while waiting:
        path, start = waiting.pop()
        if path in found:
            continue
        found[path] = start
        data = read(path)
        if data is None or not is_source(path):
            continue
        text = data.decode("utf-8", "replace")
        names = {a or b for a, b in _ENV.findall(text)}
        if len(_ANY_ENV.findall(text)) > len(_ENV.findall(text)):
            return Loaded(found, doubt=f"{path} may depend on any variable of the environment")
        if _OPEN_LOAD.search(text):
            return Loaded(found, doubt=f"{path} loads files that only it can name")
        variables |= names
        for specifier in sorted(specifiers(data, path)):
            if specifier.startswith("."):
                continue
            if _LOOKS_AROUND.fullmatch(specifier):
                return Loaded(found, doubt=f"{path} may read any file: it loads {specifier}")
            if not _BUILTIN.fullmatch(specifier) and not _is_installed(
                specifier, path, read, manifests
            ):
                return Loaded(found, doubt=f"{path} loads {specifier}, which no lockfile pins")
        for relative in _RELATIVE.findall(text):
            target = resolve(path, relative, exists) or _plain(path, relative, exists)
            if target is not None:
                waiting.append((target, start))
    return Loaded(found, tuple(sorted(variables)))


def _plain(importer: str, relative: str, exists: Callable[[str], bool]) -> str | None:
    path = posixpath.normpath(posixpath.join(posixpath.dirname(importer), relative))
    return path if exists(path) else None


def _is_installed(
    specifier: str, path: str, read: Read, manifests: dict[str, frozenset[str]]
) -> bool:
    """Whether a package.json of the file's folders takes the package from a registry."""
    package = package_of(specifier)
    folder = posixpath.dirname(path)
    while True:
        if folder not in manifests:
            manifests[folder] = _registry_packages(read(posixpath.join(folder, "package.json")))
        if package in manifests[folder]:
            return True
        if not folder:
            return False
        folder = posixpath.dirname(folder)


def _registry_packages(data: bytes | None) -> frozenset[str]:
    try:
        manifest = json.loads(strip_comments(data or b"{}"))
        groups = [manifest.get(k) or {} for k in ("dependencies", "devDependencies")]
        return frozenset(
            name
            for group in groups
            for name, version in group.items()
            if isinstance(version, str) and not _LOCAL_VERSION.match(version)
        )
    except (ValueError, AttributeError, RecursionError):
        return frozenset()
