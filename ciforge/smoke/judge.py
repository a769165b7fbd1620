"""What a container's state says of a suite, in one check. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from ciforge.doors.docker import Container
from ciforge.results.model import Check, SuiteResult, TestedImage
from ciforge.smoke.model import mask

Outcome = Literal["passed", "failed", "skipped"]
TAIL = 20  # lines of a log that a failed check carries
_SHOWN = 3  # faults that a suite's reason names


def state_check(
    container: Container, one_shots: Collection[str], seconds: float, limit: int | None
) -> Check:
    """The check that stands for a container once everything was started, or nothing more comes.

    `one_shots`: services that are meant to end. `limit`: the suite's time limit in seconds when
    it has passed, else None.
    """
    name = "healthy" if container.health else "running"
    outcome: Outcome = "passed"
    message = ""
    if container.state == "exited" and container.exit_code == 0 and container.service in one_shots:
        name = "ended well"
    elif container.state in ("exited", "dead"):
        outcome, message = "failed", f"exited with code {container.exit_code}"
    elif container.state == "restarting":
        outcome, message = "failed", f"ends with code {container.exit_code}, again and again"
    elif container.health == "unhealthy":
        outcome, message = "failed", "unhealthy"
    elif container.state == "created" and container.detail:
        outcome, message = "failed", "could not be started"
    elif container.state == "created":
        outcome, message = "skipped", "was never started: what it depends on failed"
    elif container.health == "starting" and limit is not None:
        outcome, message = "failed", f"not healthy within {limit} s"
    elif container.health == "starting":
        outcome, message = "skipped", "was still starting when another one failed"
    if outcome == "failed" and container.detail:
        message += f" ({container.detail})"
    return Check(
        name=name,
        subject=container.service,
        outcome=outcome,
        seconds=round(seconds, 3),
        message=message,
    )


def last_lines(log: str, hidden: Sequence[str]) -> list[str]:
    return [mask(line, hidden) for line in log.splitlines()[-TAIL:]]


def result(
    suite: str, images: list[TestedImage], checks: list[Check], seconds: float
) -> SuiteResult:
    """The verdict: green only when something was asked and every check passed."""
    failed = [c for c in checks if c.outcome == "failed"]
    skipped = [c for c in checks if c.outcome == "skipped"]
    faults = failed or skipped
    if faults:
        named = [f"{c.subject}: {c.name}: {c.message}" for c in faults[:_SHOWN]]
        if len(faults) > _SHOWN:
            named.append(f"and {len(faults) - _SHOWN} more")
        reason = "; ".join(named)
    else:
        reason = f"{len({c.subject for c in checks})} containers answered {len(checks)} checks"
    return SuiteResult(
        suite=suite,
        verdict="failed" if faults or not checks else "passed",
        reason=reason if checks else "nothing was started",
        images=images,
        checks=checks,
        seconds=round(seconds, 3),
    )
