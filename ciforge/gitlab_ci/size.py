"""How much memory GitLab counts for a parsed file: 2 MiB and 100 levels are its limits.

GitLab adds up Ruby's `ObjectSpace.memsize_of` of every object, an alias as often as it is used
(lib/gitlab/utils/deep_size.rb). The sums here follow CRuby 3.3, where short strings live inside
their slot of 40 to 640 bytes. An estimate: near the limit only GitLab knows.
"""

from __future__ import annotations

from typing import Any

from ciforge.gitlab_ci.nodes import Reference

MAX_BYTES = 2 * 1024 * 1024
MAX_DEPTH = 100
_SLOTS = (40, 80, 160, 320, 640)
_HEADER = 25  # bytes of a slot that hold no text


class _TooBig(Exception):  # noqa: N818
    pass


def too_big(value: Any) -> str | None:
    """What is too much about a parsed document, or None."""
    try:
        _measure(value, 0, 0)
    except _TooBig as reason:
        return str(reason)
    return None


def _measure(value: Any, size: int, depth: int) -> int:
    """`size` with `value` and all inside it added."""
    if isinstance(value, str):
        return size + _text(value)
    if isinstance(value, Reference):
        return size + 40
    if not isinstance(value, dict | list):
        return size
    if depth >= MAX_DEPTH:
        raise _TooBig(f"nested more than {MAX_DEPTH} deep")
    if isinstance(value, dict):
        size += _hash(len(value))
        for key, inner in value.items():
            size = _measure(inner, _measure(key, size, depth), depth + 1)
    else:
        size += _array(len(value))
        for inner in value:
            size = _measure(inner, size, depth + 1)
    if size > MAX_BYTES:
        raise _TooBig("more than 2 MiB in GitLab's memory")
    return size


def _text(text: str) -> int:
    length = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    for slot in _SLOTS:
        if length <= slot - _HEADER:
            return slot
    return 40 + length + 1


def _hash(count: int) -> int:
    """Up to 8 entries live in the slot; more are a table with an index beside it."""
    if count <= 8:
        return 160
    entries = 1 << (count - 1).bit_length()
    width = 1 if entries <= 128 else 2 if entries <= 1 << 15 else 4
    return 160 + entries * 24 + (2 * entries * width if entries > 16 else 0)


def _array(count: int) -> int:
    return 40 if count <= 3 else 40 + 8 * max(16, 1 << (count - 1).bit_length())
