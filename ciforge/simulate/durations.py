"""How long jobs take, by name."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

UNKNOWN = 60.0
"""Seconds of a job about which nothing is known."""


class Durations:
    """Seconds by the name of a job: exact, by its name in the file, then the longest pattern."""

    def __init__(self, given: Mapping[str, float] | None = None) -> None:
        self._given = dict(given or {})
        self._patterns = sorted(
            (name for name in self._given if set("*?[") & set(name)),
            key=lambda name: (-len(name), name),
        )

    def of(self, name: str, base: str) -> float | None:
        """The duration of the job `name`, which is `base` in the file; None when unknown."""
        for known in (name, base):
            if known in self._given:
                return self._given[known]
        for pattern in self._patterns:
            if fnmatchcase(name, pattern) or fnmatchcase(base, pattern):
                return self._given[pattern]
        return None
