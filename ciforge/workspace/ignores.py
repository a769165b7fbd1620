"""Paths that `.gitignore` and `.nxignore` keep out of what Nx sees.

Nx asks the npm module `ignore` 7, not git, and the two differ: this one is
case-insensitive. `pathspec` follows git, so its answers would have to be corrected rule by
rule; a rule is a short grammar, and is read here.
"""

from __future__ import annotations

from collections.abc import Callable

from ciforge.workspace.globs.tree import (
    ANY_CHAR,
    NEVER,
    STAR,
    CharClass,
    Node,
    Regex,
    Text,
    Tree,
    tree_source,
)

# Whether it brings back, whether it is for the whole path, its regular expression.
_Rule = tuple[bool, bool, str]
# The `match` of a compiled pattern.
_Match = Callable[..., object]

_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": " \\t",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "!-.0-~",
    "lower": "a-z",
    "print": " -.0-~",
    "punct": "!-.:-@\\[-`{-~",
    "space": " \\t\\n\\r",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
_END = "(?=\\Z|/\\Z)"


class Ignores:
    """What is ignored by the texts of the root `.gitignore` and `.nxignore`, read in this order.

    Later rules win, `!` brings back, and nothing brings back what lies in an ignored
    directory. Letters match in either case.
    """

    def __init__(self, gitignore: str, nxignore: str) -> None:
        rules: list[_Rule] = []
        for text in (gitignore, nxignore):
            for line in text.replace("\r\n", "\n").split("\n"):
                rule = _rule(line)
                if rule is not None:
                    rules.append(rule)
        self._steps = _merge(rules)
        self._directories: dict[str, bool] = {}

    def ignores(self, path: str) -> bool:
        """Whether `path` is ignored: relative to the workspace, a directory ending with `/`.

        Raises ValueError for a path that is empty, absolute, or starts with `.` or `..`.
        """
        if not path or path[0] == "/" or path in (".", "..") or path.startswith(("./", "../")):
            raise ValueError(f"not a path relative to the workspace: {path!r}")
        return bool(self._steps) and self._ignores(path)

    def _ignores(self, path: str) -> bool:
        # Found from the top, so that a deep path costs no stack.
        parents: list[str] = []
        parent = _parent(path)
        while parent and parent not in self._directories:
            parents.append(parent)
            parent = _parent(parent)
        ignored = self._directories[parent] if parent else False
        for directory in reversed(parents):
            ignored = ignored or self._test(directory)
            self._directories[directory] = ignored
        return ignored or self._test(path)

    def _test(self, path: str) -> bool:
        ignored = False
        name = path.rfind("/", 0, len(path) - 1) + 1
        for brings_back, by_name, by_path in self._steps:
            if brings_back != ignored:
                continue
            if (by_name and by_name(path, name)) or (by_path and by_path(path)):
                ignored = not ignored
        return ignored


def _parent(path: str) -> str:
    if "//" in path:
        names = [name for name in path.split("/") if name][:-1]
        return "/".join(names) + "/" if names else ""
    return path[: path.rfind("/", 0, len(path) - 1) + 1]


def _merge(rules: list[_Rule]) -> list[tuple[bool, _Match | None, _Match | None]]:
    """For every run of rules that do the same, how to match the last name and the whole path."""
    if not rules:
        return []
    import re
    from itertools import groupby

    def either(sources: list[str]) -> _Match | None:
        return re.compile("|".join(sources), re.IGNORECASE).match if sources else None

    steps = []
    for brings_back, run in groupby(rules, key=lambda rule: rule[0]):
        sources = [(by_path, source) for _, by_path, source in run]
        names = [source for by_path, source in sources if not by_path]
        paths = [source for by_path, source in sources if by_path]
        steps.append((brings_back, either(names), either(paths)))
    return steps


def _rule(line: str) -> _Rule | None:
    """The rule of a line, or None if it has none."""
    if line.endswith("\\") and not line.endswith("\\\\"):
        return None
    line = line.removeprefix("\ufeff")
    if line.startswith("#"):
        return None
    brings_back = line.startswith("!")
    body = _trim(line[brings_back:])
    if body.startswith(("\\!", "\\#")):
        # The text from here on is read as if the character had stood there by itself.
        body = body[1:]
    if not body:
        return None
    # A slash before the end ties a rule to the root; without one it is for any last name.
    by_path = body.startswith("/") or "/" in body[:-1]
    return brings_back, by_path, tree_source(_tree(body))


def _trim(body: str) -> str:
    if body[-1:] not in (" ", "\r"):
        return body
    body = body.rstrip("\r")
    bare = body.rstrip(" ")
    if bare == body:
        return body
    slashes = len(bare) - len(bare.rstrip("\\"))
    return bare[:-1] + " " if slashes % 2 else bare


def _tree(body: str) -> Tree:
    tree: Tree = []
    at = 1 if body.startswith("/") else 0
    deep = at
    while body.startswith("**/", deep):
        deep += 3
    if deep > at:
        tree.append(Regex("(?:.*/)?"))
        at = deep
    end = len(body)
    while at < end:
        char = body[at]
        if body.startswith("/**", at) and (at + 3 == end or body[at + 3] == "/"):
            rest = body[at + 3 :]
            at += 3
            if not rest:
                return [*tree, Text("/"), Regex(f".+{_END}")]
            node = Regex("(?:/[^/]+)+" if rest == "/" else "(?:/[^/]+)*")
            if not (tree and tree[-1] == node):
                tree.append(node)
            continue
        at += 1
        if char == "*":
            # Only behind a slash must a last `*` match something.
            if at == end:
                after_slash = len(body) > 1 and body[at - 2] == "/" and bool(tree)
                return [*tree, *([ANY_CHAR] if after_slash else []), STAR, Regex(_END)]
            if not (tree and tree[-1] is STAR):
                tree.append(STAR)
        elif char == "?":
            tree.append(ANY_CHAR)
        elif char == "\\":
            if at == end or (at == end - 1 and body[at] == "/"):
                tree.append(NEVER)
            else:
                tree.append(Text(body[at]))
            at += 1
        elif char == "[":
            member, at = _class(body, at)
            tree.append(member)
        else:
            tree.append(Text(char))
    tree.append(Regex("\\Z" if tree and body.endswith("/") else _END))
    return tree


def _class(body: str, at: int) -> tuple[Node, int]:
    """The class whose `[` is before `at`, and where it ends; one git gives up on never matches."""
    import re

    dead = (NEVER, len(body))
    negated = body[at : at + 1] in ("!", "^")
    at += negated
    source = ""
    low = ""
    while True:
        char = body[at : at + 1]
        if not char:
            return dead
        if char == "\\":
            at += 1
            low = body[at : at + 1]
            if not low:
                return dead
            source += re.escape(low)
        elif char == "-" and low and body[at + 1 : at + 2] not in ("", "]"):
            at += 1 + (body[at + 1] == "\\")
            high = body[at : at + 1]
            # Of a range that runs backwards the first character is left.
            if low <= high:
                source += f"-{re.escape(high)}"
            low = ""
        elif char == "[" and body[at + 1 : at + 2] == ":":
            close = body.find("]", at + 2)
            if close < 0:
                return dead
            if close > at + 2 and body[close - 1] == ":":
                named = _POSIX.get(body[at + 2 : close - 1])
                if named is None:
                    return dead
                source += named
                low = ""
                at = close
            else:
                source += "\\["
                low = "["
        else:
            source += re.escape(char)
            low = char
        at += 1
        if body[at : at + 1] == "]":
            shown = f"[^/{source}]" if negated else f"(?!/)[{source}]"
            return CharClass(shown, True), at + 1
