"""Say what GitLab would refuse in a CI file, and where, without asking GitLab.

Reads the file as GitLab does, with its local includes, and knows GitLab's own rules: keywords,
stages, needs after `parallel`, expressions, `extends`, references, inputs, limits. --online
asks the project's CI Lint too. Exit code 1: something would be refused.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ciforge.cli.terminal import escape, print_json, print_lines, style
from ciforge.errors import EXIT_OK, EXIT_VERDICT_NO, InputError

if TYPE_CHECKING:
    from ciforge.lint import Finding, Linted

EXAMPLES = """\
examples:
  ciforge lint .gitlab-ci.yml
  ciforge lint ci/*.yml --format json
  ciforge generate | ciforge lint -              what another command writes
  ciforge lint child.yml --root ../other-clone   local includes from there
  ciforge lint .gitlab-ci.yml --online           ask GitLab too: needs a token (scope api)
"""

_STDIN = "-"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="a CI file; - reads standard input"
    )
    parser.add_argument(
        "--root",
        metavar="DIR",
        type=Path,
        help="where local includes are looked up; default: the root of the file's repository",
    )
    parser.add_argument("--format", choices=["text", "json"], default="text", help="default: text")
    parser.add_argument(
        "--online",
        action="store_true",
        help="ask the project's CI Lint too (CI_SERVER_URL, CI_PROJECT_ID, and a token in "
        "CIFORGE_GITLAB_TOKEN or GITLAB_TOKEN)",
    )


def run(arguments: argparse.Namespace) -> int:
    found = {name: _linted(name, arguments) for name in dict.fromkeys(arguments.files)}
    if arguments.format == "json":
        print_json(
            [
                {
                    "file": name,
                    "valid": not linted.findings,
                    "findings": [_as_json(finding) for finding in linted.findings],
                    "not_read": list(linted.unread),
                }
                for name, linted in found.items()
            ]
        )
    else:
        print_lines(_as_text(found))
    return EXIT_VERDICT_NO if any(linted.findings for linted in found.values()) else EXIT_OK


def _linted(name: str, arguments: argparse.Namespace) -> Linted:
    from ciforge.collect.ci_files import CiFiles, read_ci_file
    from ciforge.lint import examine

    if name == _STDIN:
        text, path = _read_stdin(), Path("stdin")
    else:
        path = Path(name)
        text = read_ci_file(path)
    shown = "stdin" if name == _STDIN else name
    linted = examine(shown, text, CiFiles.around(path, arguments.root))
    if arguments.online:
        linted = linted._replace(findings=[*linted.findings, *_asked(shown, text)])
    return linted


def _read_stdin() -> str:
    if sys.stdin is None:
        raise InputError("there is no standard input", hint="name a file, or pipe one in")
    return sys.stdin.buffer.read().decode("utf-8", "surrogateescape")


def _asked(name: str, text: str) -> list[Finding]:
    """What GitLab itself says; it names no lines."""
    from ciforge.doors.gitlab import ci_lint
    from ciforge.lint import Finding

    return [
        Finding(name, 1, None, "gitlab", error, "this is what GitLab's CI Lint says")
        for error in ci_lint(os.environ, text)
    ]


def _as_json(finding: Finding) -> dict[str, object]:
    return {
        "file": finding.file,
        "line": finding.line,
        "job": finding.job,
        "rule": finding.rule,
        "message": finding.message,
        "hint": finding.hint,
    }


def _as_text(found: dict[str, Linted]) -> list[str]:
    lines = []
    for finding in (finding for linted in found.values() for finding in linted.findings):
        where = style(f"{escape(finding.file)}:{finding.line}", "bold", sys.stdout)
        rule = style(f"[{finding.rule}]", "red", sys.stdout)
        job = f" {escape(finding.job)}:" if finding.job is not None else ""
        lines.append(f"{where}: {rule}{job} {escape(finding.message)}")
        lines.append(f"  {style(escape(finding.hint), 'dim', sys.stdout)}")
    for name, linted in found.items():
        if linted.unread:
            lines.append(f"{escape(name)}: not looked into: {escape(', '.join(linted.unread))}")
    total = sum(len(linted.findings) for linted in found.values())
    wrong = sum(bool(linted.findings) for linted in found.values())
    files = f"{len(found)} file{'s' * (len(found) != 1)}"
    if not total:
        read = " in what was read" if any(linted.unread for linted in found.values()) else ""
        return [*lines, f"{style('valid', 'green', sys.stdout)}: {files}, nothing to refuse{read}"]
    said = f"{total} finding{'s' * (total != 1)} in {wrong} of {files}"
    return [*lines, f"{style('invalid', 'red', sys.stdout)}: {said}"]
