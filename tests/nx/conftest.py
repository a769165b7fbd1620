"""The bundled workspace with its packages installed, and its own Nx."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import STARTED_WITH, Repo
from tests.example import EXAMPLE, copy_example

PNPM = "10.34.9"


def cache_folder() -> Path:
    base = STARTED_WITH.get("XDG_CACHE_HOME") or str(
        Path(STARTED_WITH.get("HOME", "/root")) / ".cache"
    )
    return Path(base) / "ciforge"


def environment() -> dict[str, str]:
    """The environment of the test run, with Nx kept from daemons, clouds and terminals."""
    kept = {k: v for k, v in STARTED_WITH.items() if not k.startswith(("NX_", "GIT_", "CI_"))}
    identity = {
        f"GIT_{r}_{k}": v
        for r in ("AUTHOR", "COMMITTER")
        for k, v in (("NAME", "Test"), ("EMAIL", "test@example.com"))
    }
    return {
        **kept,
        **identity,
        "CI": "true",
        "NX_DAEMON": "false",
        "NX_NO_CLOUD": "true",
        "NX_TUI": "false",
        "PATH": f"{pnpm_folder() / 'node_modules' / '.bin'}{os.pathsep}{STARTED_WITH['PATH']}",
    }


def pnpm_folder() -> Path:
    return cache_folder() / f"pnpm-{PNPM}"


def run(folder: Path, *command: str, timeout: int = 900) -> str:
    """Runs a command with its output in the assertion when it fails."""
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=timeout
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def pnpm() -> None:
    """pnpm of the version that the workspace pins, in the user's cache."""
    assert shutil.which("node"), "node is missing: install Node.js 20.19 or newer"
    assert shutil.which("npm"), "npm is missing: install it beside Node.js"
    target = pnpm_folder()
    if (target / "node_modules" / ".bin" / "pnpm").exists():
        return
    half = target.with_name(f"{target.name}.{os.getpid()}")
    half.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["npm", "install", "--prefix", str(half), "--no-audit", "--no-fund", f"pnpm@{PNPM}"],
        env=STARTED_WITH,
        check=True,
        capture_output=True,
    )
    if not target.exists():
        half.rename(target)


@pytest.fixture(scope="session")
def installed(pnpm: None, tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """examples/all-erp, committed on main, after `pnpm install --frozen-lockfile`."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment().items():
            patch.setenv(name, value)
        repo = copy_example(tmp_path_factory.mktemp("installed") / "all-erp")
    run(repo.path, "pnpm", "install", "--frozen-lockfile")
    return repo


@pytest.fixture
def workspace(installed: Repo, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """The installed workspace, back on a clean main."""
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    installed.git("checkout", "--quiet", "--force", "main")
    installed.git("clean", "--quiet", "-fd")
    return installed


__all__ = ["EXAMPLE"]
