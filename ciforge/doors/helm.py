"""The door to Helm: one release of one namespace."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciforge.doors.process import ProcessError, run
from ciforge.errors import OutsideError

_ASK = 60.0  # seconds for a question; Helm itself gives up on a cluster after some ten


@dataclass(frozen=True)
class Revision:
    """One line of `helm history`."""

    revision: int
    status: str
    description: str

    @property
    def pending(self) -> bool:
        return self.status.startswith("pending-")


class BusyError(OutsideError):
    """Another Helm is at work on the release."""


class Helm:
    """`namespace` None: the one of the kube context."""

    def __init__(self, release: str, namespace: str | None, context: str | None = None) -> None:
        self.release = release
        self._where = [
            *(["--namespace", namespace] if namespace else []),
            *(["--kube-context", context] if context else []),
        ]

    def history(self) -> list[Revision]:
        """Oldest first; empty when there is no such release.

        Raises OutsideError when Helm is missing or the cluster does not answer.
        """
        try:
            answer = self._ask("history", self.release, "--max", "256", "--output", "json")
        except ProcessError as error:
            if "release: not found" in error.stderr:
                return []
            raise self._unreachable(error) from error
        return sorted(
            (
                Revision(int(r["revision"]), str(r["status"]), str(r.get("description", "")))
                for r in json.loads(answer)
            ),
            key=lambda r: r.revision,
        )

    def values(self, revision: int) -> Any:
        """The values that a revision was given, without the chart's own."""
        try:
            return json.loads(
                self._ask(
                    *("get", "values", self.release, "--revision", str(revision)),
                    *("--output", "json"),
                )
            )
        except ProcessError as error:
            raise self._unreachable(error) from error

    def upgrade(
        self,
        chart: Path,
        values: Sequence[Path],
        timeout: int,
        *,
        dry_run: bool = False,
        until: Callable[[], bool] | None = None,
    ) -> None:
        """Installs or upgrades, and waits until all is ready; `timeout` is in seconds.

        Without --rollback-on-failure: its watcher reads the failed rollout's own condition and
        gives up. On a signal, or once `until` is true, Helm is told to end, and ends by itself.
        Raises ProcessError with Helm's words when it fails, StoppedError for `until`, BusyError
        when another Helm is at work.
        """
        files = [part for path in values for part in ("--values", str(path))]
        how = ["--dry-run=server"] if dry_run else ["--wait", "--timeout", f"{timeout}s"]
        try:
            run(
                [
                    *("helm", "upgrade", "--install", self.release, str(chart)),
                    *(*self._where, *files, *how),
                ],
                # Hooks before, the rollout and hooks after have that time each.
                timeout=3 * timeout + 60,
                patience=30,
                until=until,
            )
        except ProcessError as error:
            if "another operation" in error.stderr or "release: already exists" in error.stderr:
                raise BusyError(
                    f"another helm is at work on release {self.release}",
                    hint="it does not heed ciforge's lock: wait for it, and deploy only this way",
                ) from error
            raise

    def rollback(self, revision: int, timeout: int) -> None:
        """Back to a revision by its number. Raises ProcessError when it fails."""
        run(
            [
                *("helm", "rollback", self.release, str(revision), *self._where),
                # The new watcher would read the failed rollout's condition, and give up at once.
                *("--wait=legacy", "--timeout", f"{timeout}s"),
            ],
            timeout=3 * timeout + 60,
            patience=30,
        )

    def uninstall(self, timeout: int) -> None:
        """Removes the release with all its objects. Raises ProcessError when it fails."""
        run(
            [
                *("helm", "uninstall", self.release, *self._where),
                *("--wait", "--ignore-not-found", "--timeout", f"{timeout}s"),
            ],
            timeout=2 * timeout + 60,
            patience=30,
        )

    def _ask(self, *arguments: str) -> bytes:
        return run(["helm", *arguments, *self._where], timeout=_ASK)

    def _unreachable(self, error: ProcessError) -> OutsideError:
        last = error.stderr.splitlines()[-1] if error.stderr else str(error)
        return OutsideError(
            f"the cluster does not tell of release {self.release}: {last.removeprefix('Error: ')}",
            hint="look at KUBECONFIG, --kube-context, the network and your rights",
        )
