"""Asks all questions of a suite at once, each again and again until it is answered."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from ciforge.doors.process import innermost
from ciforge.results.model import Check
from ciforge.smoke.judge import Outcome

_PAUSE = 0.25  # seconds between two tries
_LOOK = 3.0  # seconds between two looks at the containers, while there is nothing to do but wait


@dataclass(frozen=True)
class Question:
    """`ask` raises while there is no right answer. `until`: as time.monotonic() counts."""

    name: str
    subject: str
    ask: Callable[[], None] = field(repr=False)
    until: float


def ask_all(
    questions: Sequence[Question],
    fallen: Callable[[], Mapping[str, str]],
    hide: Callable[[str], str],
) -> Iterator[Check]:
    """Each question's check, as soon as it is known.

    `fallen()` says which services run no more, and why: those are not asked any longer. `hide`
    takes credentials out of a message.
    """
    gone: dict[str, str] = {}
    executor = ThreadPoolExecutor(max_workers=max(1, len(questions)))
    try:
        waiting: set[Future[Check]] = {
            executor.submit(_until_answered, question, gone, hide) for question in questions
        }
        looked = time.monotonic()
        while waiting:
            done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
            if waiting and time.monotonic() - looked > _LOOK:
                gone.update(fallen())
                looked = time.monotonic()
    finally:
        gone.update((question.subject, "interrupted") for question in questions)
        executor.shutdown(wait=False, cancel_futures=True)


def _until_answered(
    question: Question, gone: Mapping[str, str], hide: Callable[[str], str]
) -> Check:
    started, tries = time.monotonic(), 0
    outcome: Outcome
    while True:
        tries += 1
        try:
            question.ask()
            outcome, message = "passed", f"at the {tries}. try" if tries > 1 else ""
        except Exception as error:
            now = time.monotonic()
            if now < question.until and question.subject not in gone:
                time.sleep(_PAUSE)
                continue
            outcome, reason = "failed", hide(_reason(error))
            ended = gone.get(question.subject)
            message = (
                f"{ended} ({reason})" if ended else f"{reason}, still after {now - started:.0f} s"
            )
        return Check(
            name=question.name,
            subject=question.subject,
            outcome=outcome,
            seconds=round(time.monotonic() - started, 3),
            message=message,
        )


def _reason(error: Exception) -> str:
    said = error.args[0] if error.args else None
    if isinstance(said, dict) and "M" in said:
        return str(said["M"])  # PostgreSQL's own words
    return innermost(error)
