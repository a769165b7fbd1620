"""The bundled workspace under its own, real Nx."""

from __future__ import annotations

import json
import re

import pytest

from ciforge.cli.main import run as ciforge
from tests.conftest import Repo
from tests.example import EXAMPLE
from tests.nx.conftest import run

pytestmark = pytest.mark.node


def test_its_recorded_graph_is_the_one_that_nx_makes(workspace: Repo) -> None:
    run(workspace.path, "pnpm", "nx", "graph", "--file=fresh.json")
    fresh = json.loads((workspace.path / "fresh.json").read_text())
    recorded = json.loads((EXAMPLE / "project-graph.json").read_text())
    assert fresh == recorded, "write it anew: nx graph --file=project-graph.json"


def test_it_builds_and_its_tests_pass(workspace: Repo) -> None:
    output = run(workspace.path, "pnpm", "nx", "run-many", "-t", "build", "test")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output)
    assert "Successfully ran targets build, test for 10 projects" in plain


def test_no_file_names_a_registry_host() -> None:
    lock = (EXAMPLE / "pnpm-lock.yaml").read_text()
    assert "tarball:" not in lock
    assert "://" not in lock.replace("https://git", "")


def nx_affected(workspace: Repo, *arguments: str) -> list[str]:
    output = run(
        workspace.path, "pnpm", "nx", "show", "projects", "--affected", "--json", *arguments
    )
    answer: list[str] = json.loads(output.strip().splitlines()[-1])
    return sorted(answer)


def our_affected(workspace: Repo, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    command = ["-C", str(workspace.path), "affected", "--format", "json", *arguments]
    code = ciforge(command)
    output = capsys.readouterr()
    assert code == 0, output.err
    answer: list[str] = json.loads(output.out)
    return answer


CHANGES = {
    "a library": {"libs/common/src/index.ts": "export {};\n"},
    "a spec file": {"libs/database/src/new.spec.ts": "x"},
    "documentation": {"docs/new.md": "x"},
    "a root file": {"README.md": "x"},
    "nx.json": {"nx.json": None},
    "a manifest": {"apps/web/package.json": None},
    "the root manifest": {"package.json": None},
}


@pytest.mark.parametrize("name", CHANGES)
def test_affected_as_nx_answers(
    workspace: Repo, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nx is asked by ciforge itself for the graph, then both answer the same question."""
    files = {
        path: (workspace.path / path).read_text().rstrip() + "\n\n" if text is None else text
        for path, text in CHANGES[name].items()
    }
    workspace.git("checkout", "--quiet", "-B", "change")
    workspace.commit(files=files)
    change = ("--base=main", "--head=HEAD")
    assert our_affected(workspace, capsys, *change) == nx_affected(workspace, *change)
    filters = ("--exclude=tag:type:app,common", "--projects=*-service,libs/*")
    assert our_affected(workspace, capsys, *change, *filters) == nx_affected(
        workspace, *change, *filters
    )


def test_uncommitted_work_as_nx_answers(
    workspace: Repo, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.write({"libs/messaging/src/index.ts": "x", "apps/web/untracked.ts": "x"})
    for change in (("--base=main",), ("--uncommitted",), ("--untracked",), ()):
        assert our_affected(workspace, capsys, *change) == nx_affected(workspace, *change)


def test_a_plan_with_the_workspaces_own_nx(
    workspace: Repo, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.git("checkout", "--quiet", "-B", "change")
    workspace.commit(files={"libs/messaging/src/index.ts": "export {};\n"})
    assert ciforge(["-C", str(workspace.path), "plan", "--offline", "--format", "json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [s["name"] for s in plan["services"] if s["action"] == "build"] == ["billing-service"]
    assert workspace.git("status", "--porcelain") == ""
