"""Whatever stands in a file: an answer, never an exception; and small valid pipelines pass."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ciforge.lint import lint
from ciforge.lint.execution import FAILURES

_WORDS = """
script stage needs rules if when only except parallel matrix artifacts paths reports environment
name on_stop trigger include local job artifact extends default workflow stages variables value
options cache key files image services .hidden <<
"""
WORDS = st.sampled_from(_WORDS.split())
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 300),
    st.floats(allow_nan=False),
    st.text(max_size=6),
    WORDS,
    st.sampled_from(["$A == 'b'", "1 week", "/x/", "a: b", "$[[ inputs.a ]]", "2026-01-01"]),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(WORDS, SCALARS), inner, max_size=5),
    ),
    max_leaves=25,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.one_of(WORDS, SCALARS), TREES, max_size=5))
def test_any_tree_is_answered(tree: dict[Any, Any]) -> None:
    lint("ci.yml", yaml.safe_dump(tree, sort_keys=False))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(WORDS, TREES, max_size=6), TREES)
def test_any_job_is_answered(keywords: dict[str, Any], more: Any) -> None:
    tree = {"j": {"script": ["x"], **keywords}, "k": {"trigger": more, **keywords}, "stages": more}
    lint("ci.yml", yaml.safe_dump(tree, sort_keys=False))


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab:-[]{}&*!|>'\"#%@`?, \n\t$~0\ufeff\x00\x07é", max_size=60))
def test_any_text_is_answered(text: str) -> None:
    lint("ci.yml", text)


NAMES = st.text(alphabet="abcXYZ019 _-:/$'\"`ü", min_size=1, max_size=12).filter(
    lambda name: name.strip() and name not in ("a", "b")
)
RULES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "if": st.sampled_from(
                ["$A", "$A == 'x' && $B", "$A =~ /^v[0-9]+/", "!$A || $B != null"]
            ),
            "changes": st.lists(st.text(max_size=5), max_size=3),
            "when": st.sampled_from(["on_success", "manual", "never", "always"]),
            "allow_failure": st.booleans(),
            "variables": st.dictionaries(st.sampled_from("AB"), st.text(max_size=5), max_size=2),
        },
    ).filter(bool),
    max_size=3,
)
JOBS = st.fixed_dictionaries(
    {"script": st.lists(st.text(max_size=20), min_size=1, max_size=3)},
    optional={
        "rules": RULES,
        "variables": st.dictionaries(st.sampled_from("CD"), st.one_of(st.text(), st.integers())),
        "parallel": st.integers(1, 5),
        "timeout": st.sampled_from(["1 hour", "90m", "1:30", "2 hours 5 minutes"]),
        "retry": st.fixed_dictionaries(
            {"max": st.integers(0, 2)}, optional={"when": st.sampled_from(sorted(FAILURES))}
        ),
        "environment": st.fixed_dictionaries({"name": st.sampled_from(["prod", "review/$X"])}),
        "artifacts": st.fixed_dictionaries(
            {"paths": st.lists(st.text(max_size=5), max_size=2)},
            optional={"expire_in": st.sampled_from(["1 week", "never", "30 days"])},
        ),
        "cache": st.lists(st.fixed_dictionaries({"key": st.sampled_from(["k", "$X"])}), max_size=4),
        "tags": st.lists(st.text(max_size=5), max_size=3),
        "resource_group": st.text(max_size=8),
        "interruptible": st.booleans(),
    },
)
PIPELINES = st.dictionaries(NAMES, JOBS, min_size=2, max_size=5)


class Quoting(yaml.SafeDumper):
    """Quotes every text: `:x` is a symbol to GitLab, `on` true, and PyYAML leaves both bare."""


Quoting.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


def written(tree: dict[str, Any]) -> str:
    return yaml.dump(tree, Dumper=Quoting, sort_keys=False)


def pipeline(jobs: dict[str, Any]) -> dict[str, Any]:
    """Each job needs the one before it, in the stage before or in the same."""
    tree: dict[str, Any] = {"stages": ["a", "b"], "workflow": {"rules": [{"when": "always"}]}}
    before: str | None = None
    for number, (name, keywords) in enumerate(jobs.items()):
        tree[name] = {**keywords, "stage": "a" if number == 0 else "b"}
        if before is not None:
            tree[name]["needs"] = [before]
        before = name
    return tree


@settings(max_examples=50, deadline=None)
@given(PIPELINES)
def test_a_valid_pipeline_passes(jobs: dict[str, Any]) -> None:
    assert lint("ci.yml", written(pipeline(jobs))) == []


FAULTS: dict[str, Any] = {
    "stage": "nowhere",
    "needs": ["ghost"],
    "script": [],
    "rules": [{"if": "=="}],
    "tags": "x",
    "when": "maybe",
    "environment": {"name": "a/"},
    "typo": 1,
    "timeout": "soon",
    "parallel": 0,
}


@settings(max_examples=50, deadline=None)
@given(PIPELINES, st.sampled_from(sorted(FAULTS)))
def test_a_planted_fault_is_found_at_its_job(jobs: dict[str, Any], fault: str) -> None:
    tree = pipeline(jobs)
    last = list(jobs)[-1]
    tree[last] = {**tree[last], fault: FAULTS[fault]}
    if fault == "needs":
        tree[last].pop("rules", None)
    assert last in {finding.job for finding in lint("ci.yml", written(tree))}
