"""Runs one suite: starts it, asks it, and says what came of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial

import msgspec

from ciforge.doors import docker
from ciforge.doors.process import ProcessError
from ciforge.errors import OutsideError
from ciforge.results.model import Check, SuiteResult
from ciforge.smoke import model as models
from ciforge.smoke.asking import Question, ask_all
from ciforge.smoke.judge import last_lines, result, state_check
from ciforge.smoke.questions import Address, ask, ask_ready
from ciforge.smoke.recognise import QUESTIONS
from ciforge.smoke.stack import Around, Prepared, Stack, stack

# Seconds that a dependency may take to answer, once it counts as healthy; without a health
# check it may still be starting.
_PATIENCE_HEALTHY = 30
_PATIENCE_BLIND = 90
_HEARTBEAT = 15  # seconds between two signs of life while the containers start


def run_suite(prepared: Prepared, around: Around) -> SuiteResult:
    """Starts the containers and asks them. Afterwards nothing of them is left (but for `keep`).

    Raises OutsideError when an image can't be pulled or the engine is gone.
    """
    started = time.monotonic()
    if prepared.suite.gpu:
        reason = docker.without_gpu(around.environment)
        if reason is not None:
            return SuiteResult(suite=prepared.suite.suite, verdict="not run", reason=reason)
    with stack(prepared, around) as compose:
        checks = _Run(prepared, around, compose, started).checks()
    # Without the cleaning up: it is no part of what was tested.
    return result(prepared.suite.suite, prepared.images, checks, compose.used)


class _Run:
    """One run of a suite, from the first container to the last answer."""

    def __init__(self, prepared: Prepared, around: Around, compose: Stack, started: float) -> None:
        self.prepared, self.around, self.compose = prepared, around, compose
        self.suite, self.name = prepared.suite, prepared.suite.suite
        self.started, self.deadline = started, started + prepared.suite.timeout
        self.hidden = models.secrets(prepared.model)
        self.one_shots = models.ran_to_end(prepared.model)

    def checks(self) -> list[Check]:
        try:
            checks = self._start()
            if all(check.outcome == "passed" for check in checks):
                checks += self._ask()
            else:
                checks += [
                    Check(name=q.name, subject=q.subject, outcome="skipped", message="not asked")
                    for q in self._questions(self.compose.containers())
                ]
            return self._with_logs(checks)
        finally:
            self.compose.used = time.monotonic() - self.started

    def _start(self) -> list[Check]:
        """Starts everything and waits until it is healthy: one check for each container."""
        names = ", ".join(s.name for s in self.prepared.subjects)
        self.around.say(
            f"{self.name}: starting {len(self.prepared.services)} services, to test {names}"
        )
        said, limit = "", None
        self.compose.deadline = self.deadline
        try:
            with self._heartbeat():
                self.compose.start()
        except ProcessError as error:
            said = error.stderr or error.message
        except OutsideError:
            if time.monotonic() < self.deadline:
                raise
            limit = self.suite.timeout
            said = f"not up within {limit} s"
        self.compose.deadline = None
        seconds = time.monotonic() - self.started
        containers = [self._detailed(c) for c in self.compose.containers()]
        checks = [state_check(c, self.one_shots, seconds, limit) for c in containers]
        for check in checks:
            self._show(check)
        if said and not any(check.outcome == "failed" for check in checks):
            benign = containers and all(c.outcome == "passed" for c in checks) and limit is None
            # Images are pulled before the first container is made.
            if not containers:
                problem = docker.pull_problem(said, self.prepared.references.values())
                if problem is not None:
                    raise problem
            # Compose counts a migration that has ended as a fault; it is none.
            if not (benign and any(c.state == "exited" for c in containers)):
                message = models.mask(docker.last_line(said), self.hidden)
                checks.append(
                    Check(name="starts", subject=self.name, outcome="failed", message=message)
                )
        return checks

    @contextmanager
    def _heartbeat(self) -> Iterator[None]:
        """Says now and then what is still waited for."""
        over = threading.Event()

        def tell() -> None:
            while not over.wait(_HEARTBEAT):
                with suppress(OutsideError):
                    waiting = sorted(
                        f"{c.service} ({c.health or c.state})"
                        for c in self.compose.containers()
                        if c.health == "starting" or c.state == "created"
                    )
                    names = ", ".join(waiting) or "images to be pulled"
                    self.around.say(f"{self.name}: waiting for {names}")

        threading.Thread(target=tell, daemon=True).start()
        try:
            yield
        finally:
            over.set()

    def _detailed(self, container: docker.Container) -> docker.Container:
        if container.state == "running" and container.health in ("", "healthy"):
            return container
        return replace(container, detail=docker.detail(container, self.around.environment))

    def _questions(self, containers: Sequence[docker.Container]) -> list[Question]:
        _, host = docker.published_at()
        now = time.monotonic()
        by_service = {container.service: container for container in containers}
        found = []

        def address(service: str, port: int) -> Address:
            container = by_service.get(service)
            # A service on the host's own network publishes nothing: it is there as it is.
            return Address(host, container.ports.get(port, port) if container else port)

        for subject in self.prepared.subjects:
            if subject.ready is not None:
                call = partial(ask_ready, address(subject.name, subject.port), subject.ready)
                name = f"ready ({subject.ready})"
                found.append(Question(name, subject.name, call, self.deadline))
        for dependency in self.prepared.dependencies:
            container = by_service.get(dependency.service)
            healthy = container is not None and container.health == "healthy"
            patience = _PATIENCE_HEALTHY if healthy else _PATIENCE_BLIND
            call = partial(ask, dependency, address(dependency.service, dependency.port))
            # A model takes its time to load, with or without a health check.
            late = dependency.kind == "vllm"
            until = self.deadline if late else min(self.deadline, now + patience)
            found.append(Question(QUESTIONS[dependency.kind], dependency.service, call, until))
        return found

    def _ask(self) -> list[Check]:
        questions = self._questions(self.compose.containers())
        found = []
        for check in ask_all(questions, self._fallen, partial(models.mask, hidden=self.hidden)):
            self._show(check)
            found.append(check)
        told = {check.subject for check in found if check.outcome == "failed"}
        # Whoever has answered and fell afterwards is no good either.
        for container in self.compose.containers():
            last = state_check(self._detailed(container), self.one_shots, 0, self.suite.timeout)
            if last.outcome != "passed" and container.service not in told:
                found.append(msgspec.structs.replace(last, name="still runs at the end"))
                self._show(found[-1])
        order = {(q.subject, q.name): i for i, q in enumerate(questions)}
        return sorted(found, key=lambda c: order.get((c.subject, c.name), len(order)))

    def _fallen(self) -> dict[str, str]:
        states = [state_check(c, self.one_shots, 0, None) for c in self.compose.containers()]
        return {check.subject: check.message for check in states if check.outcome == "failed"}

    def _show(self, check: Check) -> None:
        sign = {"passed": "ok", "failed": "FAILED", "skipped": "skipped"}[check.outcome]
        message = f": {check.message}" if check.message else ""
        self.around.say(f"{self.name}: {check.subject}: {check.name}: {sign}{message}")

    def _with_logs(self, checks: list[Check]) -> list[Check]:
        """Failed checks get the last lines of their container."""
        failed = {check.subject for check in checks if check.outcome == "failed"}
        if not failed:
            return checks
        logs = {
            c.service: last_lines(docker.log_of(c, self.around.environment), self.hidden)
            for c in self.compose.containers()
            if c.service in failed
        }
        return [
            msgspec.structs.replace(c, log=logs.get(c.subject, [])) if c.outcome == "failed" else c
            for c in checks
        ]
