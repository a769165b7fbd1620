"""Where a job deploys, and which pipelines it starts: environment and trigger.

Source: lib/gitlab/ci/config/entry in GitLab's code, release line 18.11.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from ciforge.gitlab_ci.include_rules import check as check_include_rules
from ciforge.gitlab_ci.nodes import Map, Refused
from ciforge.lint.checks import (
    Check,
    Spot,
    anything,
    boolean,
    both,
    by_type,
    each,
    expect,
    is_blank,
    is_map,
    is_seq,
    is_string,
    is_word,
    mapping,
    matching,
    name,
    one_of,
    present,
    record,
    shorter,
    string,
)

MAX_INCLUDES = 3
_name = both(
    name,
    matching(
        r"[a-zA-Z0-9_${}. -](?:[a-zA-Z0-9_/${}. -]*[a-zA-Z0-9_${}. -])?",
        "can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.' and spaces, "
        "but it cannot start or end with '/'",
    ),
)


def _agent_known(value: Map, spot: Spot) -> None:
    """What needs an agent or a namespace must name it, and each thing is said once."""
    dashboard = value.get("dashboard")
    managed = value.get("managed_resources")
    flux = not is_blank(value.get("flux_resource_path"))
    enabled = isinstance(managed, Map) and managed.get("enabled") is True
    if (flux or not is_blank(dashboard) or enabled) and is_blank(value.get("agent")):
        spot.report("missing", "agent can't be blank", "name the `agent`")
    if flux and is_blank(value.get("namespace")):
        spot.report("missing", "namespace can't be blank", "name the `namespace`")
    for key in ("namespace", "flux_resource_path"):
        twice = isinstance(dashboard, Map) and not is_blank(dashboard.get(key))
        if twice and not is_blank(value.get(key)):
            spot.report("exclusive-keys", f"{key} cannot be named in dashboard too", "keep one")


_kubernetes = both(
    mapping,
    present,
    record(
        {
            "agent": string,
            "namespace": string,
            "flux_resource_path": string,
            "managed_resources": record({"enabled": boolean}),
            "dashboard": record(
                {
                    "namespace": both(name, shorter(63)),
                    "flux_resource_path": both(name, shorter(255)),
                },
                required=["namespace"],
            ),
        },
        also=_agent_known,
    ),
)
environment = by_type(
    "a hash or a string",
    (is_string, _name),
    (
        is_map,
        record(
            {
                "name": _name,
                "url": both(string, shorter(255)),
                "action": one_of("start", "stop", "prepare", "verify", "access"),
                "deployment_tier": one_of(
                    "production", "staging", "testing", "development", "other"
                ),
                "on_stop": string,
                "auto_stop_in": string,  # a duration, but a variable may hold it
                "kubernetes": _kubernetes,
            },
            required=["name"],
        ),
    ),
)


def _include_parts(value: Map, spot: Spot) -> None:
    if value.get("artifact") and is_blank(value.get("job")):
        spot.report(
            "missing", "must specify the job where to fetch the artifact from", "name its `job`"
        )
    if value.get("project") and is_blank(value.get("file")):
        spot.report(
            "missing", "must specify the file where to fetch the config from", "name its `file`"
        )
    integrity = value.get("integrity")
    if integrity and not (is_blank(value.get("remote")) is False and _is_hash(integrity)):
        spot.report(
            "bad-format", "integrity belongs to `remote`, as sha256-<base64>", "mend the hash"
        )


def _is_hash(value: Any) -> bool:
    try:
        return is_string(value) and bool(
            value.startswith("sha256-") and base64.b64decode(value[7:], validate=True)
        )
    except binascii.Error:
        return False


def _include_rules(value: Any, spot: Spot) -> None:
    try:
        check_include_rules(value, spot.at)
    except Refused as error:
        here = spot._replace(path="", at=error.position)
        here.report(error.rule, f"trigger:{error.message}", error.hint)


_INCLUDE = [
    "local",
    "file",
    "remote",
    "project",
    "ref",
    "integrity",
    "template",
    "artifact",
    "inputs",
    "job",
    "component",
]
_include = by_type(
    "a hash or a string",
    (is_word, anything),
    (
        is_map,
        record(
            {
                **dict.fromkeys(_INCLUDE, anything),
                "rules": both(
                    expect(
                        lambda value: is_seq(value) and all(map(is_map, value)),
                        "an array of hashes",
                    ),
                    _include_rules,
                ),
            },
            also=_include_parts,
        ),
    ),
)


def _few(value: Any, spot: Spot) -> None:
    if is_seq(value) and len(value) > MAX_INCLUDES:
        spot.report(
            "too-many",
            f"is too long (maximum is {MAX_INCLUDES})",
            "merge the files, or split the job",
        )


_TRIGGER: dict[str, Check] = {
    "strategy": one_of("depend", "mirror"),
    "forward": record({"yaml_variables": boolean, "pipeline_variables": boolean}),
}
_child = record(
    {
        **_TRIGGER,
        "include": both(
            expect(
                lambda value: is_seq(value) or is_string(value),
                "an array or a string",
                "write a list: `include: [{local: …}]`",
            ),
            _few,
            each(_include),
        ),
    }
)
_project = record(
    {**_TRIGGER, "project": name, "branch": string, "inputs": mapping}, required=["project"]
)
trigger = by_type(
    "either a string or a hash",
    (is_string, present),
    (lambda value: isinstance(value, Map) and "include" in value, _child),
    (is_map, _project),
)
