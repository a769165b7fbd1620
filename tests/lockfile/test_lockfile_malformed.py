"""Whatever the text: an answer or `LockfileError`, and soon."""

from __future__ import annotations

import contextlib
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ciforge.lockfile import (
    LockfileError,
    PnpmLockfile,
    changed_packages,
    external_graph,
    reached_packages,
    reduce_pnpm,
)
from ciforge.lockfile.yaml12 import load

FIXTURES = Path(__file__).parent / "fixtures"
MADE = ("npm1", "npm3", "pnpm5", "pnpm6", "pnpm9", "yarn1", "yarn4")
CASES = [
    (path.name, text)
    for case in MADE
    for path in (FIXTURES / f"made-{case}" / "base").iterdir()
    for text in (path.read_text(),)
]


def feed(name: str, text: str) -> None:
    """Everything public, on one text; raises only what a caller must not see."""
    with contextlib.suppress(LockfileError):
        external_graph(name, text, {"dependencies": {"a": "*", "b": "^1"}})
    with contextlib.suppress(LockfileError):
        changed_packages(name, text, text, {})
    with contextlib.suppress(LockfileError):
        reached_packages(name, text, ["."], manifests={".": {"dependencies": {"b": "^1"}}})
    if name == "pnpm-lock.yaml":
        with contextlib.suppress(LockfileError):
            lock = PnpmLockfile.parse(text)
            reduce_pnpm(
                lock,
                workspace_yaml=text,
                root_package_json=json.dumps(load(text)),
                importers=["apps/b"],
                keep_root_dev={"outside"},
            )


@pytest.mark.parametrize(("name", "text"), CASES)
def test_truncated(name: str, text: str) -> None:
    for end in range(0, len(text), 23):
        feed(name, text[:end])


@pytest.mark.parametrize(("name", "text"), CASES)
def test_damaged(name: str, text: str) -> None:
    rng = random.Random(1)
    for _ in range(120):
        at = rng.randrange(len(text))
        junk = rng.choice(
            ("\x00", "{", "[", '"', "'", ":", "\n", "  ", "&a *a", "\ud800", "é", "!")
        )
        feed(name, text[:at] + junk + text[at + rng.randrange(4) :])


VALUES = st.sampled_from(
    (None, True, 0, -1, 1.5, "", "x", "npm:", "@", "file:", [], {}, [1], {"": 1})
)


def _replace_one(value: Any, rng: random.Random, new: Any) -> Any:
    """A copy with one value, somewhere, replaced."""
    if not isinstance(value, dict) or not value or rng.random() < 0.1:
        return new
    key = rng.choice(list(value))
    copy = dict(value)
    copy[key] = _replace_one(value[key], rng, new)
    return copy


@given(
    case=st.sampled_from([c for c in CASES if c[0] != "yarn.lock" or "__metadata" in c[1]]),
    seeds=st.lists(st.tuples(st.integers(0, 10**6), VALUES), min_size=1, max_size=2),
)
@settings(max_examples=400, deadline=None)
def test_wrong_types(case: tuple[str, str], seeds: list[tuple[int, Any]]) -> None:
    name, text = case
    data = load(text, strings_only=name == "yarn.lock")
    for seed, new in seeds:
        data = _replace_one(data, random.Random(seed), new)
    feed(name, json.dumps(data))


@given(text=st.text() | st.binary().map(lambda b: b.decode("latin-1")))
@settings(max_examples=150, deadline=None)
def test_any_text(text: str) -> None:
    for name in ("package-lock.json", "pnpm-lock.yaml", "yarn.lock"):
        feed(name, text)
        feed(name, "# yarn lockfile v1\n" + text)


@pytest.mark.parametrize("name", ["package-lock.json", "pnpm-lock.yaml"])
@pytest.mark.parametrize(
    "text", ["", " ", "null", "[]", "{}", "1", '"x"', "\x00\x01\x02", "\ufeff"]
)
def test_no_lockfile_at_all(name: str, text: str) -> None:
    with pytest.raises(LockfileError):
        external_graph(name, text, {})


def test_a_message_says_what_is_wrong() -> None:
    with pytest.raises(LockfileError, match=r"package-lock\.json does not parse: .*version"):
        external_graph(
            "package-lock.json", '{"lockfileVersion": 3, "packages": {"": {"version": 1}}}', {}
        )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("package-lock.json", "[" * 5_000_000),
        (
            "package-lock.json",
            '{"lockfileVersion": 1, "dependencies": ' + '{"a": {"dependencies": ' * 400,
        ),
        (
            "package-lock.json",
            '{"lockfileVersion": 1, "dependencies": '
            + '{"a": {"version": "1.0.0", "dependencies": ' * 300
            + "{}"
            + "}}" * 300
            + "}",
        ),
        ("pnpm-lock.yaml", "{" * 5_000_000),
        ("pnpm-lock.yaml", "a: &a [x]\n" + "".join(f"b{i}: *a\n" for i in range(300_000))),
        ("pnpm-lock.yaml", "a: &a {b: c}\n" + "- *a\n" * 1_000_000),
        ("yarn.lock", "# yarn lockfile v1\n" + '"a' * 1_000_000),
        ("yarn.lock", "# yarn lockfile v1\n" + "a, " * 500_000),
        ("yarn.lock", "#" + "\n#" * 500_000),
        ("yarn.lock", "? " * 500_000),
    ],
    ids=lambda value: value[:20],
)
def test_large_and_hostile(name: str, text: str) -> None:
    started = time.monotonic()
    feed(name, text)
    assert time.monotonic() - started < 10
