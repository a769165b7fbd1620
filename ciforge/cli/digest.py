"""Show what an image's build reads: one digest, and the entries that it is made of.

With --against REV: what differs from that commit, line by line. The files and settings are
those of REV, the project graph is today's.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from ciforge.cli.options import add_graph, graph_choice
from ciforge.cli.terminal import escape, print_json, print_lines, style, warn
from ciforge.errors import EXIT_OK, InputError

if TYPE_CHECKING:
    from ciforge.collect.planning import Survey

EXAMPLES = """\
examples:
  ciforge digest web                        the manifest of what its build reads
  ciforge digest web --against main         why it would be built anew
  ciforge digest web --format json
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("service", metavar="SERVICE")
    parser.add_argument("--against", metavar="REV", help="show the difference to this commit")
    add_graph(parser)
    parser.add_argument("--format", choices=["text", "json"], default="text", help="default: text")


def run(arguments: argparse.Namespace) -> int:
    from ciforge.collect.planning import take_survey
    from ciforge.collect.workspace import open_root

    survey = take_survey(open_root(arguments.directory), graph_choice(arguments))
    for note in survey.notes:
        warn(note)
    service = survey.service(arguments.service)
    manifest = survey.digester.manifest(service)
    for problem in manifest.problems:
        warn(problem)
    if arguments.against is not None:
        return _against(survey, service.name, arguments.against, arguments.format)
    if arguments.format == "json":
        print_json(
            {
                "service": service.name,
                "digest": manifest.digest,
                "tag": manifest.tag if service.image is None else None,
                "entries": [
                    {"kind": e.kind, "name": e.name, "value": e.value} for e in manifest.entries
                ],
            }
        )
        return EXIT_OK
    width = max((len(e.kind) for e in manifest.entries), default=0)
    print_lines(
        [
            f"{style(service.name, 'bold', sys.stdout)}  {manifest.digest}",
            *(
                f"  {e.kind:{width}}  {escape(e.name)}"
                + (f"  {escape(e.value)}" if e.value else "")
                for e in manifest.entries
            ),
        ]
    )
    return EXIT_OK


def _against(survey: Survey, name: str, revision: str, form: str) -> int:
    from ciforge.digest.diff import diff_entries

    commit = survey.root.git.commit(revision)
    if commit is None:
        raise InputError(
            f"{revision!r} (--against) is no commit of this repository",
            hint="fetch it, or name another one",
        )
    now = survey.digester.manifest(survey.service(name))
    then = survey.at(commit).manifest(name)
    changes = diff_entries(then.entries if then else [], now.entries)
    if form == "json":
        print_json(
            {
                "service": name,
                "digest": now.digest,
                "against": {"commit": commit, "digest": then.digest if then else None},
                "changes": [
                    {
                        "change": c.change,
                        "kind": c.kind,
                        "name": c.name,
                        "before": c.before,
                        "after": c.after,
                    }
                    for c in changes
                ],
            }
        )
        return EXIT_OK
    signs = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}
    title = f"{name}  {now.digest}"
    if not changes:
        print_lines([title, f"  the same inputs as at {revision} ({commit[:8]})"])
        return EXIT_OK
    lines = [
        title,
        f"  against {escape(revision)} ({commit[:8]}): {then.digest if then else 'absent'}",
    ]
    for change in changes:
        sign, colour = signs[change.change]
        values = " → ".join(escape(_shown(v)) for v in (change.before, change.after) if v)
        lines.append(
            style(f"  {sign} {change.kind}  {escape(change.name)}", colour, sys.stdout)
            + (f"  {values}" if values else "")
        )
    print_lines(lines)
    return EXIT_OK


def _shown(value: str) -> str:
    """A long digest cut to what tells two apart."""
    mode, _, rest = value.rpartition(" ")
    head = rest[:19] if rest.startswith("sha256:") else rest[:12] if len(rest) >= 40 else rest
    return f"{mode} {head}".strip()
