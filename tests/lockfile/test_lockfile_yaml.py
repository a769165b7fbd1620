"""YAML 1.2 core, the limits, and the two documents of a pnpm lockfile."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ciforge.lockfile import LockfileError
from ciforge.lockfile.yaml12 import join_documents, load, split_documents


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("on: no", {"on": "no"}),
        ("yes: off", {"yes": "off"}),
        ("a: true\nb: FALSE", {"a": True, "b": False}),
        ("a: 'true'", {"a": "true"}),
        ("a: 12e45", {"a": "12e45"}),
        ("a: 5.4", {"a": 5.4}),
        ("a: '9.0'", {"a": "9.0"}),
        ("a: 1000", {"a": 1000}),
        ("a: 0x10", {"a": "0x10"}),
        ("a: 1:30", {"a": "1:30"}),
        ("a: 2024-01-01", {"a": "2024-01-01"}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: 0123456789012345678901234567890", {"a": "0123456789012345678901234567890"}),
        ("a:", {"a": None}),
        ("1: a", {"1": "a"}),
        ("? a\n: [b, {c: d}]", {"a": ["b", {"c": "d"}]}),
        ("a: &x {b: c}\nd: *x", {"a": {"b": "c"}, "d": {"b": "c"}}),
        ("a: !!str 5", {"a": "5"}),
    ],
)
def test_values(text: str, value: Any) -> None:
    assert load(text) == value


def test_failsafe_schema() -> None:
    assert load("a: 1e3\nb: true\nc: 012\nd:", strings_only=True) == {
        "a": "1e3",
        "b": "true",
        "c": "012",
        "d": None,
    }


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\na: 2",
        "a: 1\n---\nb: 2",
        "<<: {a: b}",
        "? [a]\n: b",
        "? {a: b}\n: b",
        "a: &x b\n? *x\n: c",
        "a: *x",
        "a: &x [*x]",
        "a: !custom b",
        "a: !!binary aGk=",
        "a: !!set {b}",
        "a: [b",
        "a: 'b",
        "a: \x00",
        "a: \x07",
        "\ud800",
        "%YAML 9",
        "[" * 100 + "]" * 100,
        "{" * 5000,
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(LockfileError):
        load(text)


def test_last_key_wins_where_asked_for() -> None:
    assert load("a: 1\na: 2", last_key_wins=True) == {"a": 2}


def test_billion_laughs() -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    started = time.monotonic()
    with pytest.raises(LockfileError, match="aliases"):
        load("\n".join(lines))
    assert time.monotonic() - started < 1


def test_many_aliases_of_much() -> None:
    text = "a: &a {b: c, d: [" + "e, " * 1000 + "]}\nf: [" + "*a, " * 100_000 + "]"
    with pytest.raises(LockfileError, match="aliases"):
        load(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a: b\n", (None, "a: b\n")),
        ("---\nenv: 1\n---\na: b\n", ("env: 1", "a: b\n")),
        ("---\r\nenv: 1\r\n---\r\na: b\r\n", ("env: 1", "a: b\n")),
        ("---\na: b\n", (None, "")),
    ],
)
def test_documents(text: str, parts: tuple[str | None, str]) -> None:
    assert split_documents(text) == parts
    if parts[1]:
        assert join_documents(*parts) == text.replace("\r\n", "\n")
