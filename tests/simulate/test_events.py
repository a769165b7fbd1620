"""The variables that GitLab sets with an event."""

from __future__ import annotations

import pytest

from ciforge.simulate.events import PRESETS, completed


@pytest.mark.parametrize("event", PRESETS)
def test_what_every_pipeline_has(event: str) -> None:
    found = completed(PRESETS[event])
    assert (found["CI"], found["GITLAB_CI"], found["CI_DEFAULT_BRANCH"]) == ("true", "true", "main")
    assert found["CI_COMMIT_SHA"].startswith(found["CI_COMMIT_SHORT_SHA"])
    assert found["CI_COMMIT_REF_NAME"]
    assert PRESETS[event].items() <= found.items()


def test_a_merge_request() -> None:
    found = completed({**PRESETS["mr"], "CI_DEFAULT_BRANCH": "trunk"})
    assert found["CI_MERGE_REQUEST_TARGET_BRANCH_NAME"] == "trunk"
    assert found["CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"] == found["CI_COMMIT_REF_NAME"] == "feature"
    assert found["CI_MERGE_REQUEST_EVENT_TYPE"] == "detached"
    assert "CI_COMMIT_BRANCH" not in found
    assert not any(name.startswith("CI_MERGE_REQUEST") for name in completed(PRESETS["tag"]))


def test_what_is_given_counts() -> None:
    given = {"CI": "", "CI_COMMIT_TAG": "v1", "CI_COMMIT_REF_SLUG": "x", "CI_COMMIT_SHA": "a" * 40}
    found = completed(given)
    assert given.items() <= found.items()
    assert found["CI_COMMIT_SHORT_SHA"] == "a" * 8


@pytest.mark.parametrize(
    ("branch", "slug"),
    [("Feature/A_b", "feature-a-b"), ("-ä-", ""), (f"{'x' * 62}/y", "x" * 62)],
)
def test_the_slug_of_a_branch(branch: str, slug: str) -> None:
    assert completed({"CI_COMMIT_BRANCH": branch})["CI_COMMIT_REF_SLUG"] == slug


def test_nothing_stays_nothing() -> None:
    assert completed({}) == {}
