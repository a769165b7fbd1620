"""The difference of two JSON documents in the shape on which Nx's rules are written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

ABSENT: Any = type("Absent", (), {"__repr__": lambda _: "ABSENT", "__bool__": lambda _: False})()


@dataclass(frozen=True)
class JsonChange:
    """One changed path; `before` or `after` is ABSENT for an addition or a deletion."""

    kind: Literal["added", "deleted", "modified"]
    path: tuple[str, ...]
    before: Any
    after: Any


def parse_strict(text: str) -> Any:
    """Parses strict JSON. Raises ValueError for comments, NaN, a byte-order mark, …"""

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def diff_json(before: Any, after: Any) -> list[JsonChange]:
    """Every path deleted or modified (containers included), then every path added.

    Arrays are walked by index, as Nx does: an element put in front changes all behind it.
    """
    old = dict(_walk(before, ()))
    new = dict(_walk(after, ()))
    changes = []
    for path, value in old.items():
        if path not in new:
            changes.append(JsonChange("deleted", path, value, ABSENT))
        elif not _equal(value, new[path]):
            changes.append(JsonChange("modified", path, value, new[path]))
    changes += [
        JsonChange("added", path, ABSENT, value) for path, value in new.items() if path not in old
    ]
    return changes


def _walk(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All paths below `value` with their values, parents first, without recursion."""
    stack: list[Iterator[tuple[tuple[str, ...], Any]]] = [_children(value, path)]
    while stack:
        for child_path, child in stack[-1]:
            yield child_path, child
            if isinstance(child, dict | list):
                stack.append(_children(child, child_path))
                break
        else:
            stack.pop()


def _children(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    items = (
        value.items()
        if isinstance(value, dict)
        else ((str(i), v) for i, v in enumerate(value))
        if isinstance(value, list)
        else ()
    )
    return (((*path, key), child) for key, child in items)


def _equal(a: Any, b: Any) -> bool:
    """JSON equality: 1 equals 1.0, but not true (Python's `==` would say so)."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    return bool(a == b)
