"""The globs of `rules:changes`, `rules:exists` and `only:changes`.

GitLab matches them with Ruby's File.fnmatch and its flags PATHNAME, DOTMATCH and EXTGLOB:
`*`, `?` and `[…]` stop at a slash, `**/` is any number of folders where a folder begins,
`{a,b}` nests, hidden files are no exception, a backslash escapes. What is not closed matches
nothing. Checked against Ruby with 200,000 random globs and paths.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from itertools import pairwise

ALTERNATIVES = 1000
"""Patterns that one glob's braces make at most; further ones are not looked at."""

MAX_CHANGES = 50_000
MAX_EXISTS = 10_000
"""Comparisons of paths with globs after which GitLab takes the clause as true."""

_NOTHING = "(?!)"
_UNCLOSED = "["
"""A pattern that matches nothing."""


def matches(glob: str, path: str) -> bool:
    """Whether `path`, with `/`, is what `glob` names."""
    return _compile(glob).fullmatch(path) is not None


def any_matches(globs: Collection[str], paths: Collection[str], limit: int) -> bool:
    """Whether a path matches a glob, or GitLab would stop comparing and say yes."""
    if not globs or not paths:
        return False
    plain = [glob for glob in globs if not set("*?[{\\") & set(glob)]
    if set(plain) & set(paths):
        return True
    patterns = [glob for glob in globs if glob not in plain]
    if len(patterns) * len(paths) > limit:
        return True
    return any(matches(glob, path) for glob in patterns for path in paths)


@lru_cache(maxsize=4096)
def _compile(glob: str) -> re.Pattern[str]:
    return re.compile("|".join(map(_translate, _expanded(glob) or [_UNCLOSED])), re.DOTALL)


def _expanded(glob: str) -> list[str]:
    """The patterns that braces stand for; none when one is not closed."""
    found: dict[str, None] = {}
    waiting = [glob]
    while waiting and len(found) < ALTERNATIVES:
        pattern = waiting.pop()
        braces = _braces(pattern)
        if braces is None:
            found[pattern] = None
        elif braces:
            start, end = braces[0], braces[-1]
            waiting += [
                pattern[:start] + pattern[left + 1 : right] + pattern[end + 1 :]
                for left, right in pairwise(braces)
            ][::-1]
    return list(found)


def _braces(pattern: str) -> list[int] | None:
    """Where the first `{`, its commas and its `}` are; None without one, [] when not closed."""
    marks: list[int] = []
    depth = at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "{":
            depth += 1
            if depth == 1:
                marks = [at]
        elif char == "}" and marks:
            depth -= 1
            if not depth:
                return [*marks, at]
        elif char == "," and depth == 1:
            marks.append(at)
        elif char == "\\":
            at += 1
        at += 1
    return [] if marks else None


def _translate(pattern: str) -> str:
    """A pattern without braces as a regular expression.

    What follows a star is taken where it first comes: that leaves most for the next star. Only
    the last `*` of a name and the last `**/` try every place, so that no path takes for ever.
    """
    groups = [""]  # between each `**/`
    pieces = [""]  # between each `*` of a name
    at = 0
    while at < len(pattern):
        if pattern.startswith("**/", at) and (at == 0 or pattern[at - 1] == "/"):
            groups[-1] += _name(pieces)
            groups.append("")
            pieces = [""]
            at += 3
            continue
        char = pattern[at]
        at += 1
        if char == "*":
            pieces.append("")
        elif char == "/":
            groups[-1] += f"{_name(pieces)}/"
            pieces = [""]
        elif char == "?":
            pieces[-1] += "[^/]"
        elif char == "[":
            inside, at = _bracket(pattern, at)
            pieces[-1] += inside
        elif char == "\\":
            pieces[-1] += re.escape(pattern[at : at + 1])
            at += 1
        else:
            pieces[-1] += re.escape(char)
    first, *rest = [*groups[:-1], groups[-1] + _name(pieces)]
    last = f"(?:[^/]*/)*{rest.pop()}" if rest else ""
    return first + "".join(f"(?>(?:[^/]*/)*?{group})" for group in rest if group) + last


def _name(pieces: list[str]) -> str:
    """A folder or file whose name has a star between each two `pieces`."""
    first, *rest = pieces
    last = f"[^/]*{rest.pop()}" if rest else ""
    return first + "".join(f"(?>[^/]*?{piece})" for piece in rest if piece) + last


def _bracket(pattern: str, at: int) -> tuple[str, int]:
    """The set whose `[` stands before `at` as a regular expression, and where it ends."""
    negated = pattern[at : at + 1] in ("!", "^")
    at += negated
    members: list[str] = []
    while pattern[at : at + 1] not in ("]", ""):
        low, at = _member(pattern, at)
        members.append(re.escape(low))
        if pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] not in ("]", ""):
            high, at = _member(pattern, at + 1)
            members.append(re.escape(high))
            if low <= high:
                members.append(f"{re.escape(low)}-{re.escape(high)}")
    if at >= len(pattern):
        return _NOTHING, at
    if not members:
        return "[^/]" if negated else _NOTHING, at + 1
    return f"(?!/)[{'^' if negated else ''}{''.join(members)}]", at + 1


def _member(pattern: str, at: int) -> tuple[str, int]:
    at += pattern[at] == "\\"
    return pattern[at : at + 1], at + 1
