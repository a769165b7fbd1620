"""What goes to a terminal: colours only there, and names that can't play tricks on it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TextIO

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def colours(stream: TextIO) -> bool:
    """Whether `stream` shows colours: a terminal, and NO_COLOR not set (no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def style(text: str, name: str, stream: TextIO) -> str:
    return f"\x1b[{_STYLES[name]}m{text}\x1b[0m" if colours(stream) else text


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


def warn(message: str, hint: str | None = None) -> None:
    """A warning on standard error, in the form of an error."""
    print(f"{style('ciforge: warning:', 'yellow', sys.stderr)} {escape(message)}", file=sys.stderr)
    if hint:
        print(f"  {escape(hint)}", file=sys.stderr)


def print_json(value: object) -> None:
    """One JSON document on standard output: sorted keys, UTF-8, a newline at its end."""
    import json

    # Through bytes: the output must not depend on the locale of the machine.
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    print_bytes(text.encode("utf-8", "backslashreplace") + b"\n")


def print_bytes(data: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def print_lines(lines: Iterable[str]) -> None:
    """Lines on standard output as UTF-8, whatever the locale."""
    sys.stdout.flush()
    for line in lines:
        sys.stdout.buffer.write(line.encode("utf-8", "backslashreplace") + b"\n")
    sys.stdout.buffer.flush()
