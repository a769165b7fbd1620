"""Say what is installed, and what is missing for which command, and how to get it.

Exit code 0 when everything that ciforge plan needs is there, 1 when not.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ciforge import __version__
from ciforge.cli.terminal import escape, print_json, print_lines, style
from ciforge.doors.process import run as run_process
from ciforge.errors import EXIT_OK, EXIT_VERDICT_NO, CiforgeError

EXAMPLES = """\
examples:
  ciforge doctor                  on this machine, for this workspace
  ciforge doctor --format json    for a bug report
"""


@dataclass(frozen=True)
class Check:
    """One thing looked for. `required`: ciforge plan does not work without it."""

    name: str
    ok: bool
    found: str
    needed_for: str
    fix: str = ""
    required: bool = False


_STATIONS = (
    (
        "docker",
        ["docker", "version", "--format", "client {{.Client.Version}}, engine {{.Server.Version}}"],
        "build, smoke",
        "install Docker and start it, or name an engine in DOCKER_HOST",
    ),
    ("buildx", ["docker", "buildx", "version"], "build", "install docker-buildx-plugin"),
    ("compose", ["docker", "compose", "version"], "smoke", "install docker-compose-plugin"),
    ("helm", ["helm", "version", "--short"], "deploy", "install Helm 4"),
    ("kubectl", ["kubectl", "version", "--client"], "deploy", "install kubectl"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=["text", "json"], default="text", help="default: text")


def run(arguments: argparse.Namespace) -> int:
    checks = list(_checks(arguments.directory))
    if arguments.format == "json":
        print_json({"ciforge": __version__, "checks": [asdict(check) for check in checks]})
    else:
        _print(checks)
    return EXIT_OK if all(check.ok or not check.required for check in checks) else EXIT_VERDICT_NO


def _checks(directory: Path) -> Iterator[Check]:
    version = platform.python_version()
    yield Check("python", sys.version_info >= (3, 11), version, "everything", required=True)
    yield _program(
        "git", ["git", "--version"], "everything", "install git 2.30 or newer", required=True
    )
    yield from _workspace(directory)
    yield _program(
        "node", ["node", "--version"], "graphs that no --graph FILE gives", "install Node.js 20.19+"
    )
    for name, argv, needed_for, fix in _STATIONS:
        yield _program(name, argv, needed_for, fix)
    yield _token()


def _program(
    name: str, argv: list[str], needed_for: str, fix: str, *, required: bool = False
) -> Check:
    if shutil.which(argv[0]) is None:
        return Check(name, False, "not found", needed_for, fix, required)
    try:
        said = run_process(argv, timeout=20).decode("utf-8", "replace").strip().splitlines()
    except CiforgeError as error:
        return Check(name, False, error.message, needed_for, fix, required)
    return Check(name, True, said[0] if said else "found", needed_for, fix, required)


def _workspace(directory: Path) -> Iterator[Check]:
    from ciforge.collect.workspace import find_config, open_root
    from ciforge.doors.nx import runner

    try:
        root = open_root(directory)
    except CiforgeError as error:
        yield Check("workspace", False, str(error), "everything", error.hint or "", required=True)
        return
    yield Check("workspace", True, str(root.path), "everything", required=True)
    try:
        command = runner(root.path)
    except CiforgeError as error:
        yield Check(
            "nx", False, error.message, "graphs that no --graph FILE gives", error.hint or ""
        )
    else:
        yield Check("nx", True, command[-1], "graphs that no --graph FILE gives")
    try:
        found = find_config(root.path)
        _ = root.config
        said = str(found) if found else "none: defaults and detection"
        yield Check("ciforge.yaml", True, said, "everything", required=True)
    except CiforgeError as error:
        yield Check(
            "ciforge.yaml", False, str(error), "everything", error.hint or "", required=True
        )
    try:
        shallow = root.git.is_shallow()
    except CiforgeError as error:
        yield Check(
            "repository", False, str(error), "plan, affected", error.hint or "", required=True
        )
    else:
        yield Check(
            "repository",
            not shallow,
            "a shallow clone" if shallow else "with its history",
            "plan, affected",
            "set GIT_DEPTH: 0 in the job, or run: git fetch --unshallow",
        )


def _token() -> Check:
    from ciforge.doors.gitlab import TOKEN_VARIABLES

    name = next((n for n in TOKEN_VARIABLES if os.environ.get(n)), None)
    return Check(
        "gitlab token",
        name is not None,
        f"in {name}" if name else "none",
        "the last successful pipeline as base",
        f"set {TOKEN_VARIABLES[0]} to a token with the scope read_api",
    )


def _print(checks: list[Check]) -> None:
    width = max(len(check.name) for check in checks)
    for check in checks:
        mark, colour = (
            ("ok", "green") if check.ok else ("missing", "red" if check.required else "yellow")
        )
        state = style(f"{mark:8}", colour, sys.stdout)
        lines = [f"{state}{check.name:{width}}  {escape(check.found)}"]
        if not check.ok:
            fix = f"; {check.fix}" if check.fix else ""
            lines.append(f"{'':8}{'':{width}}  {escape(f'needed for {check.needed_for}{fix}')}")
        print_lines(lines)
