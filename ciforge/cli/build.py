"""Build the images that the plan names, and push them.

Each image is built from exactly the files of its input digest, all in one BuildKit bake. What
the registry holds for the same inputs is reused. Every new image is started once; only when
all of them start do tags move. images.json says what came of it.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ciforge.cli.options import add_graph, graph_choice
from ciforge.cli.terminal import escape, print_bytes, print_error, print_lines, section, style, warn
from ciforge.errors import EXIT_OK, InputError

if TYPE_CHECKING:
    from ciforge.results.model import Images

EXAMPLES = """\
examples:
  ciforge build                                          plan, build into the local engine
  ciforge build --plan plan.json --push -o images.json   for the steps that follow
  ciforge build --push --tag latest --tag 1.4.0          further tags for every image
  ciforge build --dry-run                                say what would be built
"""

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--plan",
        metavar="FILE",
        type=Path,
        help="default: plan now; give one when smoke and gate are to read images.json",
    )
    add_graph(parser)
    parser.add_argument(
        "--push", action="store_true", help="push to the registry; default: the local engine"
    )
    parser.add_argument(
        "--tag", metavar="TAG", action="append", default=[], help="a further tag of every image"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be built, and build nothing"
    )
    parser.add_argument("--format", choices=["text", "json"], default="text", help="default: text")
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="write images.json to FILE, atomically"
    )


def run(arguments: argparse.Namespace) -> int:
    from ciforge.collect.contexts import check_inputs, write_context
    from ciforge.collect.planning import make, take_survey
    from ciforge.collect.workspace import open_root
    from ciforge.doors.handover import read_plan
    from ciforge.doors.registry import find_login
    from ciforge.images.build import Order, build
    from ciforge.plan.encode import encode_plan
    from ciforge.results.encode import encode, sha256_of

    for tag in arguments.tag:
        if not _TAG.fullmatch(tag):
            raise InputError(
                f"{tag!r} (--tag) is no tag of an image",
                hint="letters, digits, '_', '.' and '-', 128 at most, none of '.-' first",
            )
    root = open_root(arguments.directory)
    if arguments.plan is None:
        plan, survey = make(root, graph_choice(arguments), base=None, offline=False, env=os.environ)
        plan_sha256 = sha256_of(encode_plan(plan))
    else:
        plan, plan_sha256 = read_plan(arguments.plan)
        survey = take_survey(root, graph_choice(arguments))
        check_inputs(survey, plan)
    for warning in plan.warnings:
        warn(warning)
    if arguments.dry_run:
        if not plan.registry.asked:
            warn(f"the registry was not asked which images it holds: {plan.registry.reason}")
        print_lines(
            f"{s.name:20} {'build' if s.action == 'build' else 'reuse':6} {escape(s.reason)}"
            for s in plan.services
            if s.kind != "image"
        )
        return EXIT_OK
    host = plan.registry.host
    order = Order(
        plan=plan,
        plan_sha256=plan_sha256,
        push=arguments.push,
        tags=sorted(set(arguments.tag)),
        login=find_login(host, os.environ) if host else None,
        env=os.environ,
    )
    with section("ciforge_build", "Images", print_error):
        images = build(
            order, lambda service, folder: write_context(survey, service, folder), _progress()
        )
    content = encode(images)
    if arguments.output is not None:
        from ciforge.doors.files import write_atomically

        write_atomically(arguments.output, content)
    if arguments.format == "json":
        print_bytes(content)
    else:
        print_lines(_summary(images))
    return EXIT_OK


def _progress() -> Callable[[str], None]:
    """Lines on standard error, each with the time since the start."""
    started = time.monotonic()

    def say(line: str) -> None:
        passed = style(f"{time.monotonic() - started:6.1f} s", "dim", sys.stderr)
        print_error(f"{passed}  {escape(line)}")

    return say


def _summary(images: Images) -> list[str]:
    width = max((len(i.service) for i in images.images), default=0)
    lines = []
    for image in images.images:
        size = f"{image.size / 1e6:6.1f} MB" if image.size is not None else " " * 9
        action = style(
            f"{image.action:6}", "green" if image.action == "built" else "dim", sys.stdout
        )
        lines.append(
            f"{image.service:{width}}  {action}  {size}  {image.seconds:6.1f} s  "
            f"{escape(image.reference)}"
        )
    built = sum(1 for i in images.images if i.action == "built")
    lines.append(f"{built} built, {len(images.images) - built} reused")
    return lines
