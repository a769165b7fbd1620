"""`python -m ciforge` and the `ciforge` command."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Runs the command line and ends the process with its exit code."""
    # One short run: collecting cycles while modules load and graphs are decoded only costs time.
    gc.disable()
    from ciforge.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
