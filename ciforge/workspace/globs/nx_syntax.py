"""Reads the globs of Nx's native module into trees.

Nx takes a pattern apart into globs without extglobs, of which some exclude, and gives these
to the Rust crate `globset`. So does this, on UTF-8 bytes in latin-1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ciforge.workspace.globs.braces import closing, split_commas
from ciforge.workspace.globs.tree import (
    ANY_CHAR,
    SLASH,
    STAR,
    Group,
    Node,
    Regex,
    Star,
    Text,
    Tree,
    add_text,
    char_class,
    check_alternatives,
)

_MAX_DEPTH = 50
_MAX_EXTGLOBS = 50

_ANYTHING = Star(".")
_NOTHING = Regex("")
_BELOW = Group("@", [[SLASH, _ANYTHING]])
_ANY_DEPTH = Group("@", [[SLASH], [SLASH, _ANYTHING, SLASH]])
_ANY_PARENT = Group("@", [[], [SLASH], [_ANYTHING, SLASH]])


def read(pattern: str) -> list[tuple[Tree, bool]]:
    """The trees of a pattern, and for each whether it excludes.

    Raises ValueError as `nx_glob_set` does.
    """
    out = []
    for part in _outer_alternatives(pattern):
        for glob in _rewrite(part):
            whole = f"{glob}**" if glob.endswith("/") else glob
            as_bytes = whole.encode("utf-8", "surrogatepass").decode("latin-1")
            excludes = as_bytes.startswith("!")
            out.append((_Globset(as_bytes[excludes:]).tree(), excludes))
    return out


def _outer_alternatives(pattern: str) -> list[str]:
    # Nx takes braces around the whole pattern apart first, so `{!a,b}` excludes `a`.
    if pattern.startswith("{") and closing(pattern, 0) == len(pattern) - 1:
        return split_commas(pattern[1:-1])
    return [pattern]


def _rewrite(pattern: str) -> list[str]:
    """The plain globs a pattern stands for, with a `!` before those that exclude."""
    negated = pattern.startswith("!") and not pattern.startswith("!(")
    *parents, last = pattern[negated:].split("/")
    out: list[str] = []
    paths = [""]
    for segment in parents:
        built = _rewrite_segment(segment, False)
        # What a parent segment excludes is excluded with all that lies below it.
        out += [f"!{path}{text}/" for text, excludes in built if excludes for path in paths]
        paths = [f"{path}{text}/" for path in paths for text, excludes in built if not excludes]
        check_alternatives(len(paths) + len(out), len(pattern))
    for text, excludes in _rewrite_segment(last, True):
        out += [f"{'!' if excludes or negated else ''}{path}{text}" for path in paths]
        check_alternatives(len(out), len(pattern))
    return list(dict.fromkeys(out))


def _rewrite_segment(segment: str, is_last: bool) -> list[tuple[str, bool]]:
    """The plain globs a segment stands for, and for each whether it excludes."""
    built = [("", False)]
    extglobs = 0
    for kind, text in _extglobs(segment):
        shown = f"{{{text}}}" if kind and "," in text else text
        shown += kind[1:] if kind.startswith("!") else ""
        kept = [(head + shown, excludes or kind.startswith("!")) for head, excludes in built]
        if kind == "?":
            kept = built + kept
        elif kind in ("*", "!"):
            kept = [(head if is_last else "*", excludes) for head, excludes in built] + kept
        elif kind in ("!.", "!*"):
            kept = [("*." if kind == "!." else "*", excludes) for _, excludes in built] + kept
        built = list(dict.fromkeys(kept))
        extglobs += bool(kind)
        if extglobs > _MAX_EXTGLOBS:
            raise ValueError("the pattern has too many extglobs")
        check_alternatives(len(built), len(segment))
    return built


# A group of any kind, `{,a}`, or text as far as Nx takes it in one piece: an escape, a class,
# a character that opens no group, all before a `{,` (even an extglob), or a run of others.
_PIECE = (
    r"([*?+@!]?\()([^)]*)\)|\{,([^}]*)\}|\\.?|\[[!^]?+\]?+[^\]]*\]|[?+@!](?!\()"
    r"|(?!\{,)(?:[^\\{]*+(?:\{(?!,)[^\\{]*+)*+(?=\{,)|[^?+@!(\\][^?+@!(\\\[]*)"
)


def _extglobs(segment: str) -> Iterator[tuple[str, str]]:
    """A segment in pieces: `("", text)`, or an extglob's kind and its branches with commas.

    `!(a).` and `!(a)*` have kinds of their own: Nx reads the character as part of them.
    """
    piece = re.compile(_PIECE, re.DOTALL)
    at = 0
    while at < len(segment):
        found = piece.match(segment, at)
        if found is None:
            raise ValueError(f"a group is never closed: {segment}")
        opening, branches, optional = found.groups()
        at = found.end()
        if opening:
            kind = opening[0]
            if kind == "!" and segment[at : at + 1] in (".", "*"):
                kind += segment[at]
                at += 1
            yield kind, branches.replace("|", ",")
        elif optional is not None:
            yield "?", optional.replace("|", ",")
        else:
            yield "", found[0]


class _Globset:
    """Reads one plain glob the way the Rust crate `globset` does."""

    def __init__(self, glob: str) -> None:
        self._glob = glob
        self._at = 0
        # One list of branches for each open brace, and one for the glob itself.
        self._open: list[list[Tree]] = [[[]]]

    def tree(self) -> Tree:
        glob = self._glob
        while self._at < len(glob):
            char = glob[self._at]
            self._at += 1
            tree = self._open[-1][-1]
            if char == "?":
                tree.append(ANY_CHAR)
            elif char == "*":
                self._stars(tree)
            elif char == "[":
                tree.append(self._class())
            elif char == "{":
                if len(self._open) > _MAX_DEPTH:
                    raise ValueError("the pattern nests too deep")
                self._open.append([[]])
            elif char == "}":
                if len(self._open) == 1:
                    raise ValueError(f"a brace closes that was never opened: {glob}")
                # An empty branch is no branch, but a brace of them still stands before a `**`.
                branches = [b for b in self._open.pop() if any(n is not _NOTHING for n in b)]
                self._open[-1][-1].append(Group("@", branches) if branches else _NOTHING)
            elif char == "," and len(self._open) > 1:
                self._open[-1].append([])
            elif char == "\\":
                if self._at == len(glob):
                    raise ValueError(f"a backslash escapes nothing: {glob}")
                add_text(tree, glob[self._at])
                self._at += 1
            else:
                add_text(tree, char)
        if len(self._open) > 1:
            raise ValueError(f"a brace is never closed: {glob}")
        tree = self._open[0][0]
        return [_ANYTHING] if tree == [_ANY_PARENT] else tree

    def _stars(self, tree: Tree) -> None:
        glob, at = self._glob, self._at
        if not glob.startswith("*", at):
            tree.append(STAR)
            return
        self._at += 1
        before, after = glob[max(at - 2, 0) : at - 1], glob[at + 1 : at + 2]
        nested = len(self._open) > 1
        ends = not after or (nested and after in ",}")
        if not tree:
            if after in ("", "/"):
                tree.append(_ANY_PARENT)
                self._at += 1
            else:
                tree.append(STAR)
        elif before not in (("/", "{", ",") if nested else ("/",)) or not (ends or after == "/"):
            tree.append(STAR)
        elif tree[-1] in (_ANY_PARENT, _BELOW):
            # A `**` after another one adds nothing.
            self._at += after == "/"
        else:
            # Any other takes in the slash before it.
            slashed = tree.pop()
            if isinstance(slashed, Text) and len(slashed.text) > 1:
                tree.append(Text(slashed.text[:-1]))
            tree.append(_BELOW if ends else _ANY_DEPTH)
            self._at += not ends

    def _class(self) -> Node:
        found = re.compile(r"([!^]?+)(\]?+[^\]]*)\]").match(self._glob, self._at)
        if found is None:
            raise ValueError(f"a class is never closed: {self._glob}")
        self._at = found.end()
        # Of `a-b-c`, it is the range from `a` to `c`.
        ranges = re.findall("(.)((?:-.)*)", found[2], re.DOTALL)
        if any(high < low for low, highs in ranges for high in highs[1::2]):
            raise ValueError(f"a range runs backwards: {self._glob}")
        return char_class([(low, highs[-1:] or low) for low, highs in ranges], bool(found[1]))
