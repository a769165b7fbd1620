"""Release the tested images with Helm, or say why not.

The gate comes first, always: what is deployed is what was planned, built and tested. Then one
`helm upgrade --install` at a time, under a lock in the cluster; the pods are watched while they
roll. A rollout that fails goes back to the last good revision, and the error names the pod, its
reason and its last log lines. What a killed deploy left behind is put right first.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ciforge import __version__
from ciforge.cli.gate import add_files
from ciforge.cli.terminal import escape, print_error, print_lines, section, style
from ciforge.errors import EXIT_OK, EXIT_VERDICT_NO, InputError

if TYPE_CHECKING:
    from ciforge.deploy.evidence import Evidence
    from ciforge.deploy.model import Deployment
    from ciforge.deploy.release import Result, Rollout
    from ciforge.deploy.released import Released
    from ciforge.doors.helm import Helm
    from ciforge.gate.decide import Decision
    from ciforge.plan.model import DeployPlan

EXAMPLES = """\
examples:
  ciforge deploy staging                    release what was built and tested
  ciforge deploy staging --dry-run          what would change; writes nothing
  ciforge deploy production -o deploy.json  with a report for machines
  ciforge deploy staging --settle 60        look for restarts for a minute
  ciforge deploy review --instance mr-12    a release of its own for a merge request
  ciforge deploy review --instance mr-12 --uninstall
"""


def configure(parser: argparse.ArgumentParser) -> None:
    add_files(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="gate, and say what would change; writes nothing"
    )
    parser.add_argument(
        "--timeout",
        metavar="S",
        type=_seconds,
        help="until the rollout counts as failed; default: the plan's (helm.timeout)",
    )
    parser.add_argument(
        "--settle",
        metavar="S",
        type=_seconds,
        default=10,
        help="look for restarts that long after success, 0: not at all; default: 10",
    )
    parser.add_argument(
        "--lock-timeout",
        metavar="S",
        type=_seconds,
        default=300,
        help="wait that long for another deploy of the release; default: 300",
    )
    parser.add_argument("--kube-context", metavar="NAME", help="default: the current context")
    parser.add_argument(
        "--instance",
        metavar="NAME",
        help="of a review environment: the release RELEASE-NAME, beside those of other instances",
    )
    parser.add_argument(
        "--uninstall",
        action="store_true",
        help="remove the release, tested or not; with --dry-run only say so",
    )
    parser.add_argument(
        "--release", metavar="NAME", help="with --uninstall, where there is no plan.json any more"
    )
    parser.add_argument(
        "--namespace", metavar="NAME", help="the namespace of --release; default: the context's"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="write deploy.json to FILE"
    )


def _seconds(text: str) -> int:
    if not text.isdecimal() or len(text) > 6:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    from ciforge.deploy.evidence import read_evidence
    from ciforge.deploy.instance import instance_of
    from ciforge.deploy.released import ask
    from ciforge.doors.helm import Helm
    from ciforge.gate.decide import deploy_plan

    started = time.monotonic()
    if arguments.uninstall:
        return _uninstall(arguments)
    if arguments.release or arguments.namespace:
        raise InputError(
            "--release and --namespace belong to --uninstall",
            hint="a deploy takes both from the plan: helm.release, environments.NAME.namespace",
        )
    evidence = read_evidence(arguments.plan, arguments.images, arguments.smoke)
    deploy = instance_of(deploy_plan(evidence.plan, arguments.environment), arguments.instance)
    helm = Helm(deploy.release, deploy.namespace, arguments.kube_context)
    released = ask(helm)
    decision = _gate(evidence, arguments, released, offline=arguments.offline)
    result = _result(arguments, evidence, deploy, helm, released, decision)
    deployment = _deployment(arguments, deploy, released, decision, result, started)
    return _finish(arguments, deployment)


def _uninstall(arguments: argparse.Namespace) -> int:
    """Takes a release away. Needs no file of the pipeline: it may run weeks after it."""
    from ciforge.deploy.instance import instance_of, release_of, uninstall
    from ciforge.deploy.lock import Lock, identity
    from ciforge.doors.handover import read_plan
    from ciforge.doors.helm import Helm
    from ciforge.doors.kubernetes import Kubectl
    from ciforge.gate.decide import deploy_plan

    if arguments.output is not None:
        raise InputError("--uninstall writes no deploy.json", hint="leave -o out")
    release, namespace = arguments.release, arguments.namespace
    if release is None:
        plan, _ = read_plan(arguments.plan)
        deploy = instance_of(deploy_plan(plan, arguments.environment), arguments.instance)
        release, namespace = deploy.release, namespace or deploy.namespace
    else:
        release = release_of(release, arguments.instance)
    helm = Helm(release, namespace, arguments.kube_context)
    place = escape(f"{arguments.environment} (release {release})")
    if not helm.history():
        print_lines([f"nothing to do: {place} is not there"])
    elif arguments.dry_run:
        print_lines([f"would remove: {place}"])
    else:
        lock = Lock(Kubectl(namespace, arguments.kube_context), release, identity(os.environ))
        timeout = arguments.timeout or 600
        uninstall(helm, lock, timeout=timeout, lock_timeout=arguments.lock_timeout, say=_say)
        print_lines([f"removed: {place}"])
    return EXIT_OK


def _gate(
    evidence: Evidence, arguments: argparse.Namespace, released: Released, *, offline: bool
) -> Decision:
    return evidence.decide(
        arguments.environment,
        released.digests,
        arguments.allow_not_run,
        None if offline else os.environ,
    )


def _result(
    arguments: argparse.Namespace,
    evidence: Evidence,
    deploy: DeployPlan,
    helm: Helm,
    released: Released,
    decision: Decision,
) -> Result:
    from ciforge.deploy.lock import Lock, identity
    from ciforge.deploy.release import Result, Station, helm_words, try_out
    from ciforge.doors.kubernetes import Kubectl
    from ciforge.doors.process import ProcessError
    from ciforge.gate import report

    number = released.last.revision if released.last else None
    print_lines(report.as_lines(decision, _paint))
    if not decision.open:
        first = decision.refusals[0]
        return Result("refused", f"the gate is closed: {first.subject}: {first.what}", number)
    if not deploy.run and _same(decision, released) and released.whole:
        return Result("nothing to do", f"{deploy.reason}, and these images run already", number)
    rollout = _rollout(arguments, deploy, decision)
    if arguments.dry_run:
        try:
            try_out(helm, rollout)
        except ProcessError as error:
            return Result("failed", f"Helm refuses: {helm_words(error)}", number)
        return Result("would deploy", "a dry run: nothing was written", number)
    kubectl = Kubectl(deploy.namespace, arguments.kube_context)
    kubectl.ensure_namespace()
    with Lock(kubectl, deploy.release, identity(os.environ)).held(
        arguments.lock_timeout, _say
    ) as lock:
        from ciforge.deploy.released import ask

        now = ask(helm)
        if now.digests != released.digests:  # another deploy has ended meanwhile
            again = _gate(evidence, arguments, now, offline=True)
            if not again.open:
                print_lines(report.as_lines(again, _paint))
                first = again.refusals[0]
                return Result("refused", f"the gate closed: {first.subject}: {first.what}", number)
        return Station(helm, kubectl, _say, _section).roll_out(rollout, lock)


def _same(decision: Decision, released: Released) -> bool:
    wanted = {service: digest for service, (_, digest) in decision.digests.items()}
    return wanted == {s: d for s, d in released.digests.items() if s in wanted}


def _rollout(arguments: argparse.Namespace, deploy: DeployPlan, decision: Decision) -> Rollout:
    from ciforge.deploy.release import Rollout

    folder: Path = arguments.directory
    if not (folder / deploy.chart).exists():
        from ciforge.collect.workspace import open_root

        folder = open_root(folder).path
    chart = folder / deploy.chart
    if not (chart / "Chart.yaml").is_file():
        raise InputError(
            "there is no Helm chart", where=deploy.chart, hint="write one, or set helm.chart"
        )
    for name in deploy.values:
        if not (folder / name).is_file():
            raise InputError(
                "no such values file",
                where=name,
                hint=f"mend environments.{deploy.environment}.values in ciforge.yaml",
            )
    return Rollout(
        chart=chart,
        values=[folder / name for name in deploy.values],
        digests=decision.digests,
        timeout=arguments.timeout or deploy.timeout,
        max_restarts=deploy.max_restarts,
        settle=arguments.settle,
    )


def _deployment(
    arguments: argparse.Namespace,
    deploy: DeployPlan,
    released: Released,
    decision: Decision,
    result: Result,
    started: float,
) -> Deployment:
    from ciforge.deploy.model import Change, Deployment

    return Deployment(
        ciforge=__version__,
        environment=arguments.environment,
        release=deploy.release,
        namespace=deploy.namespace,
        outcome=result.outcome,
        reason=result.reason,
        revision=result.revision,
        services=[
            Change(service=service, old=released.digests.get(service), new=digest)
            for service, (_, digest) in decision.digests.items()
        ],
        trouble=list(result.trouble),
        warnings=list(decision.warnings),
        seconds=round(time.monotonic() - started, 1),
    )


def _finish(arguments: argparse.Namespace, deployment: Deployment) -> int:
    """Prints, writes deploy.json, and turns the outcome into an exit code."""
    import msgspec

    from ciforge.deploy import report
    from ciforge.text import json_bytes

    if arguments.output is not None:
        from ciforge.doors.files import write_atomically

        write_atomically(arguments.output, json_bytes(msgspec.to_builtins(deployment)))
    print_lines(report.as_lines(deployment, _paint))
    if deployment.well:
        return EXIT_OK
    if deployment.outcome != "refused":
        name = style("ciforge: error:", "red", sys.stderr)
        print_error(f"{name} {report.headline(deployment)}")
        for line in report.why(deployment):
            print_error(f"  {line}")
        print_error(f"  {report.hint(deployment)}")
    return EXIT_VERDICT_NO


def _paint(text: str, name: str) -> str:
    return style(text, name, sys.stdout)


def _say(line: str) -> None:
    print_lines([f"  {escape(line)}"])


@contextmanager
def _section(name: str, title: str) -> Iterator[None]:
    """A part of the log; its title is a heading where nothing can be folded."""
    if not os.environ.get("GITLAB_CI"):
        print_lines([title])
    with section(name, title, lambda line: print_lines([line])):
        yield
