"""Durations in words, as GitLab reads them: `1 hour 30 minutes`, `90m`, `1:30:00`, `3600`.

Source: the chronic_duration library that GitLab uses, which refuses unknown words.
"""

from __future__ import annotations

import re

MINUTE, HOUR, DAY = 60, 3600, 86400
WEEK = 7 * DAY
MAX_TIMEOUT = 2629746
"""Seconds of a job's longest timeout, GitLab's `1.month`."""

_NUMBER = re.compile(r"[0-9]*\.?[0-9]+")
_CLOCK = re.compile(r"[0-9]*\.?[0-9]+(:[0-9]*\.?[0-9]+)+")
_CLOCK_UNITS = (1, MINUTE, HOUR, DAY, 30 * DAY, 365 * DAY)
_LONGEST = 500  # characters; the patterns here take their square in time
_JOIN = frozenset({"and", "with", "plus"})
_UNITS = {
    word: seconds
    for seconds, words in {
        1: "seconds second secs sec s",
        MINUTE: "minutes minute mins min m",
        HOUR: "hours hour hrs hr h",
        DAY: "days day dy d",
        WEEK: "weeks week wks wk w",
        30 * DAY: "months mos month mo",
        365 * DAY: "years year yrs yr y",
    }.items()
    for word in words.split()
}
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_DIGITS = {word: number for number, word in enumerate(_ONES.split())}
_TENS = {
    word: 10 * number
    for number, word in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2
    )
}

_WRITTEN_TENS = frozenset(str(number) for number in _TENS.values())
_WRITTEN_DIGITS = frozenset(str(number) for number in _DIGITS.values())


def seconds(text: str) -> float | None:
    """How long `text` says, or None when it says nothing that GitLab understands, or zero."""
    if len(text) > _LONGEST:
        return None
    words = _words_to_numbers(text.lower())
    if _CLOCK.search(words.replace(" ", "")):
        return _clock(words.replace(" ", ""))
    total = 0.0
    number: float | None = None
    started = False
    for word in _NUMBER.sub(lambda match: f" {match[0]} ", words).split():
        if _NUMBER.search(word):
            if not _NUMBER.fullmatch(word):
                return None
            total += number or 0  # a number without a unit counts seconds
            number = float(word)
        else:
            unit = word.removeprefix(",").removesuffix(",")
            if unit in _UNITS:
                if number is None and not started:
                    number = 1
                total += (number or 0) * _UNITS[unit]
                number = None
            elif unit not in _JOIN:
                return None
            else:
                continue
        started = True
    return total + (number or 0) or None


def _clock(text: str) -> float | None:
    parts = text.split(":")
    if len(parts) > len(_CLOCK_UNITS) or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    pairs = zip(reversed(parts), _CLOCK_UNITS, strict=False)
    return sum(float(part) * unit for part, unit in pairs) or None


def _words_to_numbers(text: str) -> str:
    """Number words as digits: `twenty one` becomes `21`."""
    result: list[str] = []
    for word in re.split(r"[\s-]+", text) if re.search(r"[a-z]-[a-z]", text) else text.split():
        if word in _DIGITS:
            if result and result[-1] in _WRITTEN_TENS:
                result[-1] = str(int(result[-1]) + _DIGITS[word])
            else:
                result.append(str(_DIGITS[word]))
        elif word in _TENS:
            result.append(str(_TENS[word]))
        elif word in ("a", "an"):
            result.append("1")
        elif word == "hundred" and result and result[-1] in _WRITTEN_DIGITS:
            result[-1] += "00"
        else:
            result.append(word)
    return " ".join(result)
