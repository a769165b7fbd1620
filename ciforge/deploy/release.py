"""One deploy: recover what a killed one left, upgrade, watch, settle, or go back.

Only what holds the lock touches the release. Whatever happens, the release ends at a revision that
was whole, or it is said that it does not.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager as Context
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from ciforge.deploy.lock import Lock
from ciforge.deploy.model import Outcome
from ciforge.deploy.released import Released, ask
from ciforge.deploy.signals import deaf
from ciforge.deploy.watch import Trouble, Watch, settle
from ciforge.doors.files import workplace
from ciforge.doors.helm import BusyError, Helm
from ciforge.doors.kubernetes import Kubectl
from ciforge.doors.process import ProcessError, StoppedError
from ciforge.errors import OutsideError

_TRIES, _PAUSE = 5, 3.0  # seconds between; Helm itself waits some ten for a cluster
_HURRY = 60  # seconds for a way back after a signal: whoever sent it waits


@dataclass(frozen=True)
class Rollout:
    """What is to be rolled out. `timeout` and `settle`: seconds; `chart`, `values`: paths.

    A new container that crashes after `max_restarts` restarts (0: any number) ends it.
    """

    chart: Path
    values: Sequence[Path]
    digests: Mapping[str, tuple[str, str]]
    timeout: int
    max_restarts: int
    settle: float


@dataclass(frozen=True)
class Result:
    outcome: Outcome
    reason: str
    revision: int | None
    trouble: Sequence[Trouble] = ()


@dataclass(frozen=True)
class Station:
    """The release, what watches it, and where its progress is told."""

    helm: Helm
    kubectl: Kubectl
    say: Callable[[str], None]
    section: Callable[[str, str], Context[object]] = lambda name, title: nullcontext()  # noqa: ARG005

    def roll_out(self, rollout: Rollout, lock: Lock) -> Result:
        """Upgrades and waits; back to the last good revision when that fails.

        Raises OutsideError when the cluster is gone or another Helm at work, and whatever
        interrupts it, after the way back.
        """
        before = self._recover(ask(self.helm), rollout.timeout)
        hopeless = ""

        def is_hopeless() -> bool:
            """Kept in words: once Helm has ended, the container may be in another state."""
            nonlocal hopeless
            hopeless = hopeless or watch.hopeless(rollout.max_restarts)
            return bool(hopeless)

        with (
            self.section("ciforge_rollout", f"Rolling out {self.helm.release}"),
            Watch(self.kubectl, self.helm.release, self.say) as watch,
        ):
            try:
                with _values(rollout) as values:
                    self.helm.upgrade(rollout.chart, values, rollout.timeout, until=is_hopeless)
            except BusyError:
                raise
            except StoppedError:
                failed, trouble = hopeless, watch.trouble()
            except OutsideError as error:
                watch.look()
                failed, trouble = helm_words(error), watch.trouble()
            except Exception:
                raise
            except BaseException:  # a signal
                self._go_back_in_a_hurry(before, lock)
                raise
            else:
                trouble = self._settle(watch, rollout.settle)
                if not trouble:
                    last = ask(self.helm).last
                    return Result("deployed", "all pods are ready", last.revision if last else None)
                failed = f"a pod restarted within {rollout.settle:g} s of being ready"
        return self._go_back(before, lock, rollout.timeout, failed, trouble)

    def _settle(self, watch: Watch, seconds: float) -> list[Trouble]:
        if not watch.seen_new or seconds <= 0:
            return []
        self.say(f"all is ready; looking for restarts for {seconds:g} s")
        return settle(watch, seconds)

    def _recover(self, found: Released, timeout: int) -> Released:
        """Frees a release that a killed Helm left pending."""
        if found.last is None or not found.last.pending:
            return found
        number, status = found.last.revision, found.last.status
        self.say(f"revision {number} was left {status} by a deploy that was killed")
        self._undo(found, timeout)
        return ask(self.helm)

    def _undo(self, before: Released, timeout: int) -> str:
        """To the last good revision; without one the release is removed. Says what it did."""
        if before.good is None:
            self.say(f"no revision of {self.helm.release} was ever whole: uninstalling it")
            self.helm.uninstall(timeout)
            return "the release was uninstalled: no revision was ever whole"
        self.say(f"going back to revision {before.good.revision}")
        self.helm.rollback(before.good.revision, timeout)
        return f"rolled back to revision {before.good.revision}"

    def _go_back(
        self, before: Released, lock: Lock, timeout: int, failed: str, trouble: Sequence[Trouble]
    ) -> Result:
        """After a failure. Raises OutsideError when somebody else has the release by now."""
        _still_ours(lock, self.helm.release)
        now = self._ask_patiently()
        number = now.last.revision if now.last else None
        if now.last == before.last:
            return Result("failed", f"{failed}; nothing was changed", number, trouble)
        if before.good is None and now.last is not None and not now.last.pending:
            reason = f"{failed}; there is no earlier revision to go back to, so it stays as it is"
            return Result("failed", f"{reason} (the next deploy goes on from it)", number, trouble)
        try:
            failed = f"{failed}; {self._undo(before, timeout)}"
            outcome: Outcome = "rolled back"
        except OutsideError as error:
            again = helm_words(error)
            same = again in failed  # a field that was changed by hand stops both ways alike
            failed = f"{failed}; and going back failed" + (" alike" if same else f": {again}")
            outcome = "failed"
        last = self._ask_patiently().last
        return Result(outcome, failed, last.revision if last else None, trouble)

    def _ask_patiently(self) -> Released:
        """The API server may be what failed, and be back soon."""
        for _ in range(_TRIES):
            try:
                return ask(self.helm)
            except OutsideError as error:
                self.say(f"{error}; trying again")
                time.sleep(_PAUSE)
        return ask(self.helm)

    def _go_back_in_a_hurry(self, before: Released, lock: Lock) -> None:
        """After a signal: Helm has ended. Further signals wait until this is done."""
        with deaf():
            self.say("interrupted: Helm was told to end")
            try:
                result = self._go_back(before, lock, _HURRY, "interrupted", ())
                self.say(result.reason)
            except OutsideError as error:
                self.say(f"could not go back: {error}; the next deploy will")


def helm_words(error: OutsideError) -> str:
    """What Helm said of its failure, in one line."""
    if not isinstance(error, ProcessError):
        return str(error)
    lines = [line.strip() for line in error.stderr.splitlines() if line.strip()]
    start = next((i for i, line in enumerate(lines) if line.startswith("Error:")), 0)
    words = "; ".join(lines[start:]).removeprefix("Error: ") or str(error)
    return words if len(words) <= 600 else f"{words[:600]} …"


def _still_ours(lock: Lock, release: str) -> None:
    if lock.lost:
        raise OutsideError(
            f"the lock of release {release} was lost to somebody else",
            hint="the cluster was away for too long; look at helm history, then deploy again",
        )


@contextmanager
def _values(rollout: Rollout) -> Iterator[list[Path]]:
    """The values files, and one of our own with the digests, the last to win."""
    with workplace("deploy") as folder:
        own = folder / "images.json"
        own.write_text(
            json.dumps(
                {
                    "services": {
                        name: {"image": {"repository": image, "digest": digest}}
                        for name, (image, digest) in rollout.digests.items()
                    }
                }
            )
        )
        yield [*rollout.values, own]


def try_out(helm: Helm, rollout: Rollout) -> None:
    """`helm upgrade --dry-run=server`. Raises ProcessError when Helm refuses."""
    with _values(rollout) as values:
        helm.upgrade(rollout.chart, values, rollout.timeout, dry_run=True)
