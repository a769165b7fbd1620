"""Paths that `.gitignore` and `.nxignore` keep out of what Nx sees.

Nx asks the npm module `ignore` 7, not git, and the two differ: this one is
case-insensitive. `pathspec` follows git, so its answers would have to be corrected rule by
rule; a rule is a short grammar, and is read here.
"""

from __future__ import annotations

from ciforge.workspace.globs import Node, Tree, tree_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re

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
_ONE: Node = ("one", "[^/]", True)
_STAR: Node = ("run", "[^/]", 0)
_STAR_SOME: Node = ("run", "[^/]", 1)
_END = "(?=\\Z|/\\Z)"
_NEVER: Node = ("assert", "(?!)")


class Ignores:
    """What is ignored by the texts of the root `.gitignore` and `.nxignore`, read in this order.

    Later rules win, `!` brings back, and nothing brings back what lies in an ignored
    directory. Letters match in either case.
    """

    def __init__(self, gitignore: str, nxignore: str) -> None:
        rules: list[tuple[bool, str]] = []
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
        for brings_back, rules in self._steps:
            if brings_back == ignored and rules.search(path):
                ignored = not ignored
        return ignored


def _parent(path: str) -> str:
    if "//" in path:
        names = [name for name in path.split("/") if name][:-1]
        return "/".join(names) + "/" if names else ""
    return path[: path.rfind("/", 0, len(path) - 1) + 1]


def _merge(rules: list[tuple[bool, str]]) -> list[tuple[bool, re.Pattern[str]]]:
    """One regular expression for every run of rules that do the same."""
    if not rules:
        return []
    import re
    from itertools import groupby

    return [
        (brings_back, re.compile("|".join(source for _, source in run), re.IGNORECASE))
        for brings_back, run in groupby(rules, key=lambda rule: rule[0])
    ]


def _rule(line: str) -> tuple[bool, str] | None:
    """Whether the rule of a line brings back, and its regular expression; None for no rule."""
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
    return brings_back, _source(body)


def _trim(body: str) -> str:
    if body[-1:] not in (" ", "\r"):
        return body
    body = body.rstrip("\r")
    bare = body.rstrip(" ")
    if bare == body:
        return body
    slashes = len(bare) - len(bare.rstrip("\\"))
    return bare[:-1] + " " if slashes % 2 else bare


def _source(body: str) -> str:
    tree = _tree(body)
    anchored = body.startswith("/") or "/" in body[:-1]
    start = "^" if anchored else "(?:^|/)"
    return f"{start}{tree_source(tree)}"


def _tree(body: str) -> Tree:
    tree: Tree = []
    at = 1 if body.startswith("/") else 0
    deep = at
    while body.startswith("**/", deep):
        deep += 3
    if deep > at:
        tree.append(("assert", "(?:.*/)?"))
        at = deep
    end = len(body)
    while at < end:
        char = body[at]
        if body.startswith("/**", at) and (at + 3 == end or body[at + 3] == "/"):
            rest = body[at + 3 :]
            at += 3
            if not rest:
                return [*tree, ("text", "/"), ("assert", f".+{_END}")]
            node: Node = ("assert", "(?:/[^/]+)+" if rest == "/" else "(?:/[^/]+)*")
            if not (tree and tree[-1] == node):
                tree.append(node)
            continue
        at += 1
        if char == "*":
            # Only behind a slash must a last `*` match something.
            if at == end:
                after_slash = len(body) > 1 and body[at - 2] == "/" and bool(tree)
                return [*tree, _STAR_SOME if after_slash else _STAR, ("assert", _END)]
            if not (tree and tree[-1] == _STAR):
                tree.append(_STAR)
        elif char == "?":
            tree.append(_ONE)
        elif char == "\\":
            if at == end or (at == end - 1 and body[at] == "/"):
                tree.append(_NEVER)
            else:
                tree.append(("text", body[at]))
            at += 1
        elif char == "[":
            member, at = _class(body, at)
            tree.append(member)
        else:
            tree.append(("text", char))
    tree.append(("assert", "\\Z" if tree and body.endswith("/") else _END))
    return tree


def _class(body: str, at: int) -> tuple[Node, int]:
    """The class whose `[` is before `at`, and where it ends; one git gives up on never matches."""
    import re

    dead = (_NEVER, len(body))
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
            return ("one", shown, True), at + 1
