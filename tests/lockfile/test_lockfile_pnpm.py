"""A real pnpm accepts what a reduction writes, and refuses it when the files disagree."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ciforge.lockfile import ReducedPnpm, reduce_pnpm

pytestmark = pytest.mark.node

PATCH = """\
diff --git a/PATCHED b/PATCHED
new file mode 100644
index 0000000000000000000000000000000000000000..190a18037c64c43e6b11489df4bf0b9eb6d2c9bf
--- /dev/null
+++ b/PATCHED
@@ -0,0 +1 @@
+patched
"""
WORKSPACE = """\
packages:
  - apps/*
  - libs/*
catalog:
  ms: 2.1.2
catalogs:
  old:
    is-odd: 3.0.0
overrides:
  is-number: $is-number
  unreached: 1.0.0
  is-odd@3>kind-of: '-'
  once: catalog:pins
patchedDependencies:
  is-odd: patches/is-odd.patch
  ms@2.1.2: patches/ms.patch
onlyBuiltDependencies:
  - ms
"""
MANIFESTS: dict[str, dict[str, Any]] = {
    ".": {
        "name": "acme",
        "scripts": {"test": "true"},
        "devDependencies": {"is-number": "7.0.0", "wrappy": "1.0.2"},
    },
    "apps/a": {"name": "a", "dependencies": {"common": "workspace:*", "is-odd": "catalog:old"}},
    "apps/b": {"name": "b", "dependencies": {"ms": "catalog:", "once": "^1.3.0"}},
    "libs/common": {"name": "common", "devDependencies": {"one": "npm:wrappy@1.0.2"}},
}


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture(scope="module")
def pnpm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pnpm")
    done = _run(["npm", "install", "--silent", "--prefix", str(folder), "pnpm@10"], folder)
    assert done.returncode == 0, done.stderr
    return folder / "node_modules/.bin/pnpm"


@pytest.fixture(scope="module")
def workspace(pnpm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("workspace")
    for folder, manifest in MANIFESTS.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / "package.json").write_text(json.dumps(manifest))
    (root / "patches").mkdir()
    for name in ("is-odd", "ms"):
        (root / f"patches/{name}.patch").write_text(PATCH)
    text = WORKSPACE.replace("overrides:", "  pins:\n    once: 1.4.0\noverrides:")
    (root / "pnpm-workspace.yaml").write_text(text)
    done = _run([str(pnpm), "install", "--lockfile-only", "--ignore-scripts"], root)
    assert done.returncode == 0, done.stdout + done.stderr
    return root


def _reduce(root: Path, *importers: str, keep: set[str] | None) -> ReducedPnpm:
    return reduce_pnpm(
        (root / "pnpm-lock.yaml").read_text(),
        workspace_yaml=(root / "pnpm-workspace.yaml").read_text(),
        root_package_json=(root / "package.json").read_text(),
        importers=importers,
        keep_root_dev=keep,
    )


def _lay_out(reduced: ReducedPnpm, source: Path, target: Path) -> None:
    for folder in reduced.importers:
        (target / folder).mkdir(parents=True, exist_ok=True)
        shutil.copy(source / folder / "package.json", target / folder / "package.json")
    for path in (*reduced.patches, *reduced.local_paths):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / path, target / path)
    (target / "package.json").write_text(reduced.package_json)
    (target / "pnpm-lock.yaml").write_text(reduced.lockfile)
    (target / "pnpm-workspace.yaml").write_text(reduced.workspace_yaml or "")


def _install(pnpm: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return _run([str(pnpm), "install", "--frozen-lockfile", "--ignore-scripts"], folder)


def test_frozen_install_of_one_service(pnpm: Path, workspace: Path, tmp_path: Path) -> None:
    reduced = _reduce(workspace, "apps/a", keep=set())
    assert reduced.importers == [".", "apps/a", "libs/common"]
    assert reduced.patches == ["patches/is-odd.patch"]
    _lay_out(reduced, workspace, tmp_path)
    before = (tmp_path / "pnpm-lock.yaml").read_text()
    done = _install(pnpm, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "pnpm-lock.yaml").read_text() == before
    assert (tmp_path / "apps/a/node_modules/is-odd/PATCHED").exists()
    assert (tmp_path / "apps/a/node_modules/common/package.json").exists()
    assert (tmp_path / "libs/common/node_modules/one/package.json").exists()
    store = {path.name for path in (tmp_path / "node_modules/.pnpm").iterdir()}
    assert not any(name.startswith(("ms@", "once@")) for name in store)
    assert any(name.startswith("is-number@7.0.0") for name in store)


def test_frozen_install_of_two_with_root_tools(pnpm: Path, workspace: Path, tmp_path: Path) -> None:
    reduced = _reduce(workspace, "apps/b", "apps/a", keep={"is-number"})
    assert reduced.patches == ["patches/is-odd.patch", "patches/ms.patch"]
    _lay_out(reduced, workspace, tmp_path)
    done = _install(pnpm, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "node_modules/is-number/package.json").exists()
    assert not (tmp_path / "node_modules/wrappy").exists()
    assert (tmp_path / "apps/b/node_modules/ms/PATCHED").exists()


@pytest.mark.parametrize("file", ["pnpm-workspace.yaml", "package.json"])
def test_a_file_that_is_not_reduced_is_refused(
    pnpm: Path, workspace: Path, tmp_path: Path, file: str
) -> None:
    _lay_out(_reduce(workspace, "apps/a", keep={"is-number"}), workspace, tmp_path)
    shutil.copytree(workspace / "patches", tmp_path / "patches", dirs_exist_ok=True)
    shutil.copy(workspace / file, tmp_path / file)
    done = _install(pnpm, tmp_path)
    assert done.returncode != 0
    assert "ERR_PNPM" in done.stdout + done.stderr
