"""The bundled workspace as a git repository of its own, for tests."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from tests.conftest import Repo

REPOSITORY = Path(__file__).parent.parent
EXAMPLE = REPOSITORY / "examples" / "all-erp"


def copy_example(target: Path) -> Repo:
    """What git knows of examples/all-erp, committed on `main`."""
    spec = importlib.util.spec_from_file_location("demo", REPOSITORY / "examples" / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    target.mkdir(parents=True)
    demo.copy_tracked(target)
    repo = Repo(target)
    repo.git("init", "--quiet", "--initial-branch=main")
    repo.commit("The workspace")
    return repo
