"""Say which jobs GitLab would create from a CI file, and when they would run.

The event is given by its variables: `--var CI_COMMIT_BRANCH=main`, or all at once by a name
(`--as tag`). Every job is taken to succeed; manual jobs stay unstarted without --play. Nothing
is sent to GitLab, except with --durations-from gitlab. Exit code 1: GitLab makes no pipeline.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ciforge.cli.terminal import print_bytes, style, warn
from ciforge.errors import EXIT_OK, EXIT_VERDICT_NO, InputError
from ciforge.simulate.events import PRESETS

if TYPE_CHECKING:
    from ciforge.collect.ci_files import CiFiles
    from ciforge.report.simulation import Simulation

_YEAR = 366 * 86400

# What the lint finds and GitLab's parser does not: the pipeline is refused, for some events.
_LATER = ("too-many-needs", "variables-circle")

EXAMPLES = """\
examples:
  ciforge simulate .gitlab-ci.yml --as push_main
  ciforge simulate child.yml --as mr_child --var REVIEW=1 --runners 2
  ciforge simulate child.yml --var CI_COMMIT_TAG=v1.2.3 --format json
  ciforge simulate child.yml --as push_main --durations jobs.json --html pipeline.html

--as sets these variables, and --var adds to them or replaces them. What follows is set too:
CI_COMMIT_REF_NAME, CI_MERGE_REQUEST_TARGET_BRANCH_NAME, CI and more; CI_DEFAULT_BRANCH is main:
""" + "".join(
    f"  {name:12} {' '.join(f'{k}={v}' for k, v in variables.items())}\n"
    for name, variables in PRESETS.items()
)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="a CI file, as .gitlab-ci.yml")
    parser.add_argument(
        "--var",
        metavar="K=V",
        action="append",
        default=[],
        help="a variable of the pipeline; may be repeated",
    )
    parser.add_argument("--as", dest="preset", choices=list(PRESETS), help="an event by its name")
    parser.add_argument(
        "--changed",
        metavar="FILE",
        nargs="*",
        action="extend",
        help="files that changed, for rules:changes (after FILE); default: GitLab can't know, as "
        "for a tag or a schedule, and every `changes` is true",
    )
    parser.add_argument(
        "--no-cluster", action="store_true", help="only:kubernetes finds no cluster connected"
    )
    parser.add_argument(
        "--root",
        metavar="DIR",
        type=Path,
        help="where local includes and rules:exists are looked up; default: the repository's root",
    )
    parser.add_argument("--runners", metavar="N", type=_number, default=4, help="default: 4")
    parser.add_argument(
        "--gpu-runners", metavar="N", type=_number, default=1, help="beside them; default: 1"
    )
    parser.add_argument(
        "--gpu-tag",
        metavar="TAG",
        action="append",
        help="a job with this tag runs on a GPU runner; may be repeated; default: runners.gpu.tags "
        "of ciforge.yaml, or gpu",
    )
    parser.add_argument(
        "--play", action="store_true", help="start manual jobs as soon as they can be"
    )
    known = parser.add_mutually_exclusive_group()
    known.add_argument(
        "--durations",
        metavar="FILE",
        type=Path,
        help="seconds by name of a job or pattern, as JSON; a job without takes 60 s",
    )
    known.add_argument(
        "--durations-from",
        choices=["gitlab"],
        help="the medians of the project's last successful jobs (CI_SERVER_URL, CI_PROJECT_ID and "
        "a token with read_api in GITLAB_TOKEN)",
    )
    parser.add_argument("--format", choices=["text", "json"], default="text", help="default: text")
    parser.add_argument(
        "--html", metavar="FILE", type=Path, help="write a page with a Gantt picture too"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="write to FILE, atomically"
    )


def _number(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 10_000:
        raise ValueError(text)
    return number


_number.__name__ = "number of runners"


def run(arguments: argparse.Namespace) -> int:
    from ciforge.doors.files import write_atomically
    from ciforge.report.gantt import as_html
    from ciforge.report.simulation import as_json, as_text
    from ciforge.text import json_bytes

    simulation = _simulate(arguments)
    if arguments.html is not None:
        write_atomically(arguments.html, as_html(simulation))
    if arguments.format == "json":
        content = json_bytes(as_json(simulation))
    else:
        to_terminal = arguments.output is None

        def painted(text: str, name: str) -> str:
            return style(text, name, sys.stdout) if to_terminal else text

        lines = "".join(f"{line}\n" for line in as_text(simulation, painted))
        content = lines.encode("utf-8", "backslashreplace")
    if arguments.output is None:
        print_bytes(content)
    else:
        write_atomically(arguments.output, content)
    return EXIT_OK if simulation.is_created else EXIT_VERDICT_NO


def _simulate(arguments: argparse.Namespace) -> Simulation:
    from ciforge.collect.ci_files import CiFiles, read_ci_file
    from ciforge.gitlab_ci.document import resolve
    from ciforge.report.simulation import Simulation
    from ciforge.simulate.creation import create
    from ciforge.simulate.durations import Durations
    from ciforge.simulate.guessed import guessed
    from ciforge.simulate.model import Event
    from ciforge.simulate.schedule import Fleet, schedule

    variables = _variables(arguments)
    text = read_ci_file(arguments.file)
    files = CiFiles.around(arguments.file, arguments.root)
    _refuse_invalid(str(arguments.file), text, files, variables)
    document = resolve(text, str(arguments.file), files, variables=variables)
    for name in document.outside:
        warn(f"not read, so its jobs are missing here: {name}", "only GitLab can include it")
    if document.unfinished:
        names = ", ".join(document.unfinished)
        warn(f"not whole, as they build on what was not read: {names}", "only GitLab has the rest")
    event = Event(
        variables,
        changed=None if arguments.changed is None else tuple(arguments.changed),
        files=tuple(files.paths()),
        has_cluster=not arguments.no_cluster,
    )
    if unknown := guessed(document, event):
        warn(
            f"not known here, but rules ask for them: {', '.join(unknown)}",
            f"they count as empty: --var {unknown[0]}=…",
        )
    pipeline = create(document, event)
    fleet = Fleet(arguments.runners, arguments.gpu_runners, _gpu_tags(arguments))
    planned = schedule(
        pipeline.jobs if pipeline.status == "created" else (),
        pipeline.stages,
        Durations(_durations(arguments)),
        fleet,
        play=arguments.play,
    )
    return Simulation(str(arguments.file), event, pipeline, planned, fleet)


def _refuse_invalid(name: str, text: str, files: CiFiles, variables: Mapping[str, str]) -> None:
    """A file that GitLab's parser refuses has no jobs at all."""
    from ciforge.lint import lint

    found = [f for f in lint(name, text, files, variables=variables) if f.rule not in _LATER]
    if found:
        first, more = found[0], len(found) - 1
        raise InputError(
            f"{first.job}: {first.message}" if first.job else first.message,
            where=f"{first.file}:{first.line}",
            hint=first.hint + (f"; and {more} more: ciforge lint {name}" if more else ""),
        )


def _variables(arguments: argparse.Namespace) -> dict[str, str]:
    from ciforge.simulate.events import completed

    given: dict[str, str] = dict(PRESETS[arguments.preset]) if arguments.preset else {}
    for pair in arguments.var:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise InputError(
                f"{name!r} (--var) is no NAME=VALUE", hint="--var CI_COMMIT_BRANCH=main"
            )
        given[name] = value
    return completed(given)


def _gpu_tags(arguments: argparse.Namespace) -> frozenset[str]:
    from ciforge.collect.workspace import find_config, load_config
    from ciforge.config.model import Config

    if arguments.gpu_tag:
        return frozenset(arguments.gpu_tag)
    found = find_config(arguments.directory.absolute())
    return frozenset((load_config(found) if found else Config()).runners.gpu.tags)


def _durations(arguments: argparse.Namespace) -> Mapping[str, float]:
    if arguments.durations is not None:
        return _durations_of(arguments.durations)
    if arguments.durations_from is None:
        return {}
    from ciforge.doors.gitlab import job_durations

    return job_durations(os.environ)


def _durations_of(path: Path) -> Mapping[str, float]:
    import json

    from ciforge.doors.files import read_bytes

    hint = '{"build": 90, "smoke *": 240}'
    content = read_bytes(path, pipe=True)
    if content is None:
        raise InputError("there is no such file", where=str(path), hint=f"write one: {hint}")
    try:
        found: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"is no JSON: {error}", where=str(path), hint=f"as {hint}") from error
    if not isinstance(found, dict):
        raise InputError("is no JSON object", where=str(path), hint=f"as {hint}")
    for name, value in found.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _YEAR:
            raise InputError(
                f"the duration of {name!r} is no number of seconds",
                where=str(path),
                hint=f"as {hint}",
            )
    return {name: float(value) for name, value in found.items()}
