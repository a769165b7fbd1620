"""The proving ground by hand.

python -m tests.infra up|status|down [component …]
python -m tests.infra during -- COMMAND …
eval "$(python -m tests.infra env)"

`up` leaves them running until `down`. `during` starts all, runs the command and ends them again,
unless somebody said `up`, or uses them still.
"""

from __future__ import annotations

import argparse
import functools
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.infra import (
    buildkit,
    ci_local,
    compose,
    engine,
    images,
    k8s_cluster,
    k8s_node,
    lease,
    mirror,
    registry,
)
from tests.infra.base import Component, InfraError, Place, forget_lost_checkouts, here
from tests.infra.k8s_place import say

# What one needs stands before it, so `down` goes backwards.
CONTAINERS: Mapping[str, Component] = {
    "engine": engine,
    "mirror": mirror,
    "registry": registry,
    "buildkit": buildkit,
    "compose": compose,
    "images": images,
    "ci-local": ci_local,
}
KUBERNETES: Mapping[str, Component] = {"kubernetes": k8s_cluster, "node": k8s_node}
COMPONENTS = {**CONTAINERS, **KUBERNETES}


def up(names: Sequence[str]) -> None:
    forget_lost_checkouts()
    lease.keep(here())
    _start(names)


def during(command: Sequence[str]) -> int:
    """The command's exit code. What it needs lives as long as it, also when it is killed."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    forget_lost_checkouts()
    with (
        lease.held(here(), list(CONTAINERS.values())),
        lease.held(Place.of_checkout(), list(KUBERNETES.values()), kept_by=here()),
    ):
        _start(list(COMPONENTS))
        return subprocess.run(command).returncode


def _start(names: Sequence[str]) -> None:
    """All at once: each starts what it needs, and waits for whoever is at it already."""
    started = time.monotonic()
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        running = {name: pool.submit(_timed(name, _starter(name))) for name in names}
    failures = [f"{name}: {run.exception()}" for name, run in running.items() if run.exception()]
    if failures:
        raise InfraError("\n".join(failures))
    say(f"up: {', '.join(names)}", started)


def status(names: Sequence[str]) -> bool:
    states = {name: COMPONENTS[name].ready() for name in names}
    for name, state in states.items():
        say(f"{name:12} {'ready' if state else 'not ready'}")
    say(f"logs in {here().folder / 'log'} and {Place.of_checkout().folder / 'log'}")
    return all(states.values())


def down(names: Sequence[str]) -> None:
    started = time.monotonic()
    for name in reversed(names):
        COMPONENTS[name].stop()
    if len(names) == len(COMPONENTS):
        lease.forget(here())
    say(f"down: {', '.join(names)}", started)


def shell_environment() -> dict[str, str]:
    values = {**engine.environment(), **registry.credentials().variables()}
    if k8s_cluster.ready():
        values.update(k8s_cluster.start().environment())
    return values


def _starter(name: str) -> Callable[[], object]:
    if name == "node":
        return functools.partial(k8s_node.start, None, registry.loopback_ports())
    return COMPONENTS[name].start


def _timed(name: str, start: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        started = time.monotonic()
        start()
        say(f"{name} is ready", started)

    return run


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.infra", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("action", choices=["up", "status", "down", "during", "env"])
    parser.add_argument("components", nargs="*", metavar="component", help=", ".join(COMPONENTS))
    options = parser.parse_args(arguments)
    if options.action == "during":
        try:
            return during(options.components)
        except InfraError as error:
            print(f"error: {error}", file=sys.stderr)
            return 3
        except KeyboardInterrupt:
            return 130
    unknown = sorted(set(options.components) - set(COMPONENTS))
    if unknown:
        parser.error(f"no such component: {', '.join(unknown)}; there are {', '.join(COMPONENTS)}")
    names = [name for name in COMPONENTS if not options.components or name in options.components]
    try:
        if options.action == "up":
            up(names)
        elif options.action == "down":
            down(names)
        elif options.action == "env":
            for name, value in shell_environment().items():
                print(f"export {name}={shlex.quote(value)}")
        elif not status(names):
            return 1
    except InfraError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    return 0
