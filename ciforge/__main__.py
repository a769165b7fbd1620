"""`python -m ciforge` and the `ciforge` command."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys


def main() -> None:
    """Runs the command line and ends the process with its exit code."""
    if sys.getfilesystemencoding() != "utf-8":
        # git and Nx write names as UTF-8, whatever the locale: read them so.
        command = [sys.executable, "-X", "utf8", "-m", "ciforge", *sys.argv[1:]]
        os.execv(sys.executable, command)  # noqa: S606 - an argument list, no shell
    # One short run: collecting cycles while modules load and graphs are decoded only costs time.
    gc.disable()
    from ciforge.cli.main import run, terminate

    signal.signal(signal.SIGTERM, terminate)
    code = run(sys.argv[1:])
    # Taking a big graph apart object by object at the end costs as much as reading it.
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, AttributeError):  # closed, full, or its reader gone
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
