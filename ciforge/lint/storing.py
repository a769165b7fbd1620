"""What a job keeps: artifacts, reports, caches, pages, releases.

Source: lib/gitlab/ci/config/entry in GitLab's code, release line 18.11.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from ciforge.gitlab_ci.nodes import Map
from ciforge.lint.checks import (
    Spot,
    anything,
    boolean,
    both,
    by_type,
    duration,
    each,
    expect,
    is_blank,
    is_list_of,
    is_map,
    is_seq,
    is_string,
    is_word,
    longer,
    matching,
    name,
    one_of,
    present,
    record,
    shorter,
    string,
    strings,
    strings_or_string,
)

_WHEN = one_of("on_success", "on_failure", "always")
_REPORTS = [
    "junit",
    "codequality",
    "sast",
    "secret_detection",
    "dependency_scanning",
    "container_scanning",
    "dast",
    "performance",
    "browser_performance",
    "load_performance",
    "license_scanning",
    "metrics",
    "lsif",
    "dotenv",
    "terraform",
    "accessibility",
    "coverage_fuzzing",
    "api_fuzzing",
    "cluster_image_scanning",
    "requirements",
    "requirements_v2",
    "cyclonedx",
    "annotations",
    "repository_xray",
]
MAX_CACHES = 4

_coverage_report = record(
    {"coverage_format": one_of("cobertura", "jacoco"), "path": name},
    required=["coverage_format", "path"],
)
_reports = record(
    {**dict.fromkeys(_REPORTS, strings_or_string), "coverage_report": _coverage_report}
)

expiry = duration(words=["never"])


def _exposed(value: Map, spot: Spot) -> None:
    """`expose_as` wants plain paths."""
    if value.get("expose_as") is None:
        return
    paths = value.get("paths")
    if is_blank(paths):
        spot.report("missing", "paths can't be blank", "name the `paths` that `expose_as` shows")
    elif is_list_of(is_word)(paths) and any("*" in path for path in paths or ()):
        spot.inside("paths", value.where("paths")).report(
            "bad-format", "can't contain '*' when used with 'expose_as'", "name the paths in full"
        )


artifacts = record(
    {
        "name": string,
        "untracked": boolean,
        "paths": strings,
        "exclude": strings,
        "reports": _reports,
        "when": _WHEN,
        "expire_in": expiry,
        "expose_as": both(
            string,
            shorter(100),
            matching(r"\w[-\w ]*", "can contain only letters, digits, '-', '_' and spaces"),
        ),
        "public": boolean,
        "access": one_of("none", "developer", "maintainer", "all"),
    },
    not_together=[("access", "public")],
    also=_exposed,
)


def _key(value: Any, spot: Spot) -> None:
    """A cache key becomes part of a path."""
    path = unquote_plus(value)
    if "/" in path:
        spot.report("bad-format", 'cannot contain the "/" character', "use '-' in its place")
    elif path in (".", ".."):
        spot.report("bad-format", 'cannot be "." or ".."', "choose another key")


_files = both(strings, longer(1), shorter(2))
_policy = re.compile(r"pull-push|push|pull|\$")


def _is_policy(value: Any) -> bool:
    return is_blank(value) or (is_string(value) and bool(_policy.search(value)))


_cache = record(
    {
        "key": by_type(
            "a hash, a string or a symbol",
            (is_word, _key),
            (
                is_map,
                record(
                    {
                        "files": _files,
                        "files_commits": _files,
                        "prefix": both(expect(is_word, "a string or symbol"), _key),
                    },
                    exactly_one=("files", "files_commits"),
                ),
            ),
        ),
        "untracked": boolean,
        "unprotect": boolean,
        "paths": strings,
        "when": _WHEN,
        "policy": expect(
            _is_policy, "a variable or one of: pull-push, push, pull", rule="unknown-value"
        ),
        "fallback_keys": both(strings, shorter(5)),
    }
)


def _few(value: Any, spot: Spot) -> None:
    if len(value) > MAX_CACHES:
        spot.report("too-many", f"no more than {MAX_CACHES} caches can be created", "merge some")


cache = by_type("a hash or an array", (is_map, _cache), (is_seq, both(_few, each(_cache))))

pages = by_type(
    "a hash or a boolean value",
    (lambda value: isinstance(value, bool), anything),
    (is_map, record({"path_prefix": string, "expire_in": expiry, "publish": string})),
)


def _is_time(value: Any) -> bool:
    if not is_string(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


_BAD_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[/.-]|[/.]$|\.lock$")


def _is_ref(value: Any) -> bool:
    return is_string(value) and bool(value) and not _BAD_REF.search(value)


release = record(
    {
        "tag_name": name,
        "tag_message": string,
        "name": anything,
        "description": name,
        "ref": expect(_is_ref, "a valid ref", "write a branch, tag or commit", "bad-format"),
        "released_at": expect(
            _is_time,
            "a valid datetime",
            'write it in ISO 8601 and in quotes: "2026-01-31T12:00:00Z"',
        ),
        "milestones": strings_or_string,
        # GitLab's parser looks into no link: only the API that makes the release does.
        "assets": record(
            {"links": both(present, expect(is_list_of(is_map), "an array of hashes"))},
            required=["links"],
        ),
    },
    required=["tag_name", "description"],
)
