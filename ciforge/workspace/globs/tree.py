"""Globs as trees, and the regular expression of a tree."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple


class Text(NamedTuple):
    """These characters."""

    text: str


class CharClass(NamedTuple):
    """One character that matches an `re` source; `slashless` if that cannot be a `/`."""

    source: str
    slashless: bool


class Star(NamedTuple):
    """Any number of characters that each match an `re` source."""

    source: str


class Group(NamedTuple):
    """Braces or an extglob: one of the branches, as often as `kind` (`@?*+`) says."""

    kind: str
    branches: Sequence[Tree]


class Not(NamedTuple):
    """No branch matches from here up to a `/` or the end."""

    branches: Sequence[Tree]


class Regex(NamedTuple):
    """An `re` source as it is. Where a tree may be walked, one that takes no character."""

    source: str


Node = Text | CharClass | Star | Group | Not | Regex
Tree = list[Node]

# To be compared by identity: as tuples, nodes of two kinds may be equal.
STAR = Star("[^/]")
ANY_CHAR = CharClass("[^/]", True)
SLASH = Text("/")
NEVER = Regex("(?!)")

_MAX_ALTERNATIVES = 5_000
_MAX_CHARACTERS = 1_000_000


@lru_cache(maxsize=4096)
def compiled(source: str) -> re.Pattern[str]:
    return re.compile(source, re.DOTALL)


def add_text(tree: Tree, text: str) -> None:
    """Appends characters to a tree, to its last node if that is text."""
    if tree and isinstance(tree[-1], Text):
        tree[-1] = Text(tree[-1].text + text)
    else:
        tree.append(Text(text))


def char_class(ranges: Sequence[tuple[str, str]], negated: bool) -> CharClass:
    """A class of `(first, last)` ranges."""
    source = "".join(re.escape(a) + (f"-{re.escape(b)}" if a != b else "") for a, b in ranges)
    slashless = not negated and not any(a <= "/" <= b for a, b in ranges)
    return CharClass(f"[{'^' if negated else ''}{source}]", slashless)


def check_alternatives(count: int, length: int) -> None:
    """Raises ValueError if so many alternatives of a pattern of this length are too many."""
    if count > _MAX_ALTERNATIVES or count * length > _MAX_CHARACTERS:
        raise ValueError("the pattern has too many alternatives")


def pinned_until(tree: Tree, at: int) -> int:
    """Where the fixed text between a `*` at `at` and the next `*` ends, or 0.

    The next `*` takes up whatever a first `*` leaves, so the first may stop at the first
    place where the text between fits, and never has to try another one.
    """
    if tree[at] is not STAR:
        return 0
    end = at + 1
    while end < len(tree) and _is_fixed(tree[end]):
        end += 1
    return end if at + 1 < end < len(tree) and tree[end] is STAR else 0


def _is_fixed(node: Node) -> bool:
    if isinstance(node, Text):
        return "/" not in node.text
    return isinstance(node, CharClass) and node.slashless


def tree_source(tree: Tree) -> str:
    """The `re` source of a tree, for `re.DOTALL`."""
    out = []
    at = 0
    while at < len(tree):
        end = pinned_until(tree, at)
        if end:
            out.append(f"(?>[^/]*?{tree_source(tree[at + 1 : end])})")
        else:
            out.append(_node_source(tree[at]))
        at = end or at + 1
    return "".join(out)


def _node_source(node: Node) -> str:
    match node:
        case Text(text):
            return re.escape(text)
        case Star(source):
            return f"(?:{source})*"
        case Group(kind, branches):
            return f"(?:{either(branches)}){'' if kind == '@' else kind}"
        case Not(branches):
            return f"(?!(?:{either(branches)})(?:\\Z|/))"
        case CharClass(source) | Regex(source):
            return source


def either(trees: Sequence[Tree]) -> str:
    """The `re` source for any one of the trees."""
    return "|".join(map(tree_source, trees))
