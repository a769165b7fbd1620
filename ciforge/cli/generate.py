"""Write the GitLab child pipeline that does what the plan says, and nothing else.

The child's jobs call ciforge build, smoke and deploy. The plan and the project graph travel
inside the YAML, so that its jobs need neither Nx nor artifacts of the parent pipeline. With
nothing to do it is one job that says why.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ciforge.cli.terminal import print_bytes
from ciforge.errors import EXIT_OK, InputError

EXAMPLES = """\
examples:
  ciforge plan --save-graph graph.json --format json -o plan.json
  ciforge generate --plan plan.json --graph graph.json -o child.yml
  ciforge generate --plan plan.json            look at it, without a graph
"""

# GitLab reads a child of at most 5 MB, the artifact's archive included.
_LIMIT = 5_000_000


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plan", metavar="FILE", type=Path, default=Path("plan.json"))
    parser.add_argument(
        "--graph",
        metavar="FILE",
        type=Path,
        help="the graph that the plan was made with (ciforge plan --save-graph); without it the "
        "build job asks the workspace's own Nx",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="write to FILE, atomically"
    )


def run(arguments: argparse.Namespace) -> int:
    from ciforge.doors.files import read_bytes, write_atomically
    from ciforge.doors.handover import read_plan
    from ciforge.pipeline.child import child_pipeline

    plan, _ = read_plan(arguments.plan)
    handed = {"plan.json": read_bytes(arguments.plan, pipe=True) or b""}
    if arguments.graph is not None:
        graph = read_bytes(arguments.graph, pipe=True)
        if graph is None:
            raise InputError(
                "there is no such file",
                where=str(arguments.graph),
                hint="keep the plan's: ciforge plan --save-graph graph.json",
            )
        handed["graph.json"] = graph
    try:
        content = child_pipeline(plan, handed)
    except ValueError as error:
        raise InputError(
            str(error), where=str(arguments.plan), hint="make the plan anew: ciforge plan"
        ) from error
    if len(content) > _LIMIT:
        raise InputError(
            f"the child pipeline has {len(content):,} bytes, and GitLab reads {_LIMIT:,}",
            hint="leave --graph out: the build job then asks Nx",
        )
    if arguments.output is None:
        print_bytes(content)
    else:
        write_atomically(arguments.output, content)
    return EXIT_OK
