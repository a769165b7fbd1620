"""Say what a change builds, reuses, tests and deploys, and why. Changes nothing.

The base is chosen by a policy that never guesses silently: --base; in a merge-request
pipeline its diff base; on a tag the tag before; on a branch in CI the last successful
pipeline, else CI_COMMIT_BEFORE_SHA; locally where the work left the default branch, plus
uncommitted files. The plan says which rule chose which commit.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ciforge.cli.options import add_graph, graph_choice
from ciforge.cli.terminal import print_bytes, print_lines, style, warn
from ciforge.errors import EXIT_OK, InputError

EXAMPLES = """\
examples:
  ciforge plan                                   what would happen to what I have here
  ciforge plan --details                         with every changed input
  ciforge plan --base main                       against main, whatever else is set
  ciforge plan --graph graph.json --offline      no node, no network
  ciforge plan --graph-cache .cache/graph         Nx runs only when its answer may differ
  ciforge plan --format json -o plan.json        for the steps that follow
  ciforge plan --format markdown                 for a merge request
"""

_FORMATS = ["text", "json", "markdown", "mermaid"]


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--base", metavar="REV", help="compare with REV; default: the policy")
    add_graph(parser)
    parser.add_argument(
        "--offline", action="store_true", help="do not ask the registry which images exist"
    )
    parser.add_argument(
        "--save-graph",
        metavar="FILE",
        type=Path,
        help="keep the graph in FILE, for `ciforge build` where no Nx is installed",
    )
    parser.add_argument(
        "--read", metavar="FILE", type=Path, help="show a plan.json instead of making a plan"
    )
    parser.add_argument(
        "--details",
        action="store_true",
        help="how each service was recognised, and which of its inputs changed (text)",
    )
    parser.add_argument("--format", choices=_FORMATS, default="text", help="default: text")
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="write to FILE, atomically"
    )


def run(arguments: argparse.Namespace) -> int:
    from ciforge.collect.planning import make
    from ciforge.collect.workspace import open_root
    from ciforge.doors.handover import read_plan
    from ciforge.plan.encode import encode_plan
    from ciforge.report import plan as report

    if arguments.read is not None:
        making = ("base", "graph", "graph_cache", "offline", "save_graph")
        if any(getattr(arguments, name) for name in making):
            raise InputError(
                "--read shows a plan that was made before; the other options make one",
                hint="leave out --read, or --base, --graph, --graph-cache, --offline and "
                "--save-graph",
            )
        plan, _ = read_plan(arguments.read)
    else:
        plan, _ = make(
            open_root(arguments.directory),
            graph_choice(arguments),
            base=arguments.base,
            offline=arguments.offline,
            env=os.environ,
            save_graph=arguments.save_graph,
        )
    if arguments.format == "json":
        content = encode_plan(plan)
        for warning in plan.warnings:
            warn(warning)
    else:
        to_terminal = arguments.output is None

        def painted(text: str, name: str) -> str:
            return style(text, name, sys.stdout) if to_terminal else text

        lines = {
            "text": lambda: report.as_text(plan, painted, details=arguments.details),
            "markdown": lambda: report.as_markdown(plan),
            "mermaid": lambda: report.as_mermaid(plan),
        }[arguments.format]()
        if to_terminal:
            print_lines(lines)
            return EXIT_OK
        content = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
    if arguments.output is None:
        print_bytes(content)
    else:
        from ciforge.doors.files import write_atomically

        write_atomically(arguments.output, content)
    return EXIT_OK
