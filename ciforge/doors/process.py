"""The one door for processes: argument lists only, never a shell, every call timed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ciforge.errors import OutsideError
from ciforge.text import escape

_observers: list[Callable[[str, float], None]] = []


def observe(callback: Callable[[str, float], None]) -> None:
    """Calls `callback(what, seconds)` after each outside call (the `--verbose` trace)."""
    _observers.append(callback)


def report_call(what: str, seconds: float) -> None:
    """Tells the observers of a call that didn't go through a process (HTTP)."""
    for callback in _observers:
        callback(what, seconds)


class ProcessError(OutsideError):
    """A process ended with a non-zero code. `stderr` is what it said, decoded."""

    def __init__(self, argv: Sequence[str], returncode: int, stdout: bytes, stderr: bytes) -> None:
        self.argv = list(argv)
        self.returncode = returncode
        self.stdout = stdout.decode("utf-8", "replace").strip()
        self.stderr = stderr.decode("utf-8", "replace").strip()
        last = self.stderr.splitlines()[-1] if self.stderr else f"exit code {returncode}"
        super().__init__(
            f"{Path(argv[0]).name} {argv[1] if len(argv) > 1 else ''}: {last}",
            hint="run it by hand to see all that it says (ciforge --verbose shows each call)",
        )


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    stdin: bytes | None = None,
    env: Mapping[str, str | None] | None = None,
    timeout: float | None = None,
    with_stderr: bool = False,
) -> bytes:
    """Runs `argv` and returns its standard output (`with_stderr`: both, as they came).

    `env` is added to the process's own environment; None takes a variable away.
    Raises ProcessError for a non-zero exit, OutsideError when the program is missing or
    `timeout` (seconds) has passed.
    """
    started = time.perf_counter()
    try:
        done = _run(argv, cwd, stdin, env, timeout, with_stderr)
    except FileNotFoundError as error:
        if cwd is not None and not cwd.is_dir():
            raise OutsideError(f"no such directory: {cwd}") from error
        if "/" in argv[0]:
            raise OutsideError(
                f"{argv[0]} can't be started: it or its interpreter is missing",
                hint="install what its first line names (node?), or install the packages anew",
            ) from error
        raise OutsideError(
            f"{argv[0]} was not found", hint=f"install {argv[0]} and put it on PATH"
        ) from error
    except PermissionError as error:
        raise OutsideError(
            f"{argv[0]} may not be executed: {error.strerror}", hint="make it executable"
        ) from error
    except OSError as error:
        raise OutsideError(
            f"{argv[0]} can't be started: {error.strerror}",
            hint="it is no program for this machine: install it anew",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise OutsideError(
            f"{argv[0]} gave no answer within {timeout:g} s", hint="run it by hand to see why"
        ) from error
    report_call(" ".join(argv), time.perf_counter() - started)
    if done.returncode != 0:
        raise ProcessError(argv, done.returncode, done.stdout, done.stderr or b"")
    return done.stdout


def _environment(changes: Mapping[str, str | None]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in changes}
    return {**kept, **{name: value for name, value in changes.items() if value is not None}}


def _run(
    argv: Sequence[str],
    cwd: Path | None,
    stdin: bytes | None,
    env: Mapping[str, str | None] | None,
    timeout: float | None,
    with_stderr: bool,
) -> subprocess.CompletedProcess[bytes]:
    """As subprocess.run, but awake every second.

    A signal that arrives just before a wait begins is not seen until the wait ends; with Nx
    that may take minutes.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    with subprocess.Popen(  # noqa: S603 - an argument list, no shell
        argv,
        cwd=cwd,
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if with_stderr else subprocess.PIPE,
        env=_environment(env) if env else None,
    ) as process:
        try:
            while True:
                try:
                    out, err = process.communicate(stdin, timeout=1)
                    break
                except subprocess.TimeoutExpired:
                    stdin = None  # it is on its way already
                    if deadline is not None and time.monotonic() >= deadline:
                        raise
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(argv, process.returncode, out, err)


def kill_children() -> None:
    """Ends what an interrupt left running: it may come just while a child is being started."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # "pid (name) state ppid …"; a name may hold blanks and brackets.
            parent = int(stat.read_text().rpartition(") ")[2].split()[1])
            if parent == os.getpid():
                child = int(stat.parent.name)
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)  # gone before we are, not soon after
        except (OSError, ValueError, IndexError):
            continue  # it has ended meanwhile


def innermost(error: BaseException) -> str:
    """The innermost reason of a failed call, without the layers that a library puts around it."""
    while True:
        following = error.__cause__ or error.__context__
        if following is None and error.args and isinstance(error.args[0], Exception):
            following = error.args[0]
        if following is None:
            break
        error = following
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(reason).splitlines()[0]


def trace_to_stderr() -> None:
    """Prints each outside call with its time, as `--verbose` shows it."""
    observe(
        lambda what, seconds: (
            print(f"[{seconds:7.3f} s] {escape(what)}", file=sys.stderr) if sys.stderr else None
        )
    )
