"""The globs of `rules:changes`, `rules:exists` and `only:changes`.

GitLab matches them with Ruby's File.fnmatch and its flags PATHNAME, DOTMATCH and EXTGLOB:
`*`, `?` and `[…]` stop at a slash, `**/` is any number of folders where a folder begins,
`{a,b}` nests, hidden files are no exception, a backslash escapes.
"""

from __future__ import annotations

import re
from functools import lru_cache


def matches(glob: str, path: str) -> bool:
    """Whether `path`, with `/`, is what `glob` names."""
    return _compile(glob).fullmatch(path) is not None


@lru_cache(maxsize=4096)
def _compile(glob: str) -> re.Pattern[str]:
    return re.compile(_translate(glob, braces=_balanced(glob)), re.DOTALL)


def _balanced(glob: str) -> bool:
    depth = 0
    for char in re.sub(r"\\.", "", glob, flags=re.DOTALL):
        depth += (char == "{") - (char == "}")
        if depth < 0:
            return False
    return depth == 0


def _translate(glob: str, *, braces: bool) -> str:
    """`glob` as a regular expression; unbalanced braces mean themselves."""
    out: list[str] = []
    # Whether a folder begins here, and for each open brace whether one began before it.
    begins, outer = True, list[bool]()
    at = 0
    while at < len(glob):
        char = glob[at]
        at += 1
        if begins and glob.startswith("**/", at - 1):
            out.append("(?:[^/]+/)*")
            at += 2
            continue
        if braces and char == "{":
            out.append("(?:")
            outer.append(begins)
            continue
        if outer and char in ",}":
            out.append("|" if char == "," else ")")
            begins = outer[-1] if char == "," else False
            if char == "}":
                outer.pop()
            continue
        begins = char == "/"
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[" and (bracket := _bracket(glob, at)):
            inside, at = bracket
            out.append(f"(?!/){inside}")
        elif char == "\\" and at < len(glob):
            out.append(re.escape(glob[at]))
            at += 1
        else:
            out.append(re.escape(char))
    return "".join(out)


def _bracket(glob: str, at: int) -> tuple[str, int] | None:
    """The set whose `[` stands before `at` as a regular expression, and where it ends."""
    negated = glob[at : at + 1] in ("!", "^")
    at += negated
    members: list[str] = []
    while at < len(glob) and (glob[at] != "]" or not members):
        low, at = _member(glob, at)
        if glob[at : at + 1] == "-" and glob[at + 1 : at + 2] not in ("", "]"):
            high, at = _member(glob, at + 1)
            if low <= high:
                members.append(f"{re.escape(low)}-{re.escape(high)}")
            continue
        members.append(re.escape(low))
    if at >= len(glob) or not members:
        return None
    return f"[{'^' if negated else ''}{''.join(members)}]", at + 1


def _member(glob: str, at: int) -> tuple[str, int]:
    if glob[at] == "\\" and at + 1 < len(glob):
        return glob[at + 1], at + 2
    return glob[at], at + 1
