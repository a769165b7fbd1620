"""All pairs of the recorded graphs of real Nx 24: what is proved unchanged is so.

For each pair of heads there is the tree of files on both sides, and what Nx wrote on both.
"""

from __future__ import annotations

import gzip
import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from ciforge.workspace import reuse
from ciforge.workspace.graph_file import parse_nx_json
from tests.affected.test_oracle import FORMS, ORACLE, SCENARIOS, clone

__all__ = ["clone"]


class History:
    """The files of each head by path, and the contents of blobs."""

    def __init__(self, clone: Path, heads: list[str]) -> None:
        self.trees = {head: self._tree(clone, head) for head in heads}
        ids = sorted({i.rpartition(":")[2] for tree in self.trees.values() for i in tree.values()})
        out = self._git(clone, "cat-file", "--batch", stdin="\n".join(ids).encode())
        self.blobs: dict[str, bytes] = {}
        at = 0
        for wanted in ids:
            end = out.index(b"\n", at)
            size = int(out[at:end].split()[2])
            self.blobs[wanted] = out[end + 1 : end + 1 + size]
            at = end + size + 2
        self.prints: dict[tuple[str, str], str | None] = {}

    @staticmethod
    def _git(clone: Path, *command: str, stdin: bytes | None = None) -> bytes:
        done = subprocess.run(
            ["git", *command], cwd=clone, check=True, capture_output=True, input=stdin
        )
        return done.stdout

    def _tree(self, clone: Path, head: str) -> dict[str, str]:
        files = {}
        for record in self._git(clone, "ls-tree", "-r", "-z", head).split(b"\0")[:-1]:
            meta, _, name = record.partition(b"\t")
            mode, _, blob = meta.decode().split()
            path = name.decode("utf-8", "surrogateescape")
            files[path] = blob if mode.startswith("100") else f"{mode}:{blob}"
        return files

    def read(self, head: str, path: str) -> bytes | None:
        found = self.trees[head].get(path)
        return None if found is None else self.blobs[found.rpartition(":")[2]]

    def then(self, head: str) -> reuse.Tree:
        files = self.trees[head]
        found = {
            p: self._print(p, i) for p, i in files.items() if p.endswith((".ts", ".tsx", ".js"))
        }
        return reuse.Tree(files, {p: f for p, f in found.items() if f})

    def _print(self, path: str, blob: str) -> str | None:
        key = (path.rpartition(".")[2], blob)
        if key not in self.prints:
            self.prints[key] = reuse.fingerprint(path, self.blobs[blob.rpartition(":")[2]])
        return self.prints[key]

    def now(self, head: str) -> reuse.Now:
        plugins = parse_nx_json(self.read(head, "nx.json") or b"").plugins
        return reuse.Now(
            self.trees[head], lambda path: self.read(head, path), reuse.plugin_names(plugins)
        )


def recorded(head: str) -> list[Any]:
    """Nodes, edges and packages as Nx wrote them, edges in one order."""
    found = []
    for suffix in FORMS.values():
        file = ORACLE / "graph" / f"{head}{suffix}"
        if file.exists():
            document = json.loads(gzip.decompress(file.read_bytes()))
            graph = document.get("graph", document)
            edges = {
                source: sorted(json.dumps(e, sort_keys=True) for e in edges)
                for source, edges in graph["dependencies"].items()
                if edges
            }
            found.append([graph["nodes"], edges, graph.get("externalNodes")])
    return found


def test_never_unchanged_where_nx_made_another_graph(clone: Path) -> None:
    heads = sorted({s["head"] for s in SCENARIOS})
    graphs = {head: recorded(head) for head in heads}
    heads = [head for head in heads if graphs[head]]
    history = History(clone, heads)
    before = {head: history.then(head) for head in heads}
    counts: Counter[tuple[bool, bool]] = Counter()
    for new in heads:
        now = history.now(new)
        for old in heads:
            if old != new:
                proved = reuse.doubt(before[old], now) is None
                same = graphs[old] == graphs[new]
                assert same or not proved, f"{old} and {new} have different graphs"
                counts[same, proved] += 1
    assert sum(counts.values()) == len(heads) * (len(heads) - 1) == 53 * 52
    # How useful it is: pairs of equal graphs, and those of them that are recognised.
    assert counts[False, False] == 1116
    assert counts[True, True] == 342
    assert counts[True, False] == 1298
