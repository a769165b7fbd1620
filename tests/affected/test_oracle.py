"""The recorded answers of real Nx 24: every scenario, with each form of graph file.

`oracle/` holds the history of a workspace (a git bundle) and what `nx show projects
--affected --base --head --json` answered at each head.
"""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ciforge.cli.main import run

ORACLE = Path(__file__).parent / "oracle"
SCENARIOS: list[dict[str, Any]] = json.loads((ORACLE / "scenarios.json").read_text())["scenarios"]
FORMS = {"nx graph --file": ".json.gz", "workspace-data": ".workspace-data.json.gz"}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("oracle")
    for command in (
        ["init", "--quiet"],
        ["fetch", "--quiet", str(ORACLE / "workspace.bundle"), "refs/pub/*:refs/pub/*"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def cases(answer: str) -> Iterator[Any]:
    for scenario in SCENARIOS:
        if scenario[answer] is None:
            continue
        for form, suffix in FORMS.items():
            recorded = ORACLE / "graph" / f"{scenario['head']}{suffix}"
            if recorded.exists():
                yield pytest.param(scenario, recorded, id=f"{scenario['id']}-{form}")


def ask(
    clone: Path,
    scenario: dict[str, Any],
    recorded: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *change: str,
) -> list[str]:
    subprocess.run(
        ["git", "checkout", "--quiet", "--force", scenario["head"]], cwd=clone, check=True
    )
    graph = tmp_path / "graph.json"
    graph.write_bytes(gzip.decompress(recorded.read_bytes()))
    code = run(["-C", str(clone), "affected", *change, "--graph", str(graph), "--format", "json"])
    output = capsys.readouterr()
    assert code == 0, output.err
    answer = json.loads(output.out)
    assert isinstance(answer, list)
    return answer


@pytest.mark.parametrize(("scenario", "recorded"), list(cases("nx_affected")))
def test_base_and_head(
    clone: Path,
    scenario: dict[str, Any],
    recorded: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change = ("--base", scenario["base"], "--head", scenario["head"])
    answer = ask(clone, scenario, recorded, tmp_path, capsys, *change)
    assert answer == sorted(scenario["nx_affected"])


def files_cases() -> Iterator[Any]:
    """Those that `--files` can say: it splits names at commas."""
    for case in cases("nx_affected_files_arg"):
        changed = case.values[0]["changed_files"]
        if changed and not any("," in path for path in changed):
            yield case


@pytest.mark.parametrize(("scenario", "recorded"), list(files_cases()))
def test_files(
    clone: Path,
    scenario: dict[str, Any],
    recorded: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change = ("--files", ",".join(scenario["changed_files"]))
    answer = ask(clone, scenario, recorded, tmp_path, capsys, *change)
    assert answer == sorted(scenario["nx_affected_files_arg"])


def test_all_scenarios_are_there() -> None:
    assert len(SCENARIOS) == 54
    assert sum(1 for _ in cases("nx_affected")) >= 2 * sum(
        1 for s in SCENARIOS if s["nx_affected"] is not None
    )
