"""Compares the tree that a graph was made of with another one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ciforge.workspace.model import LOCKFILE_NAMES
from ciforge.workspace.reuse.imports import fingerprint
from ciforge.workspace.reuse.loaded import Loaded, loaded_code
from ciforge.workspace.reuse.shaping import kind_of, load_code, may_come_and_go, unknown_plugin

Read = Callable[[str], bytes | None]

_TSCONFIG = re.compile(r"(?:.*/)?(?:[tj]sconfig[^/]*\.json|nx\.json|package\.json)")


@dataclass(frozen=True)
class Tree:
    """The files below a workspace; what identifies the content of each, by path.

    An id with a colon is of something else than a regular file. `imports`: fingerprints of
    source files. `environment`: a digest of the variables that count.
    """

    files: Mapping[str, str]
    imports: Mapping[str, str] = field(default_factory=dict)
    environment: str = ""


@dataclass(frozen=True)
class Now:
    """The tree at hand.

    `read` gives a file's bytes, `environment` the digest of these variables as they are now,
    `links` where symbolic links lead to, below the workspace. `plugins` are those of nx.json.
    """

    files: Mapping[str, str]
    read: Read
    plugins: frozenset[str]
    links: frozenset[str] = frozenset()
    environment: Callable[[tuple[str, ...]], str] = lambda _: ""


def doubt(then: Tree, now: Now) -> str | None:
    """Why Nx might make another graph of `now` than it made of `then`; None: it would not."""
    before, plugins = then.files, now.plugins
    if not any(name in now.files for name in LOCKFILE_NAMES):
        return "there is no lockfile beside nx.json that pins Nx and its plugins"
    changed = changed_paths(before, now.files)
    for path in changed:
        if kind_of(path, plugins) == "shaping":
            return f"{path} {_what(path, before, now.files)}, and it shapes the graph"
    loaded = Loaded({})
    if load_code(plugins):
        loaded = loaded_code(now.files, now.read, now.files.__contains__)
    if loaded.doubt is not None:
        return loaded.doubt
    if then.environment != now.environment(loaded.variables):
        names = ", ".join(("NX_*", "NODE_ENV", *loaded.variables))
        return f"a variable of the environment that may shape the graph changed: one of {names}"
    if not changed:
        return None
    plugin = unknown_plugin(plugins)
    if plugin is not None:
        what = f"{changed[0]} {_what(changed[0], before, now.files)}"
        return f"{what}, and nobody knows what the plugin {plugin} reads"
    return next(filter(None, (_of_file(path, then, now, loaded) for path in changed)), None)


def changed_paths(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    return sorted(p for p in before.keys() | after.keys() if before.get(p) != after.get(p))


def _of_file(path: str, then: Tree, now: Now, loaded: Loaded) -> str | None:
    what = _what(path, then.files, now.files)
    if path in loaded.files:
        return f"{path} {what}, and {loaded.files[path]} loads it"
    if any(path == link or path.startswith(f"{link}/") for link in now.links):
        return f"{path} {what}, and a link leads to it"
    if what != "changed":
        return None if may_come_and_go(path, now.plugins) else f"{path} {what}"
    if ":" in then.files[path] or ":" in now.files[path]:
        return f"{path} changed, and it is no regular file"
    kind = kind_of(path, now.plugins)
    if kind == "json":
        user = _mentions(path, now, loaded)
        return f"{path} changed, and {user} may use it" if user else None
    if kind == "inert":
        return None
    if kind != "source":
        return f"{path} changed, and no rule says that it can't shape the graph"
    old = then.imports.get(path)
    content = now.read(path)
    new = None if content is None else fingerprint(path, content)
    if old is None or new is None:
        return f"{path} changed, and what it imports can't be told for certain"
    return None if old == new else f"the imports of {path} changed"


def _what(path: str, before: Mapping[str, str], now: Mapping[str, str]) -> str:
    if path not in before:
        return "was added"
    return "changed" if path in now else "was deleted"


def _mentions(path: str, now: Now, loaded: Loaded) -> str | None:
    """A configuration file that speaks of a file of this name (`extends`, `join(dir, …)`)."""
    stem = path.rpartition("/")[2].removesuffix(".json").encode("utf-8", "surrogateescape")
    mention = re.compile(rb"[\"'`/]%s(?:\.json)?[\"'`]" % re.escape(stem))
    for user in sorted(now.files):
        speaks = user in loaded.files or _TSCONFIG.fullmatch(user)
        if speaks and mention.search(now.read(user) or b""):
            return user
    return None
