"""Reads the globs of minimatch 10.2 into trees."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ciforge.workspace.globs.braces import expand
from ciforge.workspace.globs.tree import (
    ANY_CHAR,
    NEVER,
    SLASH,
    STAR,
    CharClass,
    Group,
    Node,
    Not,
    Regex,
    Star,
    Text,
    Tree,
    add_text,
    char_class,
)

_MAX_DEPTH = 3
_MAX_NEGATIONS = 64

_TWO_STARS = Star("(?!(?:/|^)\\.{1,2}(?:\\Z|/)).")
_NO_DOTS = Regex("(?!(?:^|/)\\.\\.?(?:\\Z|/))")

_CLASS_BODY = r"([!^]?+)(\]?+(?:[^\]\\]++|\\.)*+)"
# What counts between extglobs: their beginning, the next branch, their end.
_TOKEN = rf"\\.?|\[{_CLASS_BODY}\]?|(?P<begin>[!?+*@]\()|(?P<next>\|)|(?P<end>\))"
_POSIX_CLASS = (
    r"\[:(alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|word|xdigit):\Z"
)


def read(pattern: str) -> list[Tree]:
    """One tree for each alternative of the braces. Raises ValueError as `minimatch` does."""
    return [Reader().path(text) for text in dict.fromkeys(expand(pattern))]


class Reader:
    """Reads a pattern without braces."""

    def __init__(self) -> None:
        self._negations = 0

    def path(self, pattern: str) -> Tree:
        segments = _tidy(pattern)
        if segments == ["**"]:
            return [_TWO_STARS]
        tree: Tree = []
        joint: Node | None = None
        is_folded = False
        for at, segment in enumerate(segments):
            if segment != "**":
                # makeRe() folds a segment into a `**` before it, and then drops one behind it.
                is_folded = at > 1 and joint is not SLASH
                tree += [joint, *self._segment(segment)] if joint else self._segment(segment)
                joint = SLASH
            elif at == 0:
                joint = Group("?", [[SLASH], [_TWO_STARS, SLASH]])
            elif not is_folded and at == len(segments) - 1:
                tree.append(Group("?", [[SLASH], [SLASH, _TWO_STARS]]))
            elif not is_folded:
                joint = Group("@", [[SLASH], [SLASH, _TWO_STARS, SLASH]])
        return tree

    def _segment(self, text: str) -> Tree:
        self._negations = 0
        if re.fullmatch(r"[?*+@]\(\|*\)", text):
            return [Text(text)]
        if not any(_extglobs(text)):
            return _without_dots(_alone(text))
        return _without_dots(self._sequence(text, "", True))

    def _sequence(self, text: str, beyond: str, start: bool) -> Tree:
        """The tree of a piece of a segment, with the text `beyond` up to the segment's end."""
        tree: Tree = []
        at = 0
        for begin, branches, end in _extglobs(text):
            start = start and begin == at
            tree += _plain(text[at:begin])
            tree += self._extglob(text[begin], branches, text[end:] + beyond, start)
            start = start and text[begin] == "!"
            at = end
        return tree + _plain(text[at:])

    def _extglob(self, kind: str, branches: list[str], following: str, start: bool) -> Tree:
        if kind != "!":
            return [Group(kind, [self._sequence(b, following, start) for b in branches])]
        # minimatch looks at the last piece only: `!(a|)` counts as empty too.
        if branches[-1] == "" or branches[-1].endswith(")"):
            return [ANY_CHAR, STAR]
        self._negations += 1
        if self._negations > _MAX_NEGATIONS:
            raise ValueError("the pattern has too many negations")
        return [Not([self._negated(branch, following, start) for branch in branches]), STAR]

    def _negated(self, branch: str, following: str, start: bool) -> Tree:
        # What follows is part of what must not match: `!(a)b` takes `ab` for `a` and `b`.
        if start and not any(_extglobs(branch + following)):
            return _alone(branch) + _alone(following)
        return self._sequence(branch + following, "", start)


def _tidy(pattern: str) -> list[str]:
    """The segments, without those that repeat `**`, are empty inside, or that `..` undoes."""
    first, *rest = pattern.split("/")
    out = [first]
    for at, segment in enumerate(rest, 1):
        last = out[-1] if out else ""
        if (segment == "**" and last == "**") or (not segment and at < len(rest)):
            continue
        if segment == ".." and last and last not in ("..", ".", "**"):
            out.pop()
        else:
            out.append(segment)
    return out or [""]


def _without_dots(tree: Tree) -> Tree:
    """A segment that does not match `.` or `..` by a wildcard at its beginning."""
    match tree:
        case [CharClass() | Star(), *_] | [Text("." | ".."), CharClass() | Star(), *_]:
            return [_NO_DOTS, *tree]
        case [Group(kind, branches), *rest]:
            return [Group(kind, list(map(_without_dots, branches))), *rest]
        case [Not(branches), *rest]:
            return [Not(list(map(_without_dots, branches))), *rest]
    return tree


def _extglobs(text: str) -> Iterator[tuple[int, list[str], int]]:
    """The outermost extglobs: where each begins, its branches, and where it ends.

    One that never closes is no extglob, and all that follows is plain glob.
    """
    depth = begin = branch = 0
    branches: list[str] = []
    for token in re.finditer(_TOKEN, text, re.DOTALL):
        at = token.start()
        if token["begin"]:
            depth += 1
            if depth > _MAX_DEPTH:
                raise ValueError("the extglobs of the pattern nest too deep")
            if depth == 1:
                begin, branch, branches = at, token.end(), []
        elif depth and (token["next"] or token["end"]):
            if depth == 1:
                branches.append(text[branch:at])
                branch = token.end()
            if token["end"]:
                depth -= 1
                if not depth:
                    yield begin, branches, token.end()


def _alone(glob: str) -> Tree:
    """A piece in a segment without extglobs: if it is but stars, they match something."""
    return [ANY_CHAR, STAR] if glob and not glob.strip("*") else _plain(glob)


def _plain(glob: str) -> Tree:
    """The tree of a piece without extglobs."""
    tree: Tree = []
    at = 0
    while at < len(glob):
        char = glob[at]
        at += 1
        if char == "[" and (found := re.compile(f"{_CLASS_BODY}\\]", re.DOTALL).match(glob, at)):
            node = _class(bool(found[1]), found[2])
            at = found.end()
            if isinstance(node, Text):
                add_text(tree, node.text)
            else:
                tree.append(node)
        elif char == "*":
            if not (tree and isinstance(tree[-1], Star)):
                tree.append(STAR)
        elif char == "?":
            tree.append(ANY_CHAR)
        elif char == "\\" and at < len(glob):
            add_text(tree, glob[at])
            at += 1
        else:
            add_text(tree, char)
    return tree


def _class(negated: bool, body: str) -> Node:
    """A range that runs backwards is dropped; a class left with nothing matches nothing."""
    if re.search(_POSIX_CLASS, body):
        raise ValueError("a class such as [:alpha:] is not supported")
    found = re.findall(r"\\?(.)(?:-\\?(.))?", body, re.DOTALL)
    ranges = [(low, high or low) for low, high in found if not high or low <= high]
    if not ranges:
        return NEVER
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1] and not negated:
        return Text(ranges[0][0])
    return char_class(ranges, negated)
