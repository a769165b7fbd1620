"""Build the images that the plan names, and push them.

Each image is built from exactly the files of its input digest, all in one BuildKit bake. What
the registry holds for the same inputs is reused. Every new image is started once; only when
all of them start do tags move. images.json says what came of it. Several jobs may share the
work (--service, --part); tags then move when their results are joined (--join).
"""

from __future__ import annotations

import argparse
import difflib
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
    from ciforge.images.order import Order
    from ciforge.plan.model import Plan
    from ciforge.results.model import Images

EXAMPLES = """\
examples:
  ciforge build                                          plan, build into the local engine
  ciforge build --plan plan.json --push -o images.json   for the steps that follow
  ciforge build --push --tag latest --tag 1.4.0          further tags for every image
  ciforge build --plan plan.json --push --part 2/5 -o part-2.json     one job of five
  ciforge build --plan plan.json --push --join 'part-*.json' -o images.json
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
        "--builder",
        choices=["docker", "buildkit", "buildah"],
        default="docker",
        help="buildkit (buildctl) and buildah need no engine, and only push; default: docker",
    )
    parser.add_argument(
        "--service",
        metavar="NAME",
        action="append",
        help="build only this one, and set no tag; may be repeated",
    )
    parser.add_argument(
        "--part",
        metavar="I/N",
        type=_part,
        help="the same for the Ith of N equal parts of what is to be built",
    )
    parser.add_argument(
        "--join",
        metavar="FILE",
        nargs="*",
        help="build nothing: take what such builds wrote (files or globs) and set the tags",
    )
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


def _part(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is no part such as 2/5")
    return int(found[1]), int(found[2])


def run(arguments: argparse.Namespace) -> int:
    for tag in arguments.tag:
        if not _TAG.fullmatch(tag):
            raise InputError(
                f"{tag!r} (--tag) is no tag of an image",
                hint="letters, digits, '_', '.' and '-', 128 at most, none of '.-' first",
            )
    _check_together(arguments)
    if arguments.join is not None:
        return _hand_over(arguments, _join(arguments))
    images = _build(arguments)
    return EXIT_OK if images is None else _hand_over(arguments, images)


def _check_together(arguments: argparse.Namespace) -> None:
    """Raises InputError for options that contradict each other."""
    chosen = [o for o in ("service", "part", "join") if getattr(arguments, o) is not None]
    if len(chosen) > 1:
        raise InputError(
            f"--{chosen[0]} and --{chosen[1]} exclude each other", hint="leave one of them out"
        )
    if chosen and (arguments.plan is None or not arguments.push):
        raise InputError(
            f"--{chosen[0]} is a part of one plan's build, joined in the registry",
            hint="add --plan plan.json and --push",
        )
    if chosen and arguments.tag and chosen != ["join"]:
        raise InputError(
            f"--{chosen[0]} sets no tag", hint="give --tag to the build that joins (--join)"
        )


def _build(arguments: argparse.Namespace) -> Images | None:
    """None after a dry run."""
    import msgspec

    from ciforge.collect.contexts import check_inputs, write_context
    from ciforge.collect.planning import make, take_survey
    from ciforge.collect.workspace import open_root
    from ciforge.doors.handover import read_plan
    from ciforge.images.build import build
    from ciforge.plan.encode import encode_plan
    from ciforge.results.encode import sha256_of

    root = open_root(arguments.directory)
    only = None
    if arguments.plan is None:
        plan, survey = make(root, graph_choice(arguments), base=None, offline=False, env=os.environ)
        plan_sha256 = sha256_of(encode_plan(plan))
    else:
        plan, plan_sha256 = read_plan(arguments.plan)
        only = _only(arguments, plan)
        survey = take_survey(root, graph_choice(arguments))
        wanted = [s for s in plan.services if only is None or s.name in only]
        check_inputs(survey, msgspec.structs.replace(plan, services=wanted))
    for warning in plan.warnings:
        warn(warning)
    order = _order(arguments, plan, plan_sha256, only)
    if arguments.dry_run:
        if not plan.registry.asked:
            warn(f"the registry was not asked which images it holds: {plan.registry.reason}")
        print_lines(
            f"{s.name:20} {'build' if s.action == 'build' else 'reuse':6} {escape(s.reason)}"
            for s in order.services
        )
        return None
    with section("ciforge_build", "Images", print_error):
        return build(
            order, lambda service, folder: write_context(survey, service, folder), _progress()
        )


def _join(arguments: argparse.Namespace) -> Images:
    from ciforge.doors.files import matching
    from ciforge.doors.handover import read_images, read_plan
    from ciforge.images.join import join

    plan, plan_sha256 = read_plan(arguments.plan)
    parts = {str(path): read_images(path)[0] for path in matching(arguments.join, "--join")}
    order = _order(arguments, plan, plan_sha256, None)
    with section("ciforge_images", "Images", print_error):
        return join(order, parts, _progress())


def _only(arguments: argparse.Namespace, plan: Plan) -> list[str] | None:
    """The services of this part, None for all."""
    if arguments.part is not None:
        number, parts = arguments.part
        return plan.unseen[number - 1 :: parts]
    if arguments.service is None:
        return None
    ours = [s.name for s in plan.services if s.kind != "image"]
    for name in arguments.service:
        if name not in ours:
            near = difflib.get_close_matches(name, ours, n=1)
            raise InputError(
                f"the plan builds no service {name!r}",
                hint=f"did you mean {near[0]!r}?" if near else "see them: ciforge plan",
            )
    return sorted(set(arguments.service))


def _order(
    arguments: argparse.Namespace, plan: Plan, plan_sha256: str, only: list[str] | None
) -> Order:
    from ciforge.doors.registry import find_login
    from ciforge.images.order import Order

    host = plan.registry.host
    return Order(
        plan=plan,
        plan_sha256=plan_sha256,
        push=arguments.push,
        tags=sorted(set(arguments.tag)),
        login=find_login(host, os.environ) if host else None,
        env=os.environ,
        builder=arguments.builder,
        only=only,
    )


def _hand_over(arguments: argparse.Namespace, images: Images) -> int:
    from ciforge.results.encode import encode

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
