"""JSON with comments and trailing commas, as nx.json, project.json and tsconfig use it."""

from __future__ import annotations

import re

# Unclosed ones end with their line, for the same reason as unclosed comments below.
_STRING = rb'"(?:[^"\\\n]|\\[^\n])*+"?'
# An unclosed comment reaches to the end: looking for its end again from each `/*` would take
# quadratic time.
_COMMENT = re.compile(_STRING + rb"|//[^\n]*|/\*(?:.*?\*/|.*)", re.DOTALL)
_TRAILING_COMMA = re.compile(_STRING + rb"|,(?=\s*[\]}])", re.DOTALL)
_VISIBLE = re.compile(rb"[^\n]")


def strip_comments(data: bytes) -> bytes:
    """Strict JSON of the same length and lines: what goes becomes blanks."""
    without = _COMMENT.sub(_blank, data.removeprefix(b"\xef\xbb\xbf"))
    return _TRAILING_COMMA.sub(_blank, without)


def _blank(match: re.Match[bytes]) -> bytes:
    text = match.group()
    return text if text.startswith(b'"') else _VISIBLE.sub(b" ", text)
