"""The two glob dialects, against what minimatch and the native module of Nx 24 answered."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ciforge.workspace import globs
from ciforge.workspace.globs import minimatch, nx_glob_set

RECORD: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "data" / "globs.json").read_text()
)
HOSTILE = [
    "{" * 10_000,
    "{" * 5_000 + "}" * 5_000,
    "{" * 300 + "a,b" + "}" * 300,
    "{a,b}" * 2_000,
    "{a}" + "}" * 5_000 + ",z}",
    "{1..100000}",
    "[" * 10_000,
    "(" * 10_000,
    "+(" * 5_000,
    "+(" * 3_000 + "a" + ")" * 3_000,
    "@(a|" * 3_000,
    "!(a)" * 500,
    "!(a|" * 500,
    "?(a)" * 1_000,
    "+(a|aa)" * 20,
    "+(*a|*b)" * 5,
    "a{,b}" * 20,
    "*a" * 5_000,
    "*{a,b}" * 9,
    "*[ab]" * 40,
    "**/" * 3_000 + "a",
    "**/*/" * 50 + "x",
    "?" * 10_000,
    "\\" * 10_001,
    "a" * 70_000,
]
texts = st.text("ab./-*", max_size=8)
patterns = st.text("ab./-*?[]{}()!|,\\+@#1é😀", max_size=16)


@pytest.mark.parametrize("case", RECORD["minimatch"], ids=lambda c: c["pattern"][:40])
def test_minimatch_answers_as_recorded(case: dict[str, Any]) -> None:
    if case["matched"] is None:
        with pytest.raises(ValueError):
            minimatch(case["pattern"])
        return
    matches = minimatch(case["pattern"]).matches
    assert [text for text in case["texts"] if matches(text)] == case["matched"]


@pytest.mark.parametrize("case", RECORD["nx"], ids=lambda c: " ".join(c["patterns"])[:40])
def test_the_native_engine_answers_as_recorded(case: dict[str, Any]) -> None:
    if case["matched"] is None:
        with pytest.raises(ValueError):
            nx_glob_set(case["patterns"])
        return
    assert nx_glob_set(case["patterns"]).filter(case["texts"]) == case["matched"]


@pytest.mark.parametrize("pattern", HOSTILE, ids=lambda p: f"{p[:12]}-{len(p)}")
@pytest.mark.parametrize("dialect", ["minimatch", "nx"])
def test_no_pattern_takes_long(dialect: str, pattern: str) -> None:
    try:
        found = minimatch(pattern) if dialect == "minimatch" else nx_glob_set([pattern])
        for text in ("a" * 200, "a/" * 100 + "b", "ab" * 100 + "/x"):
            found.matches(text)
    except ValueError:
        pass


def test_a_repeated_group_that_fits_in_many_ways_is_still_exact() -> None:
    found = minimatch("+(a|aa|*b)c")
    assert found.matches("aab" * 100 + "c")
    assert not found.matches("aab" * 100 + "d")


@pytest.mark.parametrize("pattern", ["*a*b*c", "**/*.spec.{ts,tsx}", "a*{b,c}d*[ef]*"])
def test_walking_a_tree_answers_as_its_regular_expression(pattern: str) -> None:
    tree = globs._Minimatch().path(pattern)
    fits = globs._compile(globs.tree_source(tree)).fullmatch
    for text in ("abc", "xaxbxc", "ab", "q/x.spec.{ts,tsx}", "a{b,c}dzez", "", "abcabc"):
        assert (len(text) in globs._ends(tree, text, {0})) == bool(fits(text))


def test_a_set_is_what_it_includes_without_what_it_excludes_in_any_order() -> None:
    files = ["a/x.ts", "a/x.spec.ts", "b"]
    assert nx_glob_set(["!**/*.spec.ts", "a/**"]).filter(files) == ["a/x.ts"]
    assert nx_glob_set(["a/**", "!**/*.spec.ts"]).filter(files) == ["a/x.ts"]
    assert nx_glob_set(["!b"]).filter(files) == ["a/x.ts", "a/x.spec.ts"]
    assert nx_glob_set([]).filter(files) == files


@given(st.text("abAB09 .-_@/é", min_size=1, max_size=10), texts)
def test_a_literal_matches_only_itself(literal: str, other: str) -> None:
    # minimatch tidies these away.
    literal = literal.replace("..", ".").replace("//", "/").strip("/") or "a"
    assume(".." not in literal and "//" not in literal)
    for found in (minimatch(literal), nx_glob_set([literal])):
        assert found.matches(other) == (other == literal)


@given(patterns, texts)
def test_nothing_but_value_error_is_raised(pattern: str, text: str) -> None:
    for make in (minimatch, lambda p: nx_glob_set([p])):
        with contextlib.suppress(ValueError):
            make(pattern).matches(text)


@given(st.lists(st.sampled_from(["a/**", "*", "**/b", "[ab]", "{a,b}/*"]), max_size=3), texts)
def test_excluding_is_the_opposite_of_including(include: list[str], text: str) -> None:
    if include:
        excluded = nx_glob_set([f"!{pattern}" for pattern in include])
        assert excluded.matches(text) != nx_glob_set(include).matches(text)


@pytest.mark.parametrize("pattern", ["[[:alpha:]]", "lib-[![:upper:]]*"])
def test_a_posix_class_is_refused_rather_than_misread(pattern: str) -> None:
    with pytest.raises(ValueError, match="not supported"):
        minimatch(pattern)
