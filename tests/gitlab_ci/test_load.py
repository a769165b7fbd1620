"""YAML as GitLab reads it: Psych's types, libyaml's syntax, GitLab's documents and limits."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciforge.gitlab_ci.load import load
from ciforge.gitlab_ci.nodes import Refused
from ciforge.gitlab_ci.scalars import Symbol, plain
from ciforge.gitlab_ci.size import MAX_BYTES, too_big


def value(text: str) -> Any:
    return load(f"k: {text}", "ci.yml").content["k"]


def refusal(text: str) -> Refused:
    with pytest.raises(Refused) as caught:
        load(text, "ci.yml")
    return caught.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("~", None),
        ("Null", None),
        ("yes", True),
        ("ON", True),
        ("off", False),
        ("y", "y"),
        ("yes!", "yes!"),
        ("12", 12),
        ("-1_000", -1000),
        ("1,000", 1000),
        ("010", 8),
        ("08", "08"),
        ("0o14", "0o14"),
        ("0x1F", 31),
        ("0b11", 3),
        ("1:30", 5400),
        ("1:30:15", 5415),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", "1e3"),
        ("1.5e+3", 1500.0),
        (".", "."),
        ("3.10", 3.1),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("1.2.3", "1.2.3"),
        ("v1", "v1"),
        (":word", Symbol("word")),
        ("'12'", "12"),
        ('"yes"', "yes"),
        ("|\n  12\n", "12\n"),
        ("!!str 12", "12"),
        ('!!int "12"', 12),
        ("!!float 1", 1.0),
        ("!unknown x", "x"),
        ("!!binary aGk=", "hi"),
        ("2026-13-01", "2026-13-01"),
    ],
)
def test_scalars(text: str, expected: Any) -> None:
    found = value(text)
    assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize(
    "text",
    [
        *("2026-01-31", "2026-1-1", "2026-01-31 10:00:00", "2026-01-31T10:00:00Z"),
        *("!ruby/regexp /x/", "!ruby/object:Foo {}", "!!set {}", "!seq:Foo []"),
        "!!timestamp 2026-01-31",
    ],
)
def test_classes_that_gitlab_does_not_load(text: str) -> None:
    assert refusal(f"k: {text}").rule == "yaml-class"


@given(st.text())
def test_every_plain_text_has_a_value_or_is_refused(text: str) -> None:
    try:
        plain(text)
    except ValueError as error:
        assert "unspecified class" in str(error)


def test_keys_are_typed_too_and_the_last_of_equal_ones_wins() -> None:
    content = load("on: 1\n12: a\n? [x, y]\n: b\nk: 1\nk: 2", "ci.yml").content
    assert dict(content) == {True: 1, 12: "a", ("x", "y"): "b", "k": 2}


def test_merge_keys_override_what_stands_before_them() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\n"
    assert value_of(f"{text}k: {{x: 0, <<: *a, y: 3}}") == {"x": 1, "y": 3}
    assert value_of(f"{text}k: {{<<: [*a, *b]}}") == {"x": 1, "y": 1, "z": 2}
    assert value_of(f"{text}k: {{<<: 1}}") == {"<<": 1}


def value_of(text: str) -> Any:
    return load(text, "ci.yml").content["k"]


def test_an_anchor_may_be_set_again() -> None:
    assert value_of("a: &x 1\nb: &x 2\nk: *x") == 2


def test_places_count_from_one_and_across_documents() -> None:
    loaded = load("spec: {}\n---\n# comment\nj:\n  script: [x]\n", "ci.yml")
    assert loaded.header == {"spec": {}}
    assert loaded.content.where("j") == ("ci.yml", 4, 1)
    assert loaded.content["j"].where("script") == ("ci.yml", 5, 3)
    assert loaded.content["j"]["script"].where(0) == ("ci.yml", 5, 12)


def test_documents() -> None:
    assert load("---\nk: 1\n---\nk: 2", "ci.yml").content == {"k": 1}
    assert load("# only a comment\n---\nk: 1", "ci.yml").content == {"k": 1}
    assert load("\ufeffk: 1", "ci.yml").content == {"k": 1}
    assert load("k: 1\n...\n", "ci.yml").content == {"k": 1}
    assert load("---\n", "ci.yml").content == {}


def test_a_divider_swallows_the_indentation_behind_it() -> None:
    """GitLab cuts with a regular expression: what libyaml alone would take is refused."""
    assert refusal("---\n  a: 1\n  b: 2").rule == "yaml-syntax"


@pytest.mark.parametrize(
    ("text", "rule", "line"),
    [
        ("- a", "yaml-no-mapping", 1),
        ("text", "yaml-no-mapping", 1),
        ("a: 1\nb: [1,\n", "yaml-syntax", 3),
        ("a: 1\nb: @x", "yaml-syntax", 2),
        ("%YAML 1.2\n---\na: 1", "yaml-syntax", 2),
        ("a: 1\nb: *c", "yaml-alias", 2),
        ("a: \x01", "yaml-syntax", 1),
        ("a: \udc80", "yaml-syntax", 1),
        ("a:\n  - 1\n  b: 2", "yaml-syntax", 2),
    ],
)
def test_refused(text: str, rule: str, line: int) -> None:
    refused = refusal(text)
    assert (refused.rule, refused.position.line) == (rule, line)


def test_a_hundred_levels_are_the_limit() -> None:
    def nested(levels: int) -> str:
        return "a: " + "[" * levels + "]" * levels

    assert load(nested(99), "ci.yml").content
    assert refusal(nested(100)).rule == "yaml-too-big"
    assert refusal(nested(5000)).rule == "yaml-too-big"
    assert refusal("a: &a [*a]").rule == "yaml-too-big"


def test_aliases_count_as_often_as_they_are_used() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    refused = refusal("\n".join(lines))
    assert refused.rule == "yaml-too-big"
    assert "2 MiB" in refused.message


def test_memory_is_that_of_ruby() -> None:
    """40 bytes for a short text; what is long counts itself."""
    few = [["x" * 15] * 3] * 10  # 40 bytes for each text, 40 for each list
    assert too_big([few] * (MAX_BYTES // 1900)) is None
    assert too_big([few] * (MAX_BYTES // 1600)) is not None
    assert too_big({"k": "x" * (MAX_BYTES - 1000)}) is None
    assert too_big({"k": "x" * MAX_BYTES}) is not None


@pytest.mark.parametrize(("words", "is_taken"), [(30_000, True), (60_000, False)])
def test_two_mebibytes_are_the_limit(words: int, is_taken: bool) -> None:
    """A short string takes a slot of 40 bytes, and its place in the list 8."""
    found = too_big([f"w{number}" for number in range(words)])
    assert (found is None) == is_taken
