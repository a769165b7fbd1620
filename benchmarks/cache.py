"""Workspaces as git repositories in the user's cache folder, made once for each shape."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.generate import base_files, bump_files, change_files, nx_graph
from benchmarks.shape import VERSION, Shape

# Commits that the measurements compare with: the second and the first one.
SOURCE_BASE = "main"
LOCKFILE_BASE = "older"

_CLEAN_GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
}


@dataclass(frozen=True)
class Workspace:
    """`graph` is what the generator says that Nx would write."""

    shape: Shape
    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "workspace"

    @property
    def graph(self) -> Path:
        return self.folder / "graph.json"


def cache_folder() -> Path:
    """Where this version's workspaces lie."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "ciforge" / "bench" / f"v{VERSION}"


def workspace(shape: Shape) -> Workspace:
    """The workspace of that shape; made when the cache has none."""
    folder = cache_folder() / shape.key
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder.parent))
        try:
            _make(Workspace(shape, draft))
            draft.rename(folder)
        except OSError:
            if not folder.exists():  # else another run was faster
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return Workspace(shape, folder)


def _make(made: Workspace) -> None:
    made.path.mkdir()
    made.graph.write_text(json.dumps(nx_graph(made.shape), indent=2))
    _git(made.path, "init", "--quiet", "--initial-branch=main")
    history = (
        (LOCKFILE_BASE, base_files(made.shape)),
        (SOURCE_BASE, bump_files(made.shape)),
        ("change", change_files(made.shape)),
    )
    _git(made.path, "fast-import", "--quiet", "--date-format=raw", stdin=_stream(history))
    _git(made.path, "checkout", "--quiet", "--force", "change")
    # Written once more after a pause, the index needs no second look at any file.
    _git(made.path, "status", "--porcelain")


def _stream(history: Iterable[tuple[str, Iterator[tuple[str, str]]]]) -> Iterator[bytes]:
    """Commits, each on the one before and with a branch of its own, for git fast-import."""
    for mark, (branch, files) in enumerate(history, 1):
        yield f"commit refs/heads/{branch}\nmark :{mark}\n".encode()
        yield f"committer Bench <bench@localhost> {1_700_000_000 + mark} +0000\n".encode()
        yield f"data {len(branch)}\n{branch}\n".encode()
        if mark > 1:
            yield f"from :{mark - 1}\n".encode()
        for path, text in files:
            content = text.encode()
            yield f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n"


def _git(folder: Path, *arguments: str, stdin: Iterable[bytes] = ()) -> None:
    env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | _CLEAN_GIT
    with subprocess.Popen(
        ["git", *arguments],
        cwd=folder,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        for chunk in stdin:
            process.stdin.write(chunk)
        process.stdin.close()
    if process.returncode:
        raise OSError(f"git {arguments[0]} failed in {folder}")
