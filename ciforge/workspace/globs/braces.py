"""Brace expansion as bash, and with it minimatch, does it: `{a,b}` and `{1..3}`."""

from __future__ import annotations

import re

from ciforge.workspace.globs.tree import check_alternatives

_MAX_BRACES = 100

# Stand for an escaped \ { } , . while braces are expanded: no text has half a surrogate pair.
_HIDE = {"\\": "\udc00", "{": "\udc01", "}": "\udc02", ",": "\udc03", ".": "\udc04"}
_SHOW = str.maketrans({hidden: char for char, hidden in _HIDE.items()})


def expand(pattern: str) -> list[str]:
    """The alternatives of a pattern, in order; all that is no closed brace stays as it is.

    Raises ValueError for more than 100 braces, or for too many alternatives.
    """
    if not re.search(r"\{[^{]*\}", pattern):
        return [pattern]
    if pattern.count("{") + pattern.count("}") > 2 * _MAX_BRACES:
        raise ValueError("the pattern has too many braces")
    if pattern.startswith("{}"):
        pattern = f"\\{{\\}}{pattern[2:]}"
    hidden = re.sub(r"\\([\\{},.])", lambda m: _HIDE[m[1]], pattern)
    return [text.translate(_SHOW) for text in _expand(hidden) if text]


def closing(text: str, at: int) -> int:
    """Where the brace that opens at `at` closes, or -1."""
    depth = 0
    for found in re.compile("[{}]").finditer(text, at):
        depth += 1 if found[0] == "{" else -1
        if not depth:
            return found.start()
    return -1


def split_commas(body: str) -> list[str]:
    """The parts between commas that are not inside braces."""
    parts = [""]
    at = 0
    while at < len(body):
        end = at + 1
        if body[at] == "{":
            end = max(closing(body, at) + 1, end)
        if body[at] == ",":
            parts.append("")
        else:
            parts[-1] += body[at:end]
        at = end
    return parts


def _expand(text: str) -> list[str]:
    begin = text.find("{")
    while begin >= 0 and closing(text, begin) < 0:
        begin = text.find("{", begin + 1)
    if begin < 0:
        return [text]
    end = closing(text, begin)
    head, body, rest = text[:begin], text[begin + 1 : end], text[end + 1 :]
    if head.endswith("$"):
        values = [f"{{{body}}}"]
    elif re.fullmatch(r"(?:-?[0-9]+\.\.-?[0-9]+|[a-zA-Z]\.\.[a-zA-Z])(?:\.\.-?[0-9]+)?", body):
        values = _sequence(body)
    elif "," in body:
        options = split_commas(body)
        values = [value for option in options for value in _expand(option)]
        if len(options) == 1:
            values = [f"{{{value}}}" for value in values]
    elif re.search(r",(?!,).*\}", rest):
        # As in bash, `{a},b}` is `a}` and `b`.
        return _expand(f"{head}{{{body}{_HIDE['}']}{rest}")
    else:
        return [text]
    tails = _expand(rest)
    check_alternatives(len(values) * len(tails), len(text))
    return [f"{head}{value}{tail}" for value in values for tail in tails]


def _sequence(body: str) -> list[str]:
    first, last, *steps = body.split("..")
    letters = first.isalpha()
    low, high = (ord(f) if letters else int(f) for f in (first, last))
    step = max(abs(int(steps[0])), 1) if steps else 1
    numbers = range(low, high - 1, -step) if high < low else range(low, high + 1, step)
    check_alternatives(len(numbers), len(body))
    if letters:
        return ["" if n == ord("\\") else chr(n) for n in numbers]
    is_padded = any(re.match("-?0[0-9]", field) for field in (first, last, *steps))
    return [f"{n:0{max(len(first), len(last)) if is_padded else 0}d}" for n in numbers]
