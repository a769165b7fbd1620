"""Durations in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciforge.gitlab_ci.durations import DAY, HOUR, MINUTE, WEEK, seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3600", 3600),
        ("1 hour", HOUR),
        ("1h 30m", 1.5 * HOUR),
        ("1h30", HOUR + 30),
        ("90m", 90 * MINUTE),
        ("2 hours, 5 minutes and 3 seconds", 2 * HOUR + 5 * MINUTE + 3),
        ("1:30", 90),
        ("1:30:00", 1.5 * HOUR),
        ("one week", WEEK),
        ("twenty one days", 21 * DAY),
        ("day", DAY),
        ("1.5 hours", 1.5 * HOUR),
        ("3 mos 1 yr", 90 * DAY + 365 * DAY),
        ("0", None),
        ("0 minutes", None),
        ("", None),
        ("soon", None),
        ("-1 hour", None),
        ("1 fortnight", None),
        ("$TIMEOUT", None),
        ("1:2:3:4:5:6:7", None),
    ],
)
def test_what_a_text_says(text: str, expected: float | None) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize(
    ("word", "number"),
    [
        *[("one", 1), ("two", 2), ("three", 3), ("four", 4), ("five", 5), ("six", 6)],
        *[("seven", 7), ("eight", 8), ("nine", 9), ("ten", 10), ("eleven", 11), ("twelve", 12)],
        *[("thirteen", 13), ("fourteen", 14), ("fifteen", 15), ("sixteen", 16)],
        *[("seventeen", 17), ("eighteen", 18), ("nineteen", 19), ("twenty", 20)],
        *[("thirty", 30), ("forty", 40), ("fifty", 50), ("sixty", 60)],
        *[("seventy", 70), ("eighty", 80), ("ninety", 90)],
    ],
)
def test_every_word_for_a_number(word: str, number: int) -> None:
    assert seconds(f"{word} seconds") == number


@given(st.text())
def test_any_text_is_answered(text: str) -> None:
    assert seconds(text) is None or seconds(text) != 0
