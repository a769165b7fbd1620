"""Parses arguments, runs one command, turns errors into lines and exit codes."""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType, ModuleType
from typing import NoReturn

from ciforge import __version__
from ciforge.cli.terminal import escape, print_error, style
from ciforge.errors import EXIT_BUG, EXIT_OUTSIDE, EXIT_USAGE, CiforgeError
from ciforge.text import shorten

# Name, and what `ciforge --help` says of it. The module of a command is `ciforge.cli.<name>`,
# imported only when that command runs: `affected` must not pay for `plan`.
COMMANDS = {
    "plan": "say what a change builds, reuses, tests and deploys, and why",
    "generate": "write the GitLab child pipeline that does what the plan says",
    "lint": "say what GitLab would refuse in a CI file, and where",
    "simulate": "say which jobs GitLab would create from a CI file, and when they run",
    "build": "build the images that the plan names, and push them",
    "smoke": "start the images with real databases and brokers, and ask them",
    "gate": "say whether an environment may get these images",
    "deploy": "release the tested images with Helm, or say why not",
    "affected": "list the projects that a change affects, as Nx does",
    "digest": "show what an image's build reads, as one digest and its entries",
    "graph": "show the project graph as text, JSON, DOT or Mermaid",
    "doctor": "say what is installed, and what is missing for which command",
    "schema": "print the JSON Schema of ciforge.yaml or of a file that ciforge writes",
    "completion": "print a completion script for bash, zsh or tcsh",
}


class Parser(argparse.ArgumentParser):
    """argparse, with errors in ciforge's own form (two lines, exit code 2)."""

    def error(self, message: str) -> NoReturn:
        wrong = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message)
        near = wrong and difflib.get_close_matches(wrong[1], re.findall(r"[\w-]+", wrong[2]), n=1)
        raise UsageError(message, self.prog, near[0] if near else None)


class UsageError(CiforgeError):
    def __init__(self, message: str, prog: str, near: str | None) -> None:
        message = escape(message)  # it quotes arguments as they came
        guess = f"did you mean {near!r}? " if near else ""
        super().__init__(message, hint=f"{guess}see {prog} --help")


def common_options() -> Parser:
    """Options of every command, taken before or after its name."""
    common = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument(
        "-C",
        dest="directory",
        metavar="DIR",
        type=Path,
        help="work in DIR instead of the current folder",
    )
    common.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="print each git, Nx and network call with its time on standard error",
    )
    return common


def build_parser(command: str | None) -> argparse.ArgumentParser:
    """The parser; only `command` (all of them when None) gets its options."""
    common = common_options()
    parser = Parser(
        prog="ciforge",
        description="Says what a change in an Nx monorepo affects, builds, tests and deploys, "
        "and why.",
        epilog="Examples:\n"
        "  ciforge plan                          what would happen to what I have here\n"
        "  ciforge affected --base main          what Nx calls affected\n"
        "  ciforge affected --why web            the shortest way from the change to web\n"
        "  ciforge digest web --against main     why web would be built anew\n"
        "  ciforge build --push                  build what the registry lacks\n"
        "  ciforge smoke -o smoke.json           ask the images real questions\n"
        "  ciforge deploy staging                release them, or say why not\n\n"
        "Exit codes: 0 done, or the verdict is yes; 1 the verdict is no; 2 wrong usage,\n"
        "configuration or input; 3 something outside is missing or down; 70 a bug.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"ciforge {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, summary in COMMANDS.items():
        if command not in (None, name):
            commands.add_parser(name, help=summary, add_help=False)
            continue
        module = _module(name)
        sub = commands.add_parser(
            name,
            help=summary,
            description=module.__doc__,
            epilog=module.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[common],
            allow_abbrev=False,
        )
        module.configure(sub)
    return parser


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"ciforge.cli.{name}")


def run(argv: Sequence[str]) -> int:
    """Runs the command line `argv`; returns the exit code and never raises for a user's mistake."""
    try:
        return _run(argv)
    except CiforgeError as error:
        _report(error)
        return error.code
    except TerminatedError:
        _stop_children()
        print_error("ciforge: terminated")
        return 143
    except KeyboardInterrupt:
        _stop_children()
        print_error("ciforge: interrupted")
        return 130
    except SystemExit as end:  # argparse, after --help; the caller looks after the streams
        return int(end.code or 0)
    except BrokenPipeError:
        # The reader (head, less) has gone: nothing more to say, and nothing to complain about.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Exception as error:
        import traceback

        traceback.print_exc()
        print_error(f"ciforge: this is a bug in ciforge {__version__}: {type(error).__name__}")
        print_error("  please report it with the lines above")
        return EXIT_BUG


def _stop_children() -> None:
    from ciforge.doors.process import kill_children

    kill_children()


class TerminatedError(BaseException):
    """SIGTERM, as a CI runner sends it: like Ctrl-C, so that what was started is cleaned up."""


def terminate(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    raise TerminatedError


def _run(argv: Sequence[str]) -> int:
    command = _command_of(argv)
    wants_all = command is None
    parser = build_parser("" if wants_all else command)
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return EXIT_USAGE
    if getattr(arguments, "verbose", False):
        from ciforge.doors.process import trace_to_stderr

        trace_to_stderr()
    arguments.directory = getattr(arguments, "directory", None) or Path()
    run_command: Callable[[argparse.Namespace], int] = _module(arguments.command).run
    return run_command(arguments)


def _command_of(argv: Sequence[str]) -> str | None:
    """The command's name among the arguments; `-C plan` is a folder."""
    words = iter(argv)
    for word in words:
        if word == "-C":
            next(words, None)
        elif not word.startswith("-"):
            return word if word in COMMANDS else None
    return None


def _report(error: CiforgeError) -> None:
    """One line that says what and where, one that says what to do."""
    name = style("ciforge: error:" if error.code != EXIT_OUTSIDE else "ciforge:", "red", sys.stderr)
    print_error(f"{name} {_safe(str(error))}")
    if error.hint:
        print_error(f"  {_safe(error.hint)}")


def _safe(text: str) -> str:
    return "\n".join(shorten(escape(line)) for line in text.split("\n"))
