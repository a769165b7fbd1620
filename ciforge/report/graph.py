"""The project graph as a text tree, JSON, DOT and Mermaid. Deterministic: names sorted."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ciforge.text import escape
from ciforge.workspace.model import ProjectGraph


def project_edges(graph: ProjectGraph) -> list[tuple[str, str, str]]:
    """`(source, target, types)` between projects, sorted; several types joined by `/`."""
    found: dict[tuple[str, str], set[str]] = {}
    for source, edges in graph.dependencies.items():
        for edge in edges:
            if source in graph.nodes and edge.target in graph.nodes:
                found.setdefault((source, edge.target), set()).add(edge.type)
    return [(s, t, "/".join(sorted(types))) for (s, t), types in sorted(found.items())]


def as_json(graph: ProjectGraph) -> dict[str, object]:
    """`{"projects": [{name, type, root, tags}], "edges": [{source, target, type}]}`."""
    return {
        "projects": [
            {
                "name": name,
                "type": node.type,
                "root": node.data.root,
                "tags": sorted(node.data.tags),
            }
            for name, node in sorted(graph.nodes.items())
        ],
        "edges": [{"source": s, "target": t, "type": kind} for s, t, kind in project_edges(graph)],
    }


def as_tree(graph: ProjectGraph) -> Iterator[str]:
    """Every project that nothing depends on, with what it depends on below.

    A project that was shown before is shown once more by name, with `…`; a cycle is cut there
    too. Projects that only a cycle leads to come last.
    """
    below: dict[str, list[tuple[str, str]]] = {name: [] for name in graph.nodes}
    depended: set[str] = set()
    for source, target, kind in project_edges(graph):
        below[source].append((target, kind))
        depended.add(target)
    shown: set[str] = set()
    tops = sorted(graph.nodes.keys() - depended)
    for top in [*tops, *sorted(depended)]:
        if top in shown:
            continue
        yield f"{escape(top)} ({graph.nodes[top].type}, {escape(graph.nodes[top].data.root)})"
        shown.add(top)
        yield from _branches(top, below, shown)


def _branches(top: str, below: dict[str, list[tuple[str, str]]], shown: set[str]) -> Iterator[str]:
    stack: list[tuple[str, Iterator[tuple[int, tuple[str, str]]], int]] = [
        ("", iter(enumerate(below[top])), len(below[top]))
    ]
    while stack:
        indent, children, count = stack[-1]
        step = next(children, None)
        if step is None:
            stack.pop()
            continue
        index, (name, kind) = step
        last = index == count - 1
        again = name in shown and bool(below[name])
        note = "" if kind == "static" else f" [{kind}]"
        yield f"{indent}{'└─ ' if last else '├─ '}{escape(name)}{note}{' …' if again else ''}"
        if not again and below[name]:
            shown.add(name)
            stack.append(
                (
                    f"{indent}{'   ' if last else '│  '}",
                    iter(enumerate(below[name])),
                    len(below[name]),
                )
            )
        shown.add(name)


def as_dot(graph: ProjectGraph) -> Iterator[str]:
    yield "digraph projects {"
    yield "  rankdir=LR;"
    yield "  node [shape=box, style=rounded];"
    for name, node in sorted(graph.nodes.items()):
        shape = {"app": "box", "e2e": "note"}.get(node.type, "ellipse")
        yield f"  {_quoted(name)} [shape={shape}];"
    for source, target, kind in project_edges(graph):
        style = {"implicit": " [style=dashed]", "dynamic": " [style=dotted]"}.get(kind, "")
        yield f"  {_quoted(source)} -> {_quoted(target)}{style};"
    yield "}"


def as_mermaid(graph: ProjectGraph, marked: Collection[str] = ()) -> Iterator[str]:
    """A Mermaid flowchart; `marked` projects are drawn in colour."""
    ids = {name: f"p{index}" for index, name in enumerate(sorted(graph.nodes))}
    yield "flowchart LR"
    for name, key in ids.items():
        start, end = {"app": ("[", "]"), "e2e": ("[/", "/]")}.get(
            graph.nodes[name].type, ("([", "])")
        )
        yield f'  {key}{start}"{mermaid_text(name)}"{end}'
    for source, target, kind in project_edges(graph):
        arrow = {"implicit": "-.->", "dynamic": "-. dynamic .->"}.get(kind, "-->")
        yield f"  {ids[source]} {arrow} {ids[target]}"
    chosen = [ids[name] for name in sorted(marked) if name in ids]
    if chosen:
        yield "  classDef marked fill:#fde68a,stroke:#b45309,color:#111"
        yield f"  class {','.join(chosen)} marked"


def mermaid_text(text: str) -> str:
    """Text that stands safely between quotes in Mermaid: entity codes for what it reads."""
    return "".join(c if c.isalnum() or c in " -_./@:+→()," else f"#{ord(c)};" for c in text)


def _quoted(text: str) -> str:
    shown = escape(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{shown}"'
