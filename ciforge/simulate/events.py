"""Events by name, and the variables that GitLab would set with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

_MAIN = {"CI_COMMIT_BRANCH": "main"}
_MERGE_REQUEST = {"CI_MERGE_REQUEST_IID": "1", "CI_COMMIT_REF_NAME": "feature"}

PRESETS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "push_main": {"CI_PIPELINE_SOURCE": "push", **_MAIN},
        "push_branch": {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "feature"},
        "mr": {"CI_PIPELINE_SOURCE": "merge_request_event", **_MERGE_REQUEST},
        "mr_child": {"CI_PIPELINE_SOURCE": "parent_pipeline", **_MERGE_REQUEST},
        "main_child": {"CI_PIPELINE_SOURCE": "parent_pipeline", **_MAIN},
        "tag": {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_TAG": "v1.2.3"},
        "schedule": {"CI_PIPELINE_SOURCE": "schedule", **_MAIN},
        "web": {"CI_PIPELINE_SOURCE": "web", **_MAIN},
    }
)
"""Names for `--as`; the main branch is called main, a merge request comes from feature."""


_SHA = "0123456789abcdef0123456789abcdef01234567"
_ALWAYS = {"CI": "true", "GITLAB_CI": "true", "CI_SERVER": "yes", "CI_DEFAULT_BRANCH": "main"}
_MAX_SLUG = 63


def completed(variables: Mapping[str, str]) -> dict[str, str]:
    """`variables` with those of GitLab's own that follow from them, or that it never leaves out.

    Nothing given stays nothing. The commit's SHA is made up; what GitLab knows of the project
    and the server is not.
    Source: "Predefined CI/CD variables reference" in GitLab's documentation, "Pre-pipeline".
    """
    if not variables:
        return {}
    known = {**_ALWAYS, "CI_COMMIT_SHA": _SHA, **variables}
    known.setdefault("CI_COMMIT_SHORT_SHA", known["CI_COMMIT_SHA"][:8])
    branch = known.get("CI_COMMIT_BRANCH") or known.get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME")
    if ref := known.get("CI_COMMIT_REF_NAME") or known.get("CI_COMMIT_TAG") or branch:
        known.setdefault("CI_COMMIT_REF_NAME", ref)
        known.setdefault("CI_COMMIT_REF_SLUG", _slug(ref))
    if number := known.get("CI_MERGE_REQUEST_IID"):
        known.setdefault("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", known["CI_DEFAULT_BRANCH"])
        known.setdefault("CI_MERGE_REQUEST_EVENT_TYPE", "detached")
        known.setdefault("CI_MERGE_REQUEST_REF_PATH", f"refs/merge-requests/{number}/head")
        if ref:
            known.setdefault("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", ref)
    return known


def _slug(ref: str) -> str:
    return re.sub(r"[^a-z0-9]", "-", ref.lower())[:_MAX_SLUG].strip("-")
