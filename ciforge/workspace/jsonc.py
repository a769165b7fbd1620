"""JSON with comments and trailing commas, as nx.json, project.json and tsconfig use it."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    rb'"(?:[^"\\\n]|\\.)*"'  # strings stay as they are
    rb"|//[^\n]*|/\*.*?\*/"  # comments
    rb"|,(?=(?:\s|//[^\n]*(?:\n|$)|/\*.*?\*/)*[\]}])",  # a comma before a closing bracket
    re.DOTALL,
)


def strip_comments(data: bytes) -> bytes:
    """Strict JSON of the same length and lines: what goes becomes blanks."""

    def replace(match: re.Match[bytes]) -> bytes:
        text = match.group()
        if text.startswith(b'"'):
            return text
        return re.sub(rb"[^\n]", b" ", text)

    return _TOKEN.sub(replace, data.removeprefix(b"\xef\xbb\xbf"))
