"""The JSON difference, against answers of Nx 24's own `diffJson`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciforge.affected.json_diff import ABSENT, diff_json, parse_strict

# before, after, and what Nx 24.0.6 answered: (kind, path) in its order.
RECORDED: list[tuple[str, str, list[tuple[str, list[str]]]]] = [
    ('{"a":1}', '{"a":2}', [("modified", ["a"])]),
    ('{"a":{"b":1,"c":2}}', '{"a":{"b":1}}', [("modified", ["a"]), ("deleted", ["a", "c"])]),
    ('{"a":{"b":1}}', "{}", [("deleted", ["a"]), ("deleted", ["a", "b"])]),
    ("{}", '{"a":{"b":1}}', [("added", ["a"]), ("added", ["a", "b"])]),
    ('{"a":[1,2]}', '{"a":[1]}', [("modified", ["a"]), ("deleted", ["a", "1"])]),
    (
        '{"a":[1,2]}',
        '{"a":[0,1,2]}',
        [
            ("modified", ["a"]),
            ("modified", ["a", "0"]),
            ("modified", ["a", "1"]),
            ("added", ["a", "2"]),
        ],
    ),
    (
        '{"a":{"b":1}}',
        '{"a":[1]}',
        [("modified", ["a"]), ("deleted", ["a", "b"]), ("added", ["a", "0"])],
    ),
    ('{"a":1}', '{"a":{"b":1}}', [("modified", ["a"]), ("added", ["a", "b"])]),
    ("1", "2", []),
    ('{"a":null}', '{"a":1}', [("modified", ["a"])]),
    ('{"a":1}', '{"a":1.0}', []),
    ('{"a":1,"a":2}', '{"a":2}', []),
    ('{"a":[1]}', '{"a":{"0":1}}', [("modified", ["a"])]),
    ("null", '{"a":1}', [("added", ["a"])]),
]


@pytest.mark.parametrize(("before", "after", "expected"), RECORDED)
def test_answers_of_nx(before: str, after: str, expected: list[tuple[str, list[str]]]) -> None:
    changes = diff_json(parse_strict(before), parse_strict(after))
    assert [(c.kind, list(c.path)) for c in changes] == expected


@pytest.mark.parametrize(
    "text", ['{"a":1,}', "", "\ufeff{}", '{"a":NaN}', "// c\n{}", "[" * 100_000]
)
def test_what_is_no_strict_json(text: str) -> None:
    with pytest.raises(ValueError):
        parse_strict(text)


def test_true_is_not_one() -> None:
    assert [c.kind for c in diff_json({"a": 1}, {"a": True})] == ["modified"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(json_values)
def test_nothing_differs_from_itself(value: Any) -> None:
    assert diff_json(value, json.loads(json.dumps(value))) == []


@given(json_values, json_values)
def test_a_difference_read_backwards_swaps_additions_and_deletions(a: Any, b: Any) -> None:
    there, back = diff_json(a, b), diff_json(b, a)
    swapped = {"added": "deleted", "deleted": "added", "modified": "modified"}
    assert {(c.kind, c.path) for c in there} == {(swapped[c.kind], c.path) for c in back}
    assert all((c.before is ABSENT) == (c.kind == "added") for c in there)
