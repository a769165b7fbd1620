"""Asks all questions of a suite at once, each again and again until it is answered."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from ciforge.doors.process import innermost
from ciforge.results.model import Check
from ciforge.smoke.judge import Outcome

_PAUSE = 0.25  # seconds between two tries
_LOOK = 3.0  # seconds between two looks at the containers, while there is nothing to do but wait


@dataclass(frozen=True)
class Question:
    """`ask` raises while there is no right answer.

    It may take `patience` seconds once everything has started, but never longer than `deadline`,
    as time.monotonic() counts.
    """

    name: str
    subject: str
    ask: Callable[[], None] = field(repr=False)
    patience: float
    deadline: float


class Asking:
    """The questions under way. Nothing is asked any longer once this is left.

    `most`: how many there can be. `hide` takes credentials out of a message.
    """

    def __init__(self, most: int, hide: Callable[[str], str]) -> None:
        self._hide = hide
        self._executor = ThreadPoolExecutor(max_workers=max(1, most))
        self._asked: dict[tuple[str, str], Future[Check]] = {}
        self._gone: dict[str, str] = {}
        self._settled: float | None = None
        self._stopped = False

    def __enter__(self) -> Asking:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        self._executor.shutdown(wait=False, cancel_futures=True)

    def ask(self, questions: Iterable[Question]) -> None:
        """Begins to ask those that are not being asked yet."""
        for question in questions:
            key = question.subject, question.name
            if key not in self._asked:
                self._asked[key] = self._executor.submit(self._until_answered, question)

    def answered(self) -> list[Check]:
        """What is known by now."""
        return [future.result() for future in self._asked.values() if future.done()]

    def answers(self, fallen: Callable[[], Mapping[str, str]]) -> Iterator[Check]:
        """The check of each question, as soon as it is known; everything has started by now.

        `fallen()` says which services run no more, and why: those are not asked any longer.
        """
        self._settled = looked = time.monotonic()
        waiting = set(self._asked.values())
        while waiting:
            done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
            if waiting and time.monotonic() - looked > _LOOK:
                self._gone.update(fallen())
                looked = time.monotonic()

    def _until_answered(self, question: Question) -> Check:
        started, tries = time.monotonic(), 0
        outcome: Outcome
        while True:
            tries += 1
            try:
                question.ask()
                outcome, message = "passed", f"at the {tries}. try" if tries > 1 else ""
            except Exception as error:
                if not self._given_up(question, started):
                    time.sleep(_PAUSE)
                    continue
                outcome, reason = "failed", self._hide(_reason(error))
                ended = self._gone.get(question.subject)
                passed = time.monotonic() - started
                message = (
                    f"{ended} ({reason})" if ended else f"{reason}, still after {passed:.0f} s"
                )
            return Check(
                name=question.name,
                subject=question.subject,
                outcome=outcome,
                seconds=round(time.monotonic() - started, 3),
                message=message,
            )

    def _given_up(self, question: Question, started: float) -> bool:
        """While others start the machine is busy: patience is counted from then on."""
        now = time.monotonic()
        if self._stopped or question.subject in self._gone or now >= question.deadline:
            return True
        settled = self._settled
        return settled is not None and now >= max(started, settled) + question.patience


def _reason(error: Exception) -> str:
    said = error.args[0] if error.args else None
    if isinstance(said, dict) and "M" in said:
        return str(said["M"])  # PostgreSQL's own words
    return innermost(error)
