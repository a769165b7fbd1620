"""Answers of real Nx 24.0.6, recorded by nx_answers.cjs, for lockfiles of real package managers.

The lockfiles of one small workspace (two apps, a library; an alias, an override, a local
tarball; with pnpm 10 also catalogs, patches and a link outside) were written by npm 11.19.1
(`--lockfile-version` 1, 2, 3), pnpm 7, 8 and 10.34.9, and yarn 1.22.22, 3 and 4. At head
apps/billing has another chalk and ms. Registry hosts were replaced by registry.example.com
before recording. `fixtures/made-*` are written by hand, for the rules that these do not
touch and for malformed files.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ciforge.lockfile import LOCKFILE_NAMES, LockfileError, changed_packages, external_graph

HERE = Path(__file__).parent
FIXTURES = HERE / "fixtures"
ANSWERS: dict[str, Any] = json.loads((HERE / "nx_answers.json").read_text())
SIDES = ("base", "head")


def _text(case: str, side: str) -> str:
    return (FIXTURES / case / side / ANSWERS[case]["lockfile"]).read_bytes().decode()


def _context(case: str) -> tuple[dict[str, Any], dict[str, Mapping[str, Any]]]:
    folder = FIXTURES / case
    installed = folder / "installed.json"
    manifests = json.loads(installed.read_text()) if installed.exists() else {}
    return json.loads((folder / "package.json").read_text()), manifests


def test_every_fixture_has_an_answer() -> None:
    assert set(ANSWERS) == {path.name for path in FIXTURES.iterdir()}
    assert {a["lockfile"] for a in ANSWERS.values()} <= set(LOCKFILE_NAMES)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("case", ANSWERS)
def test_graph(case: str, side: str) -> None:
    answer, text = ANSWERS[case][side], _text(case, side)
    package_json, manifests = _context(case)
    name = ANSWERS[case]["lockfile"]
    if "error" in answer:
        with pytest.raises(LockfileError):
            external_graph(name, text, package_json, installed=manifests.get)
        return
    nodes, edges = external_graph(name, text, package_json, installed=manifests.get)
    assert {
        key: [
            node.data.package_name,
            node.data.version,
            node.data.hash if node.data.hash and node.data.hash in text else None,
        ]
        for key, node in nodes.items()
    } == answer["nodes"]
    assert all(key == node.name for key, node in nodes.items())
    assert all(node.data.hash for node in nodes.values())
    assert [f"{e.source} {e.target}" for e in edges] == list(dict.fromkeys(answer["edges"]))


@pytest.mark.parametrize("case", ANSWERS)
def test_changed_packages(case: str) -> None:
    answer = ANSWERS[case]
    package_json, manifests = _context(case)
    texts = [_text(case, side) for side in SIDES]
    if answer["changed"] == ["ALL"]:
        with pytest.raises(LockfileError):
            changed_packages(answer["lockfile"], *texts, package_json, installed=manifests.get)
    else:
        assert answer["changed"] == sorted(
            changed_packages(answer["lockfile"], *texts, package_json, installed=manifests.get)
        )


@pytest.mark.parametrize("case", [case for case in ANSWERS if "error" not in ANSWERS[case]["head"]])
def test_nothing_changed(case: str) -> None:
    text = _text(case, "head")
    assert changed_packages(ANSWERS[case]["lockfile"], text, text, _context(case)[0]) == set()


def test_order_of_lockfiles() -> None:
    assert LOCKFILE_NAMES[:3] == ("yarn.lock", "package-lock.json", "pnpm-lock.yaml")
    assert LOCKFILE_NAMES[3:] == ("pnpm-lock.yml", "bun.lockb", "bun.lock")


@pytest.mark.parametrize("name", ["bun.lock", "bun.lockb", "Cargo.lock"])
def test_lockfiles_that_are_not_read(name: str) -> None:
    with pytest.raises(LockfileError, match=name):
        changed_packages(name, "{}", "{}", {})


@pytest.mark.node
def test_recorded_answers_are_those_of_nx(tmp_path: Path) -> None:
    install = ["npm", "install", "--silent", "--prefix", str(tmp_path), "nx@24.0.6"]
    subprocess.run(install, check=True, timeout=300)
    nx = tmp_path / "node_modules/nx"
    answers = subprocess.run(
        ["node", str(HERE / "nx_answers.cjs"), str(nx), str(FIXTURES)],
        check=True,
        capture_output=True,
        timeout=60,
    )
    assert json.loads(answers.stdout) == ANSWERS
