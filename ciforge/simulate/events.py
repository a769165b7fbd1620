"""Events by name, and the variables that GitLab would set with them."""

from __future__ import annotations

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


def completed(variables: Mapping[str, str]) -> dict[str, str]:
    """`variables` with the default branch and the ref's name, which GitLab never leaves out.

    Nothing given stays nothing.
    """
    if not variables:
        return {}
    ref = variables.get("CI_COMMIT_TAG") or variables.get("CI_COMMIT_BRANCH")
    known = {"CI_DEFAULT_BRANCH": "main", **({"CI_COMMIT_REF_NAME": ref} if ref else {})}
    return {**known, **variables}
