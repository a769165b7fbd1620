"""What goes to a terminal: colours only there, and names that can't play tricks on it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO

from ciforge.errors import OutsideError
from ciforge.text import escape, json_bytes, shorten

__all__ = [
    "escape",
    "print_bytes",
    "print_error",
    "print_json",
    "print_lines",
    "section",
    "style",
    "warn",
]

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def colours(stream: TextIO | None) -> bool:
    """Whether `stream` shows colours: a terminal, and NO_COLOR not set (no-color.org)."""
    if stream is None or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def style(text: str, name: str, stream: TextIO | None) -> str:
    return f"\x1b[{_STYLES[name]}m{text}\x1b[0m" if colours(stream) else text


def print_error(line: str) -> None:
    """A line on standard error; nowhere when that is closed."""
    if sys.stderr is not None:
        print(line, file=sys.stderr)


def warn(message: str, hint: str | None = None) -> None:
    """A warning on standard error, in the form of an error."""
    name = style("ciforge: warning:", "yellow", sys.stderr)
    print_error(f"{name} {shorten(escape(message))}")
    if hint:
        print_error(f"  {shorten(escape(hint))}")


@contextmanager
def section(name: str, title: str, write: Callable[[str], None]) -> Iterator[None]:
    """In a GitLab job a part of the log that can be folded; elsewhere nothing.

    `name`: letters, digits and '_'. `write` prints one line, as it is.
    """
    if not os.environ.get("GITLAB_CI"):
        yield
        return
    write(f"\x1b[0Ksection_start:{int(time.time())}:{name}\r\x1b[0K{escape(title)}")
    try:
        yield
    finally:
        write(f"\x1b[0Ksection_end:{int(time.time())}:{name}\r\x1b[0K")


def print_json(value: object) -> None:
    """One JSON document on standard output, in canonical form."""
    print_bytes(json_bytes(value))


def print_lines(lines: Iterable[str]) -> None:
    """Lines on standard output as UTF-8, whatever the locale."""
    print_bytes("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))


def print_bytes(data: bytes) -> None:
    """Bytes on standard output; nowhere when that is closed.

    Raises OutsideError when it can't be written (a full disk).
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _forget_output()
        raise OutsideError(
            f"standard output can't be written: {error.strerror}", hint="make room, or name -o FILE"
        ) from error


def _forget_output() -> None:
    """What is still buffered must not be written at the end: it would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
