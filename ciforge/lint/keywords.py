"""The keywords of a job, of a trigger job, of `default` and of the file itself.

Source: lib/gitlab/ci/config/entry/{root,default,processable,job,bridge}.rb in GitLab's code.
"""

from __future__ import annotations

from typing import Any

from ciforge.gitlab_ci.document import GLOBALS, RESERVED, Document, is_job
from ciforge.gitlab_ci.inputs import check_job_input
from ciforge.gitlab_ci.limits import MAX_NAME
from ciforge.gitlab_ci.nodes import Map, Refused
from ciforge.lint import execution, flow, storing
from ciforge.lint.checks import (
    MAX_NESTING,
    Check,
    Spot,
    anything,
    boolean,
    expect,
    is_blank,
    is_list_of,
    is_word,
    mapping,
    nested,
    one_of,
    record,
    regular_expression,
    string,
    strings,
    strings_or_string,
)
from ciforge.lint.deploying import environment, trigger
from ciforge.lint.finding import Finding
from ciforge.lint.variables import variables

_COMMON: dict[str, Check] = {
    "extends": strings_or_string,
    "stage": string,
    "only": flow.policy,
    "except": flow.policy,
    "rules": flow.job_rules,
    "variables": variables("value", "expand"),
    "inherit": flow.inherit,
    "resource_group": string,
    "environment": environment,
    "interruptible": boolean,
}
_SHARED: dict[str, Check] = {
    "before_script": execution.commands,
    "after_script": execution.commands,
    "hooks": execution.hooks,
    "image": execution.image,
    "services": execution.services,
    "cache": storing.cache,
    "artifacts": storing.artifacts,
    "retry": execution.retry,
    "tags": execution.tags,
    "timeout": execution.timeout,
    "interruptible": boolean,
    "id_tokens": execution.id_tokens,
}
_PAID = frozenset({"secrets", "dast_configuration", "identity"})
default = record(_SHARED, paid=_PAID)

_only_beside_rules = ("only", "except", "start_in")


def _beside_rules(value: Map, spot: Spot) -> None:
    if value.get("rules") is None:
        return
    for key in _only_beside_rules:
        if value.get(key) is not None:
            spot.inside(key, value.where(key)).report(
                "exclusive-keys", "may not be used with `rules`", "say it in the rules"
            )


def _whole_job(value: Map, spot: Spot) -> None:
    _beside_rules(value, spot)
    if "run" not in value and is_blank(value.get("script")):
        here = spot.inside("script", value.where("script"))
        here._replace(open=spot.open and "script" not in value).report(
            "missing", "can't be blank", "write at least one command"
        )
    _start(value, spot)
    _dependencies_needed(value, spot)
    is_pages = not is_blank(value.get("pages")) or (
        spot.job == "pages" and value.get("pages") is not False
    )
    is_pages |= spot.open and "pages" not in value
    if not (is_pages or is_blank(value.get("publish"))):
        spot.inside("publish", value.where("publish")).report(
            "exclusive-keys", "can only be used within a `pages` job", "add `pages: true`"
        )


def _start(value: Map, spot: Spot) -> None:
    """`start_in` belongs to `when: delayed` of a job without rules."""
    here = spot.inside("start_in", value.where("start_in"))
    delayed, start = value.get("when") == "delayed", value.get("start_in")
    if spot.open and not {"when", "start_in"} <= value.keys():
        return
    if delayed:
        flow.start_in(start, here)
    if ("rules" in value or not delayed) and not is_blank(start):
        here.report("exclusive-keys", "must be blank", "use it with `when: delayed`, without rules")


def _dependencies_needed(value: Map, spot: Spot) -> None:
    dependencies, needs = value.get("dependencies"), value.get("needs")
    if not (is_list_of(is_word)(dependencies) and dependencies and needs):
        return
    items = needs if isinstance(needs, list) else [needs]
    named = {need.get("job") if isinstance(need, Map) else need for need in _open(items)}
    if missing := [word for word in dependencies if word not in named]:
        words = ", ".join(missing)
        spot.inside("dependencies", value.where("dependencies")).report(
            "dependency-not-needed", f"{words} should be part of needs", "add them to `needs`"
        )


def _open(items: list[Any]) -> list[Any]:
    opened: list[Any] = []
    for item in items:
        if isinstance(item, list):
            opened.extend(_open(item))
        elif flow.is_job_need(item):
            opened.append(item)
    return opened


def _inputs(value: Any, spot: Spot) -> None:
    if not isinstance(value, Map):
        mapping(value, spot)
        return
    for key, spec in value.items():
        try:
            check_job_input(key, spec, value.where(key))
        except Refused as error:
            here = spot._replace(path="", at=error.position)
            here.report(error.rule, error.message, error.hint)


_TOGETHER = [
    *[("script", "trigger"), ("run", "trigger"), ("script", "run")],
    *[("before_script", "run"), ("after_script", "run")],
]
job = record(
    {
        **_SHARED,
        **_COMMON,
        "needs": flow.needs(crossing=True),
        "inputs": _inputs,
        "script": execution.commands,
        "run": execution.run,
        "when": one_of("on_success", "on_failure", "always", "manual", "delayed"),
        "start_in": anything,
        "allow_failure": execution.allow_failure,
        "dependencies": strings,
        "coverage": regular_expression,
        "parallel": execution.parallel(counted=True),
        "release": storing.release,
        "publish": string,
        "pages": storing.pages,
        "manual_confirmation": string,
    },
    not_together=_TOGETHER,
    also=_whole_job,
    paid=_PAID,
)


def _whole_bridge(value: Map, spot: Spot) -> None:
    _beside_rules(value, spot)
    if value.get("trigger") is None:
        spot.report(
            "no-work",
            "should contain a `script`, a `run` or a `trigger`",
            "say what the job does",
        )


bridge = record(
    {
        **_COMMON,
        "needs": flow.needs(crossing=False),
        "trigger": trigger,
        "when": one_of("on_success", "on_failure", "always", "manual"),
        "allow_failure": boolean,
        "parallel": execution.parallel(counted=False),
    },
    also=_whole_bridge,
)

_ROOT: dict[str, Check] = {
    "before_script": execution.commands,
    "after_script": execution.commands,
    "image": execution.image,
    "services": execution.services,
    "cache": storing.cache,
    "variables": variables("value", "description", "expand", "options"),
    "stages": expect(
        nested(is_word),
        f"an array of strings or a nested array of strings up to {MAX_NESTING} levels deep",
    ),
}


def check_keywords(document: Document, findings: list[Finding]) -> None:
    """Everything that stands at the top of a resolved file, each in its own right."""
    root = document.root
    has_jobs = is_open = bool(document.outside)
    for key, value in root.items():
        spot = Spot("", root.where(key), None, findings, is_open and isinstance(value, Map))
        if key in document.partial:
            has_jobs = True
            continue
        if key in RESERVED or (key in ("default", "workflow") and not is_job(value)):
            _check_global(key, value, spot.inside(key, spot.at), root)
        elif str(key).startswith("."):
            if is_blank(value) and not spot.open:
                spot._replace(job=_shown(key)).report(
                    "blank", "can't be blank", "fill the hidden job, or remove it"
                )
        else:
            has_jobs = True
            _check_job(key, value, spot._replace(job=_shown(key)))
    if not has_jobs:
        Spot("", root.at, None, findings).report(
            "no-jobs", "the file should contain at least one visible job", "add a job"
        )


def _shown(key: Any) -> str:
    return key if isinstance(key, str) else "" if key is None else str(key).lower()


def _check_global(key: str, value: Any, spot: Spot, root: Map) -> None:
    if value is None:
        return
    if key == "default":
        default(value, spot)
    elif key == "workflow":
        flow.workflow(value, spot)
    elif key in _ROOT:
        _ROOT[key](value, spot)
    defaults = root.get("default")
    if key in GLOBALS and isinstance(defaults, Map) and defaults.get(key) is not None:
        spot.report("defined-twice", "is defined in top-level and `default:`", "keep it in default")


def _check_job(key: Any, value: Any, spot: Spot) -> None:
    elsewhere = spot.open and not {"script", "run", "trigger"} & value.keys()
    if not (is_job(value) or elsewhere):
        spot.report(
            "no-work",
            "should implement the script:, run:, or trigger: keyword",
            "write what the job does; keywords of GitLab are spelled differently"
            if not isinstance(value, Map)
            else "say what the job does",
        )
        return
    if not isinstance(key, str) or not key.strip():
        spot.report("bad-name", "its name must be a string", f'quote it: "{_shown(key)}"')
    elif len(key) > MAX_NAME:
        spot.report(
            "bad-name", f"its name is too long (maximum is {MAX_NAME} characters)", "shorten it"
        )
    # What another file makes of it may be a trigger job: those know no more keywords than jobs.
    does = "script" in value or "run" in value or elsewhere
    (job if does else bridge)(value, spot)
