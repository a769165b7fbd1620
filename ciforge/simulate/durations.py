"""How long jobs take: what the user gives by name, and what the file says in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase

UNKNOWN = 60.0
"""Seconds of a job about which nothing is known."""

_UNITS = {
    "second": 1, "sec": 1, "s": 1, "minute": 60, "min": 60, "m": 60, "hour": 3600, "hr": 3600,
    "h": 3600, "day": 86400, "dy": 86400, "d": 86400, "week": 604800, "wk": 604800, "w": 604800,
    "month": 2592000, "mo": 2592000, "mth": 2592000, "mos": 2592000, "year": 31557600,
    "yr": 31557600, "y": 31557600,
}  # fmt: skip
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")


def seconds(text: object) -> int | None:
    """`1 hour 30 minutes`, `2h`, `90` or `1:30:00` in seconds; None where it is no duration."""
    words = str(text).strip().lower()
    if re.fullmatch(r"\d+(:\d{1,2}){1,2}", words):
        total = 0
        for part in words.split(":"):
            total = total * 60 + int(part)
        return total
    found = _PART.findall(words)
    lengths = [
        float(number) * (_UNITS.get(unit) or _UNITS.get(unit.rstrip("s")) or 0)
        if unit
        else float(number)
        for number, unit in found
    ]
    return round(sum(lengths)) if lengths and all(lengths) else None


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
