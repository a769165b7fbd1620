"""Durations by name."""

from __future__ import annotations

from ciforge.simulate.durations import Durations


def test_the_exact_name_then_the_name_in_the_file_then_the_longest_pattern() -> None:
    known = Durations({"t: [a]": 1, "t": 2, "s*": 3, "smoke *": 4, "*": 5, "[x": 6})
    assert known.of("t: [a]", "t") == 1
    assert known.of("t: [b]", "t") == 2
    assert known.of("smoke gpu", "smoke gpu") == 4
    assert known.of("start", "start") == 3
    assert known.of("other", "other") == 5
    assert known.of("[x", "[x") == 6


def test_unknown() -> None:
    assert Durations().of("a", "a") is None
