"""Text that leaves ciforge: names made harmless, JSON in one canonical form."""

from __future__ import annotations

import json
import re

_LONG = 1000
_CONTROL = re.compile("[\x7f-\x9f]")


def escape(text: str, *, keep_newlines: bool = False) -> str:
    """Control characters, and bytes that were no UTF-8, made visible: `\\n`, `\\x1b`.

    A project or file name may hold any of them; printed raw they could move the cursor or
    hide what follows.
    """
    if text.isprintable():
        return text
    return "".join(
        c
        if c.isprintable() or (keep_newlines and c == "\n")
        else c.encode("unicode_escape", "surrogatepass").decode("ascii")
        for c in text
    )


def shorten(text: str) -> str:
    """A line that is far longer than anybody reads, cut in its middle."""
    return text if len(text) <= _LONG else f"{text[: _LONG - 100]} … {text[-90:]}"


def json_bytes(value: object) -> bytes:
    """Indented JSON with sorted keys and a newline at its end.

    UTF-8, but for what a terminal or reader could stumble over: control characters, and bytes
    of file names that are no UTF-8, stand as `\\uXXXX`.
    """
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    text = _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return text.encode("utf-8", "backslashreplace") + b"\n"
