"""Who owns what a run started, so that a later run removes only what nobody owns any more. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

PREFIX = "ciforge-smoke-"
LABEL = "ciforge.smoke.owner"
# After its time limit a run only cleans up; what is older than that by this is nobody's.
_GRACE = 900  # seconds


@dataclass(frozen=True)
class Owner:
    """A process. `start`: its start time as the kernel counts it, since a pid comes again.

    `until`: seconds since 1970 at which its time is over; 0: kept on purpose, never removed.
    """

    host: str
    pid: int
    start: str
    until: int

    def label(self) -> str:
        return f"{self.until} {self.pid} {self.start or '-'} {self.host}"


def parse(label: str) -> Owner | None:
    parts = label.split(" ", 3)
    if len(parts) != 4 or not (parts[0].isdigit() and parts[1].isdigit()):
        return None
    return Owner(parts[3], int(parts[1]), "" if parts[2] == "-" else parts[2], int(parts[0]))


def project_name(suite: str, run: str) -> str:
    """The compose project of one run of a suite; `run` is unique and short."""
    return f"{PREFIX}{re.sub('[^a-z0-9_-]', '-', suite.lower())[:60]}-{run}"


def stale(
    found: Iterable[tuple[str, str]], host: str, now: float, lives: Callable[[int, str], bool]
) -> list[str]:
    """The projects, of `found` as (project, owner label), that no living run owns; sorted.

    `lives(pid, start)` says whether that process of this machine runs. Of other machines'
    processes nothing is known: theirs are stale long after their time limit. One sign of life
    is enough to leave a project alone.
    """
    dead: set[str] = set()
    living: set[str] = set()
    for project, label in found:
        if not project.startswith(PREFIX):
            continue
        owner = parse(label)
        if owner is None or owner.until == 0:
            living.add(project)
        elif owner.host == host:
            (living if lives(owner.pid, owner.start) else dead).add(project)
        else:
            (dead if now > owner.until + _GRACE else living).add(project)
    return sorted(dead - living)
