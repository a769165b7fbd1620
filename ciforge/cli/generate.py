"""Write the GitLab child pipeline that does what the plan says, and nothing else.

The child's jobs call ciforge build, smoke and deploy. The plan and the project graph travel
inside the YAML, so that its jobs need neither Nx nor artifacts of the parent pipeline. With
nothing to do it is one job that says why. How jobs are cut, where they run and what else stands
in them is said in ciforge.yaml (pipeline, runners, environments).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ciforge.cli.terminal import print_bytes, warn
from ciforge.errors import EXIT_BUG, EXIT_OK, CiforgeError, InputError

if TYPE_CHECKING:
    from ciforge.plan.model import Plan

EXAMPLES = """\
examples:
  ciforge plan --save-graph graph.json --format json -o plan.json
  ciforge generate --plan plan.json --graph graph.json -o child.yml
  ciforge generate --plan plan.json            look at it, without a graph
"""

# What GitLab holds of one file in memory; an artifact may have 5 MB, its archive included.
_LIMIT = 2 * 1024 * 1024


class BugError(CiforgeError):
    """What was generated is wrong, and no word of the user's is to blame."""

    code = EXIT_BUG


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--plan",
        metavar="FILE",
        type=Path,
        default=Path("plan.json"),
        help="what `ciforge plan --format json` wrote; default: plan.json",
    )
    parser.add_argument(
        "--graph",
        metavar="FILE",
        type=Path,
        help="the graph that the plan was made with (ciforge plan --save-graph); without it the "
        "build job asks the workspace's own Nx",
    )
    parser.add_argument(
        "--image",
        metavar="NAME",
        help="image of the jobs when pipeline.image names none; the planning job gives its own",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="write to FILE, atomically"
    )


def run(arguments: argparse.Namespace) -> int:
    from ciforge.doors.files import write_atomically
    from ciforge.pipeline.child import child_pipeline
    from ciforge.plan.encode import decode_plan

    handed = {"plan.json": _read(arguments.plan, "make it: ciforge plan --format json")}
    plan = decode_plan(handed["plan.json"], str(arguments.plan))
    if arguments.graph is not None:
        hint = "keep the plan's: ciforge plan --save-graph graph.json"
        handed["graph.json"] = _read(arguments.graph, hint)
    try:
        content = child_pipeline(plan, handed, arguments.image)
    except ValueError as error:
        raise InputError(
            str(error),
            where=str(arguments.plan),
            hint="mend ciforge.yaml, or the hand that edited the plan; then make it anew: "
            "ciforge plan",
        ) from error
    if len(content) > _LIMIT:
        raise InputError(
            f"the child pipeline has {len(content):,} bytes, and GitLab reads {_LIMIT:,}",
            hint="leave --graph out: the build jobs then ask Nx, whose packages they need",
        )
    _check(content, plan, arguments.directory)
    if arguments.output is None:
        print_bytes(content)
    else:
        write_atomically(arguments.output, content)
    return EXIT_OK


def _read(path: Path, hint: str) -> bytes:
    from ciforge.doors.files import read_bytes

    content = read_bytes(path, pipe=True)
    if content is None:
        raise InputError("there is no such file", where=str(path), hint=hint)
    return content


def _check(content: bytes, plan: Plan, directory: Path) -> None:
    """Raises InputError when GitLab would refuse it for the user's words, BugError for ours."""
    from ciforge.collect.ci_files import CiFiles
    from ciforge.pipeline.verify import blame, findings, has_conditions, refusals

    here = CiFiles.around(directory / "child.yml", None)
    found = findings(content, here)
    if not found:
        if has_conditions(plan.pipeline):
            for kind, error in refusals(content, here):
                warn(f"for {kind} GitLab would not create this pipeline: {error}")
        return
    first = found[0]
    job = f"job {first.job!r}: " if first.job else ""
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    cause = blame(first, plan.pipeline)
    if cause is None:
        raise BugError(
            f"GitLab would refuse what was generated: {job}{first.message}{more}",
            where=f"child.yml:{first.line}",
            hint="this is a bug in ciforge: please report it with plan.json",
        )
    raise InputError(
        f"GitLab would refuse {job}{first.message}{more}",
        where=f"ciforge.yaml, {cause}",
        hint=first.hint,
    )
