"""YAML that every parser reads alike."""

from __future__ import annotations

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ciforge.pipeline.emit import emit

ODD = [
    "yes", "NO", "~", "null", "2026-01-01", "1e3", "0x1f", "12:30:00", "=", "<<", "- a", "a: b",
    "#x", "a #b", " a", "a ", "", "'", "''", '"', "\\", "a\n", "a\nb\n", " a\nb\n", "a\n\nb\n",
    "!x", "&a", "*a", "{", "[", "%YAML", "---", "...", "|", ">", "@a", "`a`", ".5", "_1",
]  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(ODD)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(TEXT, VALUES, min_size=1, max_size=5))
def test_what_goes_in_comes_out(document: dict[str, object]) -> None:
    # PyYAML reads YAML 1.1, as GitLab does, with all its words and dates.
    assert yaml.safe_load(emit(document)) == document


def test_a_command_is_read_by_people() -> None:
    assert emit({"script": ['ciforge -C "$A" plan', "it's"]}) == (
        'script:\n  - \'ciforge -C "$A" plan\'\n  - "it\'s"\n'
    )
    assert emit({"script": ["a\nb c\n"]}) == "script:\n  - |\n    a\n    b c\n"
