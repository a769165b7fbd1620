"""Errors that a user can act on, and the exit code of each kind.

Each error is one line that says what is wrong and where, and a second line that says
what to do. The command line prints both and exits with `code`; nothing else in ciforge
calls `sys.exit`.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_VERDICT_NO = 1
EXIT_USAGE = 2
EXIT_OUTSIDE = 3
EXIT_BUG = 70


class CiforgeError(Exception):
    """Something that ciforge cannot go on from, told to the user.

    `message` says what is wrong; `where` is `file`, `file:line` or a name, when one is at
    fault; `hint` says what to do.
    """

    code = EXIT_USAGE

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class InputError(CiforgeError):
    """Wrong usage, configuration or input (exit code 2)."""


class OutsideError(CiforgeError):
    """Something outside is missing or down: git, node, registry, GitLab, Docker (exit code 3)."""

    code = EXIT_OUTSIDE
