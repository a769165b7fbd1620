"""The chain of jobs that makes a pipeline as long as it is, however many runners there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Link(NamedTuple):
    """One job. `needs` are numbers of jobs; None: it waits for the stages before.

    A job that did not run takes no time, but it was over only after what it waits for.
    """

    stage: int
    needs: Sequence[int] | None
    seconds: float
    number: int


def critical_path(links: Sequence[Link]) -> tuple[list[int], float]:
    """The numbers of the longest chain's jobs, and its seconds.

    `links` come in an order in which nothing waits for a later one.
    """
    ends: dict[int, float] = {}
    before: dict[int, int | None] = {}
    last: dict[int, int] = {}  # of each stage, the job that ends last
    for stage, needs, seconds, number in links:
        earlier = (
            [job for other, job in last.items() if other < stage]
            if needs is None
            else [job for job in needs if job in ends]
        )
        longest = max(earlier, key=lambda job: (ends[job], -job), default=None)
        before[number] = longest
        ends[number] = seconds + (0.0 if longest is None else ends[longest])
        if stage not in last or ends[number] > ends[last[stage]]:
            last[stage] = number
    job = max(ends, key=lambda job: (ends[job], -job), default=None)
    total = 0.0 if job is None else ends[job]
    path: list[int] = []
    while job is not None:
        path.append(job)
        job = before[job]
    return path[::-1], total
