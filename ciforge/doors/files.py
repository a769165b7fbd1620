"""The door to the file system: bounded reads, atomic writes."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ciforge.doors.process import lives, start_time
from ciforge.errors import InputError, OutsideError


def write_atomically(path: Path, content: str | bytes) -> None:
    """Writes `content` beside `path` and renames it into place.

    A reader sees the old file or the new one, never half of it, and a killed writer leaves
    the old one. Raises InputError when the place can't be written.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary: str | None = None
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)  # a pipe or device can't be replaced
            return
        path = path.resolve()  # a link stays one: what it leads to is written
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        raise InputError(
            f"cannot write: {reason}", where=str(path), hint="name another place"
        ) from error
    except BaseException:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        raise


def is_full(error: OSError) -> bool:
    """Whether there is no room, and nothing wrong with the file itself."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def workplace(purpose: str) -> Iterator[Path]:
    """A temporary folder of mode 0700, removed at the end.

    What runs that were killed left under the same purpose is removed first: it may be large, or
    hold a login. Raises OutsideError when it can't be made, or its disk is full.
    """
    prefix = f"ciforge-{purpose}-"
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        pid, _, rest = left.name.removeprefix(prefix).partition("-")
        if pid.isdigit() and not lives(int(pid), rest.partition("-")[0]):
            shutil.rmtree(left, ignore_errors=True)
    owner = f"{os.getpid()}-{start_time(os.getpid())}"
    hint = "make room there, or name another place in TMPDIR"
    try:
        folder = Path(tempfile.mkdtemp(prefix=f"{prefix}{owner}-"))
    except OSError as error:
        raise OutsideError(
            f"no temporary folder can be made: {error.strerror}", hint=hint
        ) from error
    try:
        yield folder
    except OSError as error:
        if not is_full(error):
            raise
        where = tempfile.gettempdir()
        raise OutsideError(f"{where} can't be written: {error.strerror}", hint=hint) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def matching(patterns: Iterable[str], option: str) -> list[Path]:
    """The files that names and globs mean, from the current folder on, each once, sorted.

    Raises InputError, naming `option`, for what is no glob. A name is taken as it is.
    """
    found: set[Path] = set()
    for pattern in patterns:
        if not any(c in pattern for c in "*?["):
            found.add(Path(pattern))
            continue
        folder = Path("/") if pattern.startswith("/") else Path()
        try:
            found.update(folder.glob(pattern.lstrip("/")))
        except (ValueError, NotImplementedError) as error:
            raise InputError(
                f"{pattern!r} ({option}) is no glob: {error}", hint="'part-*.json' is one"
            ) from error
    return sorted(found)


def read_bytes(path: Path, *, pipe: bool = False) -> bytes | None:
    """The file's bytes, or None when there is no such regular file.

    `pipe`: a named pipe is read too (`--graph <(…)`); elsewhere it would keep us waiting for
    ever. Raises InputError for a file that is there and can't be read.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode) and not pipe:
            return None
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except (OSError, ValueError) as error:  # a link loop, no permission, a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(
            f"cannot be read: {reason}", where=str(path), hint="mend or remove it, or its link"
        ) from error


def exists(path: Path) -> bool:
    """Whether the path leads to something, links followed (as Nx asks it)."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
