"""A folder that holds a project graph, and the files that it was made of.

`graph.json` is what Nx wrote; `index.json` binds it to its tree: the sha256 of the graph, and the
id of each file. It comes from an earlier pipeline and is believed in nothing else: whatever is
wrong with it, Nx runs.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from ciforge import __version__
from ciforge.collect.graph import warnings
from ciforge.collect.snapshot import Snapshot, environment, take_snapshot
from ciforge.collect.workspace import Root
from ciforge.doors import files, nx
from ciforge.errors import CiforgeError, InputError, OutsideError
from ciforge.results.encode import sha256_of
from ciforge.workspace import reuse
from ciforge.workspace.graph_file import parse_graph
from ciforge.workspace.model import ProjectGraph

_VERSION = 1
# Bytes of one file. 100,000 files take about 20 MB: of more than this something is wrong.
_LARGEST = 200_000_000


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """index.json. `workspace` is its folder in the repository; `files` and `imports` by path."""

    version: int
    ciforge: str
    workspace: str
    graph: str
    environment: str
    files: dict[str, str]
    imports: dict[str, str]


class Cached(msgspec.Struct, frozen=True):
    """A graph that may be used: from the cache, or made now for `doubt`. `note`: what failed."""

    data: bytes
    graph: ProjectGraph
    snapshot: Snapshot
    doubt: str | None
    changed: int = 0
    note: str | None = None


def cached_graph(root: Root, folder: Path) -> Cached:
    """The graph in `folder` if it is proved to be that of this tree, else Nx's, kept there.

    Raises what Nx's door raises, with the doubt in the hint.
    """
    snapshot = take_snapshot(root, folder)
    index, data, reason = _open(root, folder)
    if index is not None:
        reason = snapshot.doubt or _doubt(root, index, snapshot)
    if reason is None and index is not None:
        try:
            graph = parse_graph(data, str(folder / "graph.json"))
            changed = len(reuse.changed_paths(index.files, snapshot.ids))
            return Cached(data, graph, snapshot, None, changed)
        except InputError as error:
            reason = f"the cached graph {error.message}"
    try:
        data = nx.project_graph(root.path)
    except OutsideError as error:
        error.hint = f"{error.hint}; the cached graph can't be reused: {reason}"
        raise
    graph = parse_graph(data, "nx graph")
    if any(warnings(root, graph, root.project_files())):
        note = None  # the warning itself is shown, and a doubtful graph is not kept
    else:
        note = keep(root, folder, data, snapshot, index)
    return Cached(data, graph, snapshot, reason, note=note)


def _open(root: Root, folder: Path) -> tuple[Index | None, bytes, str | None]:
    """The index and its graph; without an index the third says why there is none."""
    try:
        written, data = (_read(folder / name) for name in ("index.json", "graph.json"))
    except InputError as error:
        return None, b"", f"the cache {error.message}"
    if written is None or data is None:
        return None, b"", "there is no cached graph yet"
    try:
        index = msgspec.json.decode(written, type=Index)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None, b"", "the cache is damaged, or of another version of ciforge"
    if index.version != _VERSION or index.ciforge != __version__:
        return None, b"", "the cache is of another version of ciforge"
    if index.workspace != _workspace(root):
        return None, b"", "the cached graph is of another workspace"
    if index.graph != sha256_of(data):
        return None, b"", "the cached graph is not the one that its index describes"
    return index, data, None


def _read(path: Path) -> bytes | None:
    data = files.read_bytes(path)
    if data is not None and len(data) > _LARGEST:
        raise InputError("is too large", where=str(path))
    return data


def _doubt(root: Root, index: Index, snapshot: Snapshot) -> str | None:
    now = reuse.Now(
        snapshot.ids,
        root.read,
        reuse.plugin_names(root.nx_json.plugins),
        snapshot.links,
        lambda names: environment(names, os.environ),
    )
    return reuse.doubt(reuse.Tree(index.files, index.imports, index.environment), now)


def keep(
    root: Root, folder: Path, data: bytes, snapshot: Snapshot, old: Index | None
) -> str | None:
    """Writes both files; the index last, so that a half-written cache describes no graph.

    Says in a sentence why that was not possible.
    """
    if snapshot.doubt is not None:
        return f"the graph is not kept: {snapshot.doubt}"
    plugins = reuse.plugin_names(root.nx_json.plugins)
    variables: tuple[str, ...] = ()
    if reuse.load_code(plugins):
        code = reuse.loaded_code(snapshot.ids, root.read, snapshot.ids.__contains__)
        variables = code.variables
    index = Index(
        version=_VERSION,
        ciforge=__version__,
        workspace=_workspace(root),
        graph=sha256_of(data),
        environment=environment(variables, os.environ),
        files=dict(sorted(snapshot.ids.items())),
        imports=_imports(root, snapshot, plugins, old),
    )
    if take_snapshot(root, folder) != snapshot:
        return "the graph is not kept: files changed while Nx made it"
    try:
        encoded = msgspec.json.encode(index)
        if not files.exists(folder):
            # Within the workspace the cache is no file that somebody forgot to commit.
            files.write_atomically(folder / ".gitignore", "*\n")
        files.write_atomically(folder / "graph.json", data)
        files.write_atomically(folder / "index.json", encoded)
    except UnicodeEncodeError:
        return "the graph is not kept: a file's name is no UTF-8"
    except CiforgeError as error:
        return f"the graph is not kept: {error.where}: {error.message}"
    return None


def _imports(
    root: Root, snapshot: Snapshot, plugins: frozenset[str], old: Index | None
) -> dict[str, str]:
    """Fingerprints of all sources; those of unchanged ones are taken over."""
    found = {}
    for path, file_id in sorted(snapshot.ids.items()):
        if reuse.kind_of(path, plugins) != "source" or ":" in file_id:
            continue
        if old is not None and old.files.get(path) == file_id:
            known = old.imports.get(path)
        else:
            content = root.read(path)
            known = None if content is None else reuse.fingerprint(path, content)
        if known is not None:
            found[path] = known
    return found


def _workspace(root: Root) -> str:
    return os.path.relpath(root.path.resolve(), root.git.top_level().resolve())
