"""What builds need: a workspace, an engine, BuildKit, a registry with token login."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Repo
from tests.images.workspace import Workspace
from tests.infra.registry import Login


@pytest.fixture
def workspace(repo: Repo, registry: Login, buildkit: Any) -> Workspace:
    return Workspace(repo, registry, {**buildkit, **registry.variables()})
