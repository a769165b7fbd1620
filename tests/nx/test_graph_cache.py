"""`--graph-cache` beside the real Nx of the bundled workspace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ciforge.collect.graph import Found, GraphChoice, find_graph
from ciforge.collect.workspace import Root
from tests.conftest import Repo

pytestmark = pytest.mark.node

MAIN = "apps/assistant-service/src/ask.controller.ts"


def edges(found: Found) -> set[tuple[str, str]]:
    return {(e.source, e.target) for group in found.graph.dependencies.values() for e in group}


def test_a_body_is_reused_and_an_import_is_not(workspace: Repo, tmp_path: Path) -> None:
    choice = GraphChoice(cache=tmp_path / "cache")

    def ask() -> Found:
        return find_graph(Root(workspace.path), choice)

    first = ask()
    assert first.origin.source == "nx"
    assert json.loads((tmp_path / "cache/graph.json").read_bytes())

    source = (workspace.path / MAIN).read_text()
    workspace.write({MAIN: f"{source}\nexport const more = () => 1;\n"})
    second = ask()
    assert second.origin.source == "cache"
    assert second.data == first.data

    target = ("assistant-service", "web")
    assert target not in edges(first)
    workspace.write({MAIN: f"import '../../web/src/nowhere';\n{source}"})
    third = ask()
    assert third.origin.reason == f"made by Nx: the imports of {MAIN} changed"
    assert target in edges(third)
    assert ask().origin.source == "cache"
