"""What a CI file is made of once it is read: mappings and lists that know where they stand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple


class Position(NamedTuple):
    """Where something stands; `line` and `column` count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Refused(ValueError):  # noqa: N818 - a verdict of GitLab, not an error of ciforge
    """GitLab reads no further: what it says, where, and what to do.

    `rule` is a short name of the broken rule, `job` the job it is about.
    """

    def __init__(
        self,
        rule: str,
        message: str,
        position: Position,
        hint: str,
        job: str | None = None,
    ) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message
        self.position = position
        self.hint = hint
        self.job = job


class Map(dict[Any, Any]):
    """A mapping; `at` is its own place, `marks` that of each key.

    Merged or extended, each key keeps the place that it came from.
    """

    __slots__ = ("at", "marks")

    def __init__(self, at: Position) -> None:
        super().__init__()
        self.at = at
        self.marks: dict[Any, Position] = {}

    def put(self, key: Any, value: Any, mark: Position) -> None:
        self[key] = value
        self.marks[key] = mark

    def where(self, key: Any) -> Position:
        return self.marks.get(key, self.at)


class Seq(list[Any]):
    """A list; `marks` are the places of its items."""

    __slots__ = ("at", "marks")

    def __init__(self, at: Position) -> None:
        super().__init__()
        self.at = at
        self.marks: list[Position] = []

    def put(self, value: Any, mark: Position) -> None:
        self.append(value)
        self.marks.append(mark)

    def where(self, index: int) -> Position:
        return self.marks[index] if index < len(self.marks) else self.at


class Reference:
    """`!reference [job, key, …]`; `path` is None when it is none of only words."""

    __slots__ = ("at", "path", "shown")

    def __init__(self, path: tuple[str, ...] | None, shown: str, at: Position) -> None:
        self.path = path
        self.shown = shown
        self.at = at


def merge(base: Map, other: Map) -> Map:
    """`other` over `base`: mappings key by key, anything else replaced; neither is changed."""
    merged = Map(other.at)
    merged.update(base)
    merged.marks.update(base.marks)
    for key, value in other.items():
        old = merged.get(key)
        if isinstance(old, Map) and isinstance(value, Map):
            value = merge(old, value)
        merged.put(key, value, other.where(key))
    return merged


def flat(value: Any) -> Any:
    """A list with the lists inside it opened; anything else as it is."""
    if not isinstance(value, Seq) or not any(isinstance(item, Seq) for item in value):
        return value
    opened = Seq(value.at)
    for item, mark in _leaves(value):
        opened.put(item, mark)
    return opened


def _leaves(value: Seq) -> Iterable[tuple[Any, Position]]:
    for index, item in enumerate(value):
        if isinstance(item, Seq):
            yield from _leaves(item)
        else:
            yield item, value.where(index)
