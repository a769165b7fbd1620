"""The one door for processes: argument lists only, never a shell, every call timed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import deque
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


class StoppedError(OutsideError):
    """A process was told to end, because `until` came true."""


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
    patience: float = 0,
    until: Callable[[], bool] | None = None,
) -> bytes:
    """Runs `argv` and returns its standard output (`with_stderr`: both, as they came).

    `env` is added to the process's own environment; None takes a variable away. `patience`:
    seconds that it has to end by itself after SIGTERM, when we are interrupted; it then gets
    that signal also when we are killed. `until` is asked every second: once it is true, the
    process is ended as by an interrupt.
    Raises ProcessError for a non-zero exit, StoppedError for `until`, OutsideError when the
    program is missing or `timeout` (seconds) has passed.
    """
    started = time.perf_counter()
    try:
        done = _run(argv, cwd, stdin, env, timeout, with_stderr, patience, until)
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


def follow(
    argv: Sequence[str],
    on_line: Callable[[str], None],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str | None] | None = None,
) -> None:
    """Runs `argv` and calls `on_line` with each line that it prints, on either stream.

    For long work whose progress a person wants to see. An interrupt ends the process by
    SIGTERM, then by SIGKILL. Raises as `run` does; the error carries the last lines.
    """
    started = time.perf_counter()
    last: deque[str] = deque(maxlen=40)
    try:
        process = subprocess.Popen(  # noqa: S603 - an argument list, no shell
            argv,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_environment(env) if env else None,
        )
    except OSError as error:
        raise OutsideError(
            f"{argv[0]} can't be started: {error.strerror}", hint=f"install {argv[0]}"
        ) from error
    with process:
        try:
            for raw in process.stdout or ():
                line = raw.decode("utf-8", "replace").rstrip()
                last.append(line)
                on_line(line)
        except BaseException:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
    report_call(" ".join(argv), time.perf_counter() - started)
    if process.returncode != 0:
        raise ProcessError(argv, process.returncode, b"", "\n".join(last).encode())


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
    patience: float,
    until: Callable[[], bool] | None,
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
        preexec_fn=_end_with_us() if patience else None,
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
                    if until is not None and until():
                        raise StoppedError(f"{argv[0]} was told to end") from None
        except BaseException:
            if patience:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.communicate(timeout=patience)
            process.kill()
            raise
    return subprocess.CompletedProcess(argv, process.returncode, out, err)


def _end_with_us() -> Callable[[], object] | None:
    """Asks Linux to send the child SIGTERM when we die, also by a signal that can't be seen."""
    if sys.platform != "linux":
        return None
    import ctypes

    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return None
    set_parent_death_signal = 1
    return lambda: prctl(set_parent_death_signal, signal.SIGTERM)


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


def start_time(pid: int) -> str | None:
    """A process's start time as the kernel counts it ("" where it can't be told), None if dead."""
    if not Path("/proc/self/stat").exists():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass
        return ""
    try:
        # "pid (name) state … starttime"; a name may hold blanks and brackets.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else fields[19].decode()


def lives(pid: int, start: str) -> bool:
    """Whether the process of that start time still runs: a pid comes again."""
    now = start_time(pid)
    return now is not None and now in ("", start)


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
