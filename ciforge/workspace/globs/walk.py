"""How trees are matched: by `re`, or where that could take too long, by sets of positions.

Python's `re` backtracks. A tree in which it could have to try too many ways is walked node
by node, with all positions where a match may be at that point: slower per text, but bounded
for every pattern.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import inf, prod

from ciforge.workspace.globs.tree import (
    CharClass,
    Group,
    Node,
    Not,
    Star,
    Text,
    Tree,
    compiled,
    either,
    pinned_until,
)

# A `*` may end anywhere in a path; what `re` can bear is a handful of them.
_WAYS_OF_STAR = 2**8
_MAX_WAYS = 2**36


def searchers(
    trees: Sequence[Tree],
) -> tuple[Callable[[str], object] | None, Callable[[str], bool] | None]:
    """What matches a whole text to any of the trees: for those fit for `re`, for the others."""
    quick = [tree for tree in trees if _ways(tree) <= _MAX_WAYS]
    slow = [tree for tree in trees if _ways(tree) > _MAX_WAYS]

    def walks(text: str) -> bool:
        return any(len(text) in ends(tree, text, {0}) for tree in slow)

    return compiled(either(quick)).fullmatch if quick else None, walks if slow else None


def _ways(tree: Tree) -> float:
    """At most in how many ways `re` may try to match a tree to one text."""
    return prod(
        _node_ways(node)
        for at, node in enumerate(tree)
        if not isinstance(node, Text) and not pinned_until(tree, at)
    )


def _node_ways(node: Node) -> float:
    match node:
        case Star():
            return _WAYS_OF_STAR
        case Group("*" | "+", branches):
            return _WAYS_OF_STAR if _reads_one_way(branches) else inf
        case Group(kind, branches):
            return max(sum(map(_ways, branches)), 1) + (kind == "?")
        case Not(branches):
            return max(sum(map(_ways, branches)), 1)
        case _:
            return 1


def _reads_one_way(branches: Sequence[Tree]) -> bool:
    """Whether a repeated group splits any text in one way: literals, none starting another."""
    words = []
    for branch in branches:
        match branch:
            case [Text(text)]:
                words.append(text)
            case _:
                return False
    return not any(b.startswith(a) for a, b in pairwise(sorted(set(words))))


def ends(tree: Tree, text: str, starts: set[int]) -> set[int]:
    """Every position where a match of `tree` that begins at one of `starts` can end."""
    at = starts
    for node in tree:
        if not at:
            break
        at = _step(node, text, at)
    return at


def _step(node: Node, text: str, starts: set[int]) -> set[int]:
    match node:
        case Text(piece):
            return {p + len(piece) for p in starts if text.startswith(piece, p)}
        case CharClass(source):
            one = compiled(source).match
            return {p + 1 for p in starts if one(text, p)}
        case Star(source):
            one = compiled(source).match
            reached = set(starts)
            for p in starts:
                while p < len(text) and one(text, p):
                    p += 1
                    if p in reached:
                        break
                    reached.add(p)
            return reached
        case Group(kind, branches):
            new = _any_end(branches, text, starts)
            reached = new | starts if kind in "?*" else set(new)
            while new and kind in "*+":
                new = _any_end(branches, text, new) - reached
                reached |= new
            return reached
        case Not(branches):
            return {p for p in starts if not _fills_segment(branches, text, p)}
        case _:
            return {p for p in starts if compiled(node.source).match(text, p)}


def _any_end(branches: Sequence[Tree], text: str, starts: set[int]) -> set[int]:
    return set().union(*(ends(branch, text, starts) for branch in branches))


def _fills_segment(branches: Sequence[Tree], text: str, start: int) -> bool:
    return any(p == len(text) or text[p] == "/" for p in _any_end(branches, text, {start}))
