"""Releases of merge requests: their names, and what may have one."""

from __future__ import annotations

import msgspec
import pytest

from ciforge.deploy.instance import instance_of, release_of
from ciforge.errors import InputError
from tests.gate import chain


def test_a_release_is_named_as_long_as_helm_takes_it() -> None:
    assert release_of("all-erp", None) == "all-erp"
    assert release_of("all-erp", "review-7-ab12cd") == "all-erp-review-7-ab12cd"
    assert release_of("a" * 60, "review-7-ab12cd") == f"{'a' * 37}-review-7-ab12cd"
    assert release_of("a" * 36 + "-bcd", "review-7-ab12cd") == f"{'a' * 36}-review-7-ab12cd"


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a b", "$(reboot)", "a" * 41, "../x", "a\n"])
def test_other_names_are_no_instances(name: str) -> None:
    with pytest.raises(InputError, match="is no name of an instance"):
        release_of("all-erp", name)


def test_only_reviews_have_instances_and_always() -> None:
    deploy = chain.plan(["api"]).deploys[0]
    review = msgspec.structs.replace(deploy, review=True)
    assert instance_of(deploy, None) is deploy
    assert instance_of(review, "mr-7").release == f"{deploy.release}-mr-7"
    with pytest.raises(InputError, match="has one release and no instances"):
        instance_of(deploy, "mr-7")
    with pytest.raises(InputError, match="has a release for each merge request"):
        instance_of(review, None)
