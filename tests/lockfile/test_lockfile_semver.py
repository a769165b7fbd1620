"""npm's version ranges, against answers recorded from the module `semver` 7.8.5 of node.

semver_answers.json has lists of versions and ranges; `valid` tells for each range whether
`semver.validRange` takes it, `satisfies[i][j]` whether version i is in range j. Left out is
what node-semver 0.9.1 is known to take and node refuses: ranges with a number after a
wildcard (`1.*.3`), and numbers from 2**53 on. No registry accepts such versions.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from ciforge.lockfile import LockfileError
from ciforge.lockfile.common import compare, is_range, satisfies

ANSWERS = json.loads((Path(__file__).parent / "semver_answers.json").read_text())


@pytest.mark.parametrize("index", range(len(ANSWERS["versions"])), ids=ANSWERS["versions"])
def test_satisfies(index: int) -> None:
    version, answers = ANSWERS["versions"][index], ANSWERS["satisfies"][index]
    for version_range, answer in zip(ANSWERS["ranges"], answers, strict=True):
        assert satisfies(version, version_range) is (answer == "1"), (version, version_range)


def test_ranges() -> None:
    for version_range, answer in zip(ANSWERS["ranges"], ANSWERS["valid"], strict=True):
        assert is_range(version_range) is (answer == "1"), version_range


def test_order() -> None:
    ascending = ("0.0.1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta", "1.0.0", "1.2.10", "2.0.0")
    for lower, higher in pairwise(ascending):
        assert compare(lower, higher) < 0 < compare(higher, lower)
    with pytest.raises(LockfileError, match="file:x"):
        compare("1.0.0", "file:x")
