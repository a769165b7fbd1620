"""How a job runs: scripts, hooks, image, services, tags, retry, timeout, parallel, tokens.

Source: lib/gitlab/ci/config/entry in GitLab's code, release line 18.11.
"""

from __future__ import annotations

import math
import re
from typing import Any

from ciforge.gitlab_ci.durations import MAX_TIMEOUT
from ciforge.gitlab_ci.limits import MAX_PARALLEL
from ciforge.gitlab_ci.nodes import Map
from ciforge.lint.checks import (
    MAX_NESTING,
    Check,
    Spot,
    anything,
    boolean,
    both,
    by_type,
    duration,
    each,
    expect,
    integers_or_integer,
    is_integer,
    is_list_of,
    is_map,
    is_seq,
    is_string,
    is_word,
    many_of,
    mapping,
    name,
    nested,
    number,
    one_of,
    present,
    record,
    shorter,
    string,
    strings,
    strings_or_string,
    values,
)
from ciforge.lint.variables import variables

MAX_TAGS = 50
# The failure reasons that GitLab records, which `retry: when` accepts, all of them.
FAILURES = frozenset(
    [
        "always",
        "unknown_failure",
        "script_failure",
        "api_failure",
        "stuck_or_timeout_failure",
        "runner_system_failure",
        "missing_dependency_failure",
        "runner_unsupported",
        "stale_schedule",
        "job_execution_timeout",
        "archived_failure",
        "unmet_prerequisites",
        "scheduler_failure",
        "data_integrity_failure",
        "forward_deployment_failure",
        "user_blocked",
        "project_deleted",
        "ci_quota_exceeded",
        "pipeline_loop_detected",
        "no_matching_runner",
        "trace_size_exceeded",
        "builds_disabled",
        "environment_creation_failure",
        "deployment_rejected",
        "failed_outdated_deployment_job",
        "server_timeout_running",
        "server_timeout_canceling",
        "stuck_pending_with_matching_runners",
        "stuck_pending_no_matching_runners",
        "no_updates_running",
        "no_updates_canceling",
        "runner_configuration_error",
        "runner_external_dependency_failure",
        "runner_interrupted",
        "protected_environment_failure",
        "insufficient_bridge_permissions",
        "downstream_bridge_project_not_found",
        "invalid_bridge_trigger",
        "upstream_bridge_project_not_found",
        "insufficient_upstream_permissions",
        "bridge_pipeline_is_child_pipeline",
        "downstream_pipeline_creation_failed",
        "secrets_provider_not_found",
        "reached_max_descendant_pipelines_depth",
        "ip_restriction_failure",
        "reached_max_pipeline_hierarchy_size",
        "reached_downstream_pipeline_trigger_rate_limit",
        "duo_workflow_not_allowed",
        "job_router_failure",
        "job_token_expired",
    ]
)

commands = expect(
    lambda value: is_word(value) or nested(is_word)(value),
    f"a string or a nested array of strings up to {MAX_NESTING} levels deep",
    "quote each line that has a `: `, or that YAML reads as a number or true",
)

hooks = record({"pre_get_sources_script": commands})

timeout = duration(MAX_TIMEOUT)


def _few(value: Any, spot: Spot) -> None:
    if len(value) >= MAX_TAGS:
        spot.report(
            "too-many", f"must be less than {MAX_TAGS} tags", f"name {MAX_TAGS - 1} at most"
        )


tags = both(strings, _few)


def _no_nulls(value: Map, spot: Spot) -> None:
    """What a JSON schema describes knows no null."""
    for key, inner in value.items():
        if inner is None:
            spot.inside(key, value.where(key)).report("blank", "can't be null", "write a value")


_PULL = ("always", "never", "if-not-present")
_IMAGE: dict[str, Check] = {
    "name": name,
    "entrypoint": strings,
    "docker": record(
        {"platform": both(name, shorter(64)), "user": both(name, shorter(255))}, also=_no_nulls
    ),
    "kubernetes": record(
        {
            "user": by_type(
                "a string or an integer",
                (is_integer, anything),
                (is_string, both(present, shorter(255))),
            )
        },
        also=_no_nulls,
    ),
    "pull_policy": by_type(
        "an array of strings or a string",
        (is_seq, both(present, many_of(_PULL))),
        (is_string, one_of(*_PULL)),
        (is_word, anything),
    ),
}
image = by_type(
    "a hash or a string", (is_string, present), (is_map, record(_IMAGE, required=["name"]))
)
services = both(
    expect(is_seq, "an array"),
    each(
        by_type(
            "a hash or a string",
            (is_string, present),
            (
                is_map,
                record(
                    {**_IMAGE, "command": commands, "alias": string, "variables": variables()},
                    required=["name"],
                ),
            ),
        )
    ),
)

retry = by_type(
    "an integer or a hash",
    (is_integer, number(0, 2)),
    (
        is_map,
        record(
            {
                "max": number(0, 2),
                "when": by_type(
                    "an array of strings or a string",
                    (is_seq, many_of(FAILURES)),
                    (is_string, lambda value, spot: many_of(FAILURES)([value], spot)),
                    (is_word, anything),
                ),
                "exit_codes": integers_or_integer,
            }
        ),
    ),
)

allow_failure = by_type(
    "a hash or a boolean value",
    (lambda value: isinstance(value, bool), anything),
    (is_map, record({"exit_codes": integers_or_integer})),
)

id_tokens = values(record({"aud": strings_or_string}, required=["aud"]), null_counts=True)


def _is_matrix_value(value: Any) -> bool:
    return is_word(value) or is_integer(value)


def _matrix_row(value: Map, spot: Spot) -> None:
    if not value:
        spot.report("too-short", "requires at least 1 item", "name a variable and its values")
    for key, inner in value.items():
        items = inner if isinstance(inner, list) else [inner]
        if not (_is_matrix_value(key) and is_list_of(_is_matrix_value)(items)):
            spot.inside(key, value.where(key)).report(
                "wrong-type",
                "should be a value or an array of values, each a string or an integer",
                "quote numbers with a point, and true and false",
            )


def _matrix_size(value: Any, spot: Spot) -> None:
    total = 0
    for row in value:
        lengths = [len(inner) if isinstance(inner, list) else 1 for inner in row.values()]
        total += math.prod(lengths)
    if total > MAX_PARALLEL:
        spot.report(
            "too-many",
            f"generates too many jobs (maximum is {MAX_PARALLEL})",
            "split the matrix over several jobs",
        )


_matrix = both(expect(is_list_of(is_map), "an array of hashes"), each(_matrix_row), _matrix_size)
_matrix_parallel = record({"matrix": _matrix}, named=["matrix"])


def _cannot_count(_value: Any, spot: Spot) -> None:
    spot.report("bad-parallel", 'cannot use "parallel: <number>"', "use `parallel: matrix`")


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def parallel(*, counted: bool) -> Check:
    """`parallel` of a job (`counted`: a number is allowed), of a trigger job or of a need."""
    return by_type(
        "an integer or a hash",
        (is_number, number(1, MAX_PARALLEL) if counted else _cannot_count),
        (is_map, _matrix_parallel),
    )


_NAMED = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def _step_name(value: Any, spot: Spot) -> None:
    name(value, spot)
    if is_string(value) and value and not _NAMED.fullmatch(value):
        spot.report("bad-format", "can contain only letters, digits and '_'", "rename the step")


def _step(value: Map, spot: Spot) -> None:
    kinds = [key for key in ("step", "func", "script") if key in value]
    if len(kinds) != 1:
        spot.report(
            "exclusive-keys", "must use exactly one of these keys: step, func, script", "keep one"
        )


run = both(
    expect(is_list_of(is_map), "an array of hashes"),
    each(
        record(
            {
                "name": _step_name,
                "env": both(mapping, values(string)),
                "inputs": mapping,
                "step": by_type("a string or a hash", (is_string, anything), (is_map, anything)),
                "func": by_type("a string or a hash", (is_string, anything), (is_map, anything)),
                "script": name,
            },
            required=["name"],
            also=_step,
        )
    ),
)

interruptible = boolean
