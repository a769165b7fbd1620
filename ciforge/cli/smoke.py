"""Start the images with real databases and brokers, and ask them.

For each smoke suite that the plan runs: its services are started from the exact images that
images.json names, with what they depend on, as their compose files say. Each service is asked
whether it is ready, each dependency one real question. Afterwards everything is taken away.
Exit code 1: a suite failed. A GPU suite without a GPU is not run, and says so.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ciforge import __version__
from ciforge.cli.options import add_plan_and_images
from ciforge.cli.terminal import escape, print_bytes, print_error, print_lines, section, style
from ciforge.errors import EXIT_OK, EXIT_VERDICT_NO, InputError

if TYPE_CHECKING:
    from ciforge.doors.docker import Environment
    from ciforge.plan.model import Plan, SmokePlan
    from ciforge.results.model import Images, Smoke, SuiteResult
    from ciforge.smoke.stack import Around

EXAMPLES = """\
examples:
  ciforge smoke -o smoke.json                       every suite that plan.json runs
  ciforge smoke --suite default                     this one, whatever the plan says
  ciforge smoke --junit smoke.xml --logs smoke-logs in a GitLab job
  ciforge smoke --suite default --keep              leave the containers, to look at them
"""


def configure(parser: argparse.ArgumentParser) -> None:
    add_plan_and_images(parser)
    parser.add_argument(
        "--suite",
        metavar="NAME",
        action="append",
        default=[],
        help="run this suite, also when the plan would not; may be repeated",
    )
    parser.add_argument("--keep", action="store_true", help="leave the containers running")
    parser.add_argument("--junit", metavar="FILE", type=Path, help="write JUnit XML to FILE")
    parser.add_argument(
        "--logs", metavar="DIR", type=Path, help="write each container's log to DIR"
    )
    parser.add_argument("--format", choices=["text", "json"], default="text", help="default: text")
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="write smoke.json to FILE, atomically"
    )


def run(arguments: argparse.Namespace) -> int:
    from ciforge.doors.handover import read_images, read_plan
    from ciforge.results.model import Smoke
    from ciforge.smoke.select import check_origin, chosen_suites

    plan, plan_sha256 = read_plan(arguments.plan)
    suites = chosen_suites(plan, arguments.suite)
    images, images_sha256 = None, None
    if _needs_images(plan, suites) or arguments.images.exists():
        images, images_sha256 = read_images(arguments.images)
        check_origin(images, plan_sha256, str(arguments.images))
    smoke = Smoke(
        ciforge=__version__,
        plan=plan_sha256,
        images=images_sha256,
        suites=_results(arguments, plan, images, suites) if suites else [],
    )
    return _hand_over(arguments, smoke, plan)


def _needs_images(plan: Plan, suites: list[SmokePlan]) -> bool:
    ready_made = {service.name for service in plan.services if service.kind == "image"}
    return any(name not in ready_made for suite in suites for name in suite.services)


def _results(
    arguments: argparse.Namespace, plan: Plan, images: Images | None, suites: list[SmokePlan]
) -> list[SuiteResult]:
    directory = arguments.directory.resolve()
    if not directory.is_dir():
        raise InputError("no such directory", where=str(directory), hint="mend -C")

    from ciforge.doors import docker
    from ciforge.doors.docker_login import docker_login
    from ciforge.doors.registry import find_login
    from ciforge.smoke.stack import Around, prepare
    from ciforge.smoke.suite import run_suite

    host = plan.registry.host
    login = find_login(host, os.environ) if host else None
    with docker_login(host, login, os.environ) as environment:
        around = Around(
            directory=directory,
            environment=environment,
            say=lambda line: print_error(escape(line)),
            host=socket.gethostname(),
            pid=os.getpid(),
            keep=arguments.keep,
            logs=arguments.logs,
        )
        docker.check_compose(environment)
        # All that can be refused is refused before the first container starts.
        name = str(arguments.images)
        prepared = [prepare(suite, plan, images, name, around) for suite in suites]
        docker.check_engine(environment)
        _remove_leftovers(around, environment)
        results: list[SuiteResult] = []
        for ready in prepared:
            suite = ready.suite.suite
            name = f"smoke_{''.join(c if c.isalnum() else '_' for c in suite)}"
            with section(name, f"Smoke suite {suite}", print_error):
                results.append(run_suite(ready, around))
    return results


def _remove_leftovers(around: Around, environment: Environment) -> None:
    """What killed runs left behind goes; what a living one uses stays."""
    from ciforge.doors import docker
    from ciforge.doors.process import lives
    from ciforge.errors import OutsideError
    from ciforge.smoke.owner import LABEL, stale

    found = docker.labelled(LABEL, environment)
    for project in stale(found, around.host, time.time(), lives):
        around.say(f"removing {project}, which a killed run left")
        try:
            docker.remove_project(project, environment)
        except OutsideError as error:
            around.say(f"{project} could not be removed: {error}")


def _hand_over(arguments: argparse.Namespace, smoke: Smoke, plan: Plan) -> int:
    from ciforge.doors.files import write_atomically
    from ciforge.results.encode import encode
    from ciforge.smoke.junit import junit

    if arguments.output is not None:
        write_atomically(arguments.output, encode(smoke))
    if arguments.junit is not None:
        write_atomically(arguments.junit, junit(smoke))
    if arguments.format == "json":
        if arguments.output is None:
            print_bytes(encode(smoke))
    else:
        print_lines(_table(smoke, plan))
    failed = any(suite.verdict == "failed" for suite in smoke.suites)
    return EXIT_VERDICT_NO if failed else EXIT_OK


_COLOURS = {
    "passed": "green",
    "failed": "red",
    "skipped": "yellow",
    "not run": "yellow",
}


def _table(smoke: Smoke, plan: Plan) -> Iterator[str]:
    """The suites with their checks; of a failed one also what its container said last."""
    if not smoke.suites:
        reasons = "; ".join(f"{suite.suite}: {suite.reason}" for suite in plan.smoke)
        yield escape(f"no smoke suite to run ({reasons or 'the plan has none'})")
    for suite in smoke.suites:
        verdict = style(suite.verdict, _COLOURS[suite.verdict], sys.stdout)
        name = style(escape(suite.suite), "bold", sys.stdout)
        yield f"{name}  {verdict}  {suite.seconds:.1f} s  {escape(suite.reason)}"
        for image in suite.images:
            yield f"  {escape(image.service)}: {escape(image.reference)}"
        wide = max((len(check.subject) for check in suite.checks), default=0)
        long = max((len(check.name) for check in suite.checks), default=0)
        for check in suite.checks:
            outcome = style(f"{check.outcome:7}", _COLOURS[check.outcome], sys.stdout)
            line = f"  {outcome}  {escape(check.subject):{wide}}  {escape(check.name):{long}}"
            yield f"{line}  {check.seconds:6.1f} s  {escape(check.message)}".rstrip()
            for said in check.log:
                yield f"      | {escape(said)}"
