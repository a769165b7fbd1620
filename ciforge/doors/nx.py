"""The door to the workspace's own Nx, asked only for its project graph."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from ciforge.doors import files
from ciforge.doors.process import ProcessError, run
from ciforge.errors import InputError, OutsideError

# A plugin that fails on one file leaves a partial graph and exit code 0 (Nx 19 to 23): only
# the output tells.
_PARTIAL = re.compile(r"Failed to process project graph|errors? occurred while processing files")


def runner(workspace: Path) -> list[str]:
    """The command that starts the workspace's Nx: its binary, else `.nx/nxw.js`."""
    binary = workspace / "node_modules" / ".bin" / "nx"
    if files.exists(binary):
        return [str(binary)]
    wrapper = workspace / ".nx" / "nxw.js"
    if files.exists(wrapper):
        return ["node", str(wrapper)]
    raise OutsideError(
        "the workspace's own Nx is not installed",
        where=str(workspace),
        hint="install its packages (pnpm install), or name a graph: --graph FILE",
    )


def project_graph(workspace: Path, *, timeout: float = 600) -> bytes:
    """What Nx writes for this working tree: with external nodes when it leaves them behind.

    Raises OutsideError with Nx's own output when it fails, InputError when it wrote only a
    part of the graph.
    """
    cached = workspace / ".nx" / "workspace-data" / "project-graph.json"
    before = _stamp(cached)
    with tempfile.TemporaryDirectory(prefix="ciforge-nx-") as folder:
        target = Path(folder) / "graph.json"
        try:
            output = run(
                [*runner(workspace), "graph", f"--file={target}"],
                cwd=workspace,
                env={
                    "NX_DAEMON": "false",
                    "NX_NO_CLOUD": "true",
                    "NX_TUI": "false",
                    "NX_INTERACTIVE": "false",
                    "FORCE_COLOR": "0",
                    "CI": "true",
                },
                timeout=timeout,
                with_stderr=True,
            ).decode("utf-8", "replace")
        except ProcessError as error:
            said = (error.stderr or error.stdout or "it said nothing").strip()
            raise OutsideError(
                f"nx graph failed (exit code {error.returncode}):\n{_indent(said)}",
                where=str(workspace),
                hint="run it by hand in the workspace: nx graph --file=graph.json",
            ) from error
        if _PARTIAL.search(output):
            raise InputError(
                f"Nx wrote only a part of its graph:\n{_indent(output.strip())}",
                where=str(workspace),
                hint="mend what Nx names; a partial graph would leave services out",
            )
        written = files.read_bytes(target)
    if written is None:
        raise OutsideError(
            f"nx graph wrote no file: {output.strip() or 'it said nothing'}",
            where=str(workspace),
            hint="run it by hand in the workspace: nx graph --file=graph.json",
        )
    # The file that Nx keeps for itself says more (packages); it counts only if this run wrote it.
    if _stamp(cached) != before:
        return files.read_bytes(cached) or written
    return written


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino


def _indent(text: str, limit: int = 40) -> str:
    lines = text.splitlines()
    if len(lines) > limit:
        lines = [f"… {len(lines) - limit} lines left out", *lines[-limit:]]
    return "\n".join(f"    {line}" for line in lines)
