"""The main job on the bundled workspace: plan a real change, and say why.

Copies examples/all-erp into a temporary folder, makes it a git repository of its own, changes
a library there, and runs ciforge on it as a user would. No node and no Docker are needed: the
project graph is the one that the workspace's own Nx recorded.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

EXAMPLE = Path(__file__).parent / "all-erp"
CHANGED = "libs/common/src/json-logger.ts"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="ciforge-demo-") as folder:
        workspace = Path(folder) / "all-erp"
        copy_tracked(workspace)
        git(workspace, "init", "--quiet", "--initial-branch=main")
        commit(workspace, "The workspace as it is")
        git(workspace, "switch", "--quiet", "--create", "feature/log-level")
        with (workspace / CHANGED).open("a", encoding="utf-8") as source:
            source.write("\nexport const DEFAULT_LEVEL = 'info';\n")
        commit(workspace, "Name the default log level")
        graph = ["--graph", str(workspace / "project-graph.json")]
        show(f"A commit on feature/log-level changes {CHANGED}. What would happen?")
        ciforge(workspace, "plan", "--offline", *graph)
        show("Nx's own question: which projects does the change affect?")
        ciforge(workspace, "affected", *graph)
        show("Why is auth-service-e2e among them?")
        ciforge(workspace, "affected", "--why", "auth-service-e2e", *graph)
        show("Which input of auth-service's image differs from main's?")
        ciforge(workspace, "digest", "auth-service", "--against", "main", *graph)


def copy_tracked(target: Path) -> None:
    """Only what git knows: no node_modules, no build output."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=EXAMPLE, check=True, capture_output=True
    ).stdout
    for name in filter(None, os.fsdecode(listed).split("\0")):
        destination = target / name
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(EXAMPLE / name, destination, follow_symlinks=False)


def git(workspace: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Demo", "-c", "user.email=demo@example.com"]
    settings = ["-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null"]
    subprocess.run(["git", *identity, *settings, *arguments], cwd=workspace, check=True)


def commit(workspace: Path, message: str) -> None:
    git(workspace, "add", "--all")
    git(workspace, "commit", "--quiet", "--message", message)


def show(question: str) -> None:
    line = f"# {question}"
    print(f"\n\x1b[1m{line}\x1b[0m" if sys.stdout.isatty() else f"\n{line}", flush=True)


def ciforge(workspace: Path, *arguments: str) -> None:
    shown = " ".join(a.replace(f"{workspace}/", "") for a in arguments)
    print(f"$ ciforge {shown}", flush=True)
    # Of this machine's CI variables none may decide what the demo shows.
    env = {k: v for k, v in os.environ.items() if not k.startswith(("CI_", "GITLAB_", "NX_"))}
    command = [sys.executable, "-m", "ciforge", "-C", str(workspace), *arguments]
    done = subprocess.run(command, env=env, check=False)
    if done.returncode not in (0, 1):
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
