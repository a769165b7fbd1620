"""Say whether an environment may get these images: planned, built, tested and deployed are one.

Compares every digest along the chain plan.json, images.json, smoke.json, registry, and lists each
thing that disagrees, by name. `ciforge deploy` asks the same before anything else.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ciforge.cli.options import add_plan_and_images
from ciforge.cli.terminal import print_json, print_lines, style
from ciforge.errors import EXIT_OK, EXIT_VERDICT_NO, InputError

if TYPE_CHECKING:
    from ciforge.plan.model import Plan

EXAMPLES = """\
examples:
  ciforge gate staging                              may staging get what was built and tested?
  ciforge gate staging --released cluster           count what runs there now as tested
  ciforge gate staging --smoke 'reports/*.json'     several smoke jobs wrote one file each
  ciforge gate staging --allow-not-run gpu          no runner with a GPU today
  ciforge gate staging --format json --offline      do not ask the registry
"""


def configure(parser: argparse.ArgumentParser) -> None:
    add_files(parser)
    parser.add_argument(
        "--released",
        metavar="WHAT",
        default="none",
        help="what the environment runs now: 'cluster' (ask it), 'none' (unknown), or a FILE "
        "with the values of its release (helm get values -o json); default: none",
    )
    parser.add_argument("--kube-context", metavar="NAME", help="context for --released cluster")
    parser.add_argument("--format", choices=["text", "json"], default="text", help="default: text")


def add_files(parser: argparse.ArgumentParser) -> None:
    """What `gate` and `deploy` have in common."""
    parser.add_argument("environment", metavar="ENV", help="an environment of the plan")
    add_plan_and_images(parser)
    parser.add_argument(
        "--smoke",
        metavar="FILE",
        action="append",
        help="a file or glob, may be repeated; default: smoke*.json",
    )
    parser.add_argument(
        "--allow-not-run",
        metavar="SUITE",
        action="append",
        default=[],
        help="let a GPU suite be missing, and what only it tests go out untested",
    )
    parser.add_argument(
        "--offline", action="store_true", help="do not ask the registry whether the images exist"
    )


def run(arguments: argparse.Namespace) -> int:
    from ciforge.deploy.evidence import read_evidence
    from ciforge.gate import report
    from ciforge.gate.decide import deploy_plan

    evidence = read_evidence(arguments.plan, arguments.images, arguments.smoke)
    deploy_plan(evidence.plan, arguments.environment)  # a wrong name is told before anything else
    decision = evidence.decide(
        arguments.environment,
        _released(arguments, evidence.plan),
        arguments.allow_not_run,
        None if arguments.offline else os.environ,
    )
    if arguments.format == "json":
        print_json(report.as_json(decision))
    else:
        print_lines(report.as_lines(decision, lambda text, name: style(text, name, sys.stdout)))
    return EXIT_OK if decision.open else EXIT_VERDICT_NO


def _released(arguments: argparse.Namespace, plan: Plan) -> Mapping[str, str] | None:
    from ciforge.deploy.released import digests_of

    what: str = arguments.released
    if what == "none":
        return None
    if what == "cluster":
        from ciforge.deploy.released import ask
        from ciforge.doors.helm import Helm
        from ciforge.gate.decide import deploy_plan

        deploy = deploy_plan(plan, arguments.environment)
        return ask(Helm(deploy.release, deploy.namespace, arguments.kube_context)).digests
    from ciforge.doors.files import read_bytes

    data = read_bytes(Path(what), pipe=True)
    if data is None:
        raise InputError(
            "no such file", where=what, hint="--released takes 'cluster', 'none' or a file"
        )
    import yaml

    try:
        return digests_of(yaml.safe_load(data))
    except yaml.YAMLError as error:
        raise InputError(
            f"is no YAML: {str(error).splitlines()[0]}",
            where=what,
            hint="helm get values RELEASE -o json",
        ) from error
