"""Runs one command; prints its exit code, wall and CPU seconds, and peak memory in KiB.

A program of its own, small and without imports: on Linux the peak that is accounted to a
process starts at that of the process which started it, so a large parent would hide it.

    launch.py STDOUT STDERR COMMAND [ARGUMENT …]
"""

from __future__ import annotations

import os
import sys
import time


def main() -> None:
    out, err, *command = sys.argv[1:]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, out, flags, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, err, flags, 0o600),
    ]
    start = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    peak = usage.ru_maxrss // (1024 if sys.platform == "darwin" else 1)
    cpu = usage.ru_utime + usage.ru_stime
    print(os.waitstatus_to_exitcode(status), seconds, cpu, peak)


if __name__ == "__main__":
    main()
