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


@given(st.text())
def test_any_text_is_answered(text: str) -> None:
    assert seconds(text) is None or seconds(text) != 0
