"""When a job runs: rules, only and except, needs, workflow, what it inherits.

Source: lib/gitlab/ci/config/entry in GitLab's code, release line 18.11.
"""

from __future__ import annotations

from typing import Any

from ciforge.gitlab_ci.durations import WEEK
from ciforge.gitlab_ci.nodes import Map, Seq
from ciforge.lint.checks import (
    Check,
    Spot,
    anything,
    boolean,
    both,
    by_type,
    duration,
    each,
    expect,
    expression,
    is_list_of,
    is_map,
    is_seq,
    is_string,
    is_word,
    many_of,
    name,
    nested,
    one_of,
    present,
    record,
    ref,
    shorter,
    string,
    strings,
)
from ciforge.lint.execution import parallel
from ciforge.lint.variables import variables

MAX_PATHS = 50
MAX_CROSS_NEEDS = 5
DEFAULT_KEYS = frozenset(
    [
        "before_script",
        "image",
        "services",
        "after_script",
        "hooks",
        "cache",
        "interruptible",
        "timeout",
        "retry",
        "tags",
        "artifacts",
        "id_tokens",
    ]
)
start_in = duration(WEEK)
_paths = both(strings, shorter(MAX_PATHS))

_changes = by_type(
    "an array or a hash",
    (is_seq, _paths),
    (is_map, record({"paths": _paths, "compare_to": string}, required=["paths"])),
)


def _known_project(value: Map, spot: Spot) -> None:
    if value.get("ref") is not None and value.get("project") is None:
        spot.report("missing", "misses the required key: project", "name the `project` of the ref")


exists = by_type(
    "a string, an array of strings, or a hash",
    (is_string, anything),
    (is_seq, _paths),
    (
        is_map,
        record(
            {"paths": _paths, "project": string, "ref": string},
            named=["paths"],
            also=_known_project,
        ),
    ),
)

auto_cancel = record(
    {
        "on_new_commit": one_of("conservative", "interruptible", "none"),
        "on_job_failure": one_of("none", "all"),
    }
)


def _delayed(value: Map, spot: Spot) -> None:
    """`start_in` belongs to `when: delayed`, and the other way round."""
    here = spot.inside("start_in", value.where("start_in"))
    if value.get("when") == "delayed":
        if value.get("start_in") is None:
            here.report("missing", "can't be blank", "say how long: `start_in: 30 minutes`")
        else:
            start_in(value["start_in"], here)
    elif "start_in" in value:
        here.report("exclusive-keys", "needs when: delayed", "add `when: delayed` or remove it")


_JOB_NEED: dict[str, Check] = {
    "job": name,
    "artifacts": boolean,
    "optional": boolean,
    "parallel": parallel(counted=False),
}
_job_need = record(_JOB_NEED, required=["job"])
_cross_need = record(
    {"pipeline": name, "job": name, "artifacts": boolean}, required=["pipeline", "job"]
)


def is_cross_need(need: Any) -> bool:
    """A job of another pipeline of the same project."""
    return isinstance(need, Map) and {"job", "pipeline"} <= need.keys() and "project" not in need


def is_job_need(need: Any) -> bool:
    """A job of this pipeline."""
    if isinstance(need, Map):
        return "job" in need and not {"project", "ref", "pipeline"} & need.keys()
    return is_string(need)


def _need(crossing: bool) -> Check:
    def check(value: Any, spot: Spot) -> None:
        if is_string(value):
            present(value, spot)
        elif is_job_need(value):
            _job_need(value, spot)
        elif is_cross_need(value):
            if not crossing:
                spot.report("wrong-type", "cannot name another pipeline here", "name a job")
            _cross_need(value, spot)
        else:
            paid = isinstance(value, Map) and bool({"project", "pipeline"} & value.keys())
            hint = "only GitLab Premium or Ultimate knows it" if paid else "write `job: name`"
            spot.report("wrong-type", "has an unsupported type", hint)

    return check


def _few_crossing(value: Any, spot: Spot) -> None:
    crossing = sum(map(is_cross_need, value)) if isinstance(value, Seq) else 0
    if crossing > MAX_CROSS_NEEDS:
        spot.report(
            "too-many", f"must name at most {MAX_CROSS_NEEDS} jobs of other pipelines", "name fewer"
        )


def needs(*, crossing: bool) -> Check:
    """`needs`; `crossing`: jobs of other pipelines are allowed."""
    return both(
        expect(lambda value: is_seq(value) or is_map(value), "a hash or an array"),
        expect(lambda value: value != {}, "no empty hash"),
        each(_need(crossing)),
        _few_crossing,
    )


def _said(check: Check) -> Check:
    """`check` on what the value says as text; a symbol says its name."""
    return lambda value, spot: check(str(value) if is_word(value) else value, spot)


def _rules(when: tuple[str, ...], more: dict[str, Check]) -> Check:
    rule = both(
        present,
        record(
            {
                "if": expression,
                "changes": _changes,
                "exists": exists,
                "when": _said(one_of(*when)),
                "start_in": anything,
                "allow_failure": boolean,
                "variables": variables(),
                "needs": needs(crossing=False),
                **more,
            },
            also=_delayed,
        ),
    )
    return both(
        expect(nested(is_map), "an array containing hashes and arrays of hashes"), each(rule)
    )


job_rules = _rules(
    ("on_success", "on_failure", "always", "never", "manual", "delayed"),
    {"interruptible": boolean},
)
workflow = record(
    {
        "rules": _rules(("always", "never"), {"auto_cancel": auto_cancel}),
        "name": shorter(255),
        "auto_cancel": auto_cancel,
    }
)

_refs = expect(is_list_of(ref), "an array of strings or regular expressions using re2 syntax")
policy = by_type(
    "either an array of conditions or a hash",
    (is_seq, _refs),
    (
        is_map,
        both(
            present,
            record(
                {
                    "refs": _refs,
                    "kubernetes": _said(one_of("active")),
                    "variables": both(strings, each(expression)),
                    "changes": strings,
                }
            ),
        ),
    ),
)


def _inherited(allowed: Check) -> Check:
    return by_type(
        "a bool or array of strings",
        (lambda value: isinstance(value, bool), anything),
        (is_seq, allowed),
    )


inherit = record({"default": _inherited(many_of(DEFAULT_KEYS)), "variables": _inherited(strings)})
