"""A component that is missing fails the tests; it never skips them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_TESTS = Path(__file__).parent.parent
_SKIP = re.compile(r"pytest\.(skip|importorskip)|mark\.(skip|xfail)")


def _with_docker() -> list[Path]:
    modules = sorted(_TESTS.rglob("*.py"))
    return [module for module in modules if "mark.docker" in module.read_text()]


@pytest.mark.parametrize("module", _with_docker(), ids=lambda module: module.stem)
def test_no_docker_test_can_be_skipped(module: Path) -> None:
    fixtures = [*module.parent.glob("conftest.py"), _TESTS / "infra/fixtures.py"]
    for path in {module, *fixtures} - {Path(__file__)}:
        assert not _SKIP.search(path.read_text()), path
