"""Runs one suite: starts it, asks it, and says what came of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial

import msgspec

from ciforge.doors import docker
from ciforge.doors.process import ProcessError
from ciforge.errors import OutsideError
from ciforge.results.model import Check, SuiteResult
from ciforge.smoke import model as models
from ciforge.smoke.asking import Asking, Question
from ciforge.smoke.judge import last_lines, result, state_check
from ciforge.smoke.questionnaire import about_dependencies, all_questions, is_healthy
from ciforge.smoke.stack import Around, Prepared, Stack, stack

_LOOK = 1  # seconds between two looks at the containers while they start
_HEARTBEAT = 15  # seconds between two signs of life meanwhile
_JOIN = 5  # seconds that a look may still take when they have started


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
        self.since: dict[str, tuple[tuple[str, str], float]] = {}
        self.shown: set[str] = set()

    def checks(self) -> list[Check]:
        most = len(self.prepared.subjects) + len(self.prepared.dependencies)
        try:
            with Asking(most, partial(models.mask, hidden=self.hidden)) as asking:
                checks = self._start(asking)
                started = all(check.outcome == "passed" for check in checks)
                checks += self._ask(asking) if started else self._given_up(asking)
            return self._with_logs(checks)
        finally:
            self.compose.used = time.monotonic() - self.started

    def _start(self, asking: Asking) -> list[Check]:
        """Starts everything and waits until it is healthy: one check for each container."""
        names = ", ".join(s.name for s in self.prepared.subjects)
        self.around.say(
            f"{self.name}: starting {len(self.prepared.services)} services, to test {names}"
        )
        said, limit = "", None
        self.compose.deadline = self.deadline
        try:
            with self._watched(asking):
                self.compose.start()
        except ProcessError as error:
            said = error.stderr or error.message
        except OutsideError:
            if time.monotonic() < self.deadline:
                raise
            limit = self.suite.timeout
            said = f"not up within {limit} s"
        self.compose.deadline = None
        containers = [self._detailed(c) for c in self.compose.containers()]
        checks = self._see(containers, limit)
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
    def _watched(self, asking: Asking) -> Iterator[None]:
        """Meanwhile shows who is healthy, and asks it; says now and then who is waited for.

        A dependency's question takes its time, which is lost only when nothing else starts.
        Services are asked whether they are ready when all are up: another may still unsettle them.
        """
        over = threading.Event()

        def watch() -> None:
            said = time.monotonic()
            while not over.wait(_LOOK):
                with suppress(OutsideError, ValueError):
                    containers = self.compose.containers()
                    if over.is_set():
                        return
                    self._see([c for c in containers if self._is_up(c)], None)
                    healthy = {c.service for c in containers if is_healthy(c)}
                    early = about_dependencies(self.prepared, containers, self.deadline)
                    asking.ask(q for q in early if q.subject in healthy)
                    if time.monotonic() - said > _HEARTBEAT:
                        said = time.monotonic()
                        self.around.say(f"{self.name}: waiting for {_waiting(containers)}")

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join(_JOIN)

    def _is_up(self, container: docker.Container) -> bool:
        """Healthy, or ended well; what merely runs, without a health check, may still fall."""
        check = state_check(container, self.one_shots, 0, None)
        return check.outcome == "passed" and check.name != "running"

    def _see(self, containers: Sequence[docker.Container], limit: int | None) -> list[Check]:
        """The check of each container by its state now; shown when it is not yet."""
        checks = []
        for container in containers:
            state, now = (container.state, container.health), time.monotonic() - self.started
            if self.since.get(container.id, ("", 0))[0] != state:
                self.since[container.id] = state, now
            seconds = self.since[container.id][1]
            check = state_check(container, self.one_shots, seconds, limit)
            if container.id not in self.shown or check.outcome != "passed":
                self.shown.add(container.id)
                self._show(check)
            checks.append(check)
        return checks

    def _detailed(self, container: docker.Container) -> docker.Container:
        if container.state == "running" and container.health in ("", "healthy"):
            return container
        return replace(container, detail=docker.detail(container, self.around.environment))

    def _questions(self) -> list[Question]:
        return all_questions(self.prepared, self.compose.containers(), self.deadline)

    def _ask(self, asking: Asking) -> list[Check]:
        questions = self._questions()
        asking.ask(questions)
        found = []
        for check in asking.answers(self._fallen):
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

    def _given_up(self, asking: Asking) -> list[Check]:
        """What was answered before the start failed; the rest is not asked."""
        known = {(check.subject, check.name): check for check in asking.answered()}
        return [
            known.get((q.subject, q.name))
            or Check(name=q.name, subject=q.subject, outcome="skipped", message="not asked")
            for q in self._questions()
        ]

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


def _waiting(containers: Iterable[docker.Container]) -> str:
    starting = sorted(
        f"{c.service} ({c.health or c.state})"
        for c in containers
        if c.health == "starting" or c.state == "created"
    )
    return ", ".join(starting) or "images to be pulled"
