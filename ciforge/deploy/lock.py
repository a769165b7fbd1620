"""One deploy of a release at a time: a Lease in the release's namespace.

Helm's own check has gaps (a rollback is not refused while an upgrade runs). Creating the Lease is
atomic; its holder renews it; one that nobody renewed for its own duration is taken over, with the
resourceVersion as a precondition, so that of two who try only one wins.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from ciforge.deploy.signals import deaf
from ciforge.doors.kubernetes import ConflictError, ExistsError, Kubectl, Object
from ciforge.errors import OutsideError

DURATION = 30  # seconds without a renewal after which the holder counts as dead
_POLL = 1.0


def identity(env: Mapping[str, str]) -> str:
    """Who we are, for those who wait: host, process and, in CI, the job."""
    job = env.get("CI_JOB_URL")
    return f"{socket.gethostname()}/{os.getpid()}" + (f" {job}" if job else "")


class Lock:
    """`lost` is true when somebody else took it: we were silent for too long."""

    def __init__(self, kubectl: Kubectl, release: str, holder: str) -> None:
        self._kubectl = kubectl
        self._name = f"ciforge-{release}"
        self._release = release
        self._holder = holder
        self._lease: Object | None = None
        self._end = threading.Event()
        self._guard = threading.Lock()
        self.lost = False

    @contextmanager
    def held(self, patience: float, say: Callable[[str], None]) -> Iterator[Lock]:
        """Waits up to `patience` seconds; renews in a thread; lets go on every way out.

        Raises OutsideError, naming the holder, when it is still held then.
        """
        try:
            self._acquire(patience, say)
            renewing = threading.Thread(target=self._renew, daemon=True)
            renewing.start()
            yield self
        finally:
            with deaf():
                self._end.set()
                self._let_go()

    def _acquire(self, patience: float, say: Callable[[str], None]) -> None:
        started = time.monotonic()
        seen, since = "", started
        while True:
            try:
                self._lease = self._kubectl.create(self._wanted(None))
                return
            except ExistsError:
                pass
            found = self._kubectl.get("lease", self._name)
            if found is None:
                continue
            spec = found.get("spec", {})
            holder = spec.get("holderIdentity") or "nobody"
            now = time.monotonic()
            version = found["metadata"]["resourceVersion"]
            if version != seen:  # renewed: clocks of two machines are never compared
                if not seen:
                    say(f"release {self._release} is being deployed by {holder}: waiting")
                seen, since = version, now
            elif now - since >= float(spec.get("leaseDurationSeconds") or DURATION):
                with suppress(ConflictError):  # another was faster: it is the holder now
                    self._lease = self._kubectl.replace(self._wanted(found))
                    say(f"took over the lock of {holder}, who renewed it no more")
                    return
            if now - started >= patience:
                raise OutsideError(
                    f"release {self._release} is being deployed by {holder}",
                    hint=f"wait for it to end (--lock-timeout), or see: kubectl get lease"
                    f" {self._name} -o yaml",
                )
            time.sleep(_POLL)

    def _wanted(self, found: Object | None) -> Object:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        metadata = {"name": self._name}
        if found:
            kept = ("name", "namespace", "resourceVersion")
            metadata = {k: v for k, v in found["metadata"].items() if k in kept}
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": {
                "holderIdentity": self._holder,
                "leaseDurationSeconds": DURATION,
                "acquireTime": now,
                "renewTime": now,
            },
        }

    def _renew(self) -> None:
        while not self._end.wait(DURATION / 5):
            with self._guard:
                if self._lease is None or self._end.is_set():
                    return
                try:
                    self._lease = self._kubectl.replace(self._wanted(self._lease))
                except ConflictError:
                    self._lease, self.lost = None, True
                    return
                except OutsideError:
                    continue  # the API server is away for a while

    def _let_go(self) -> None:
        with self._guard:
            lease, self._lease = self._lease, None
        if lease is None:
            return
        place = lease["metadata"]
        path = (
            f"/apis/coordination.k8s.io/v1/namespaces/{place['namespace']}/leases/{place['name']}"
        )
        with suppress(ConflictError, OutsideError):  # then it expires by itself
            self._kubectl.delete_version(path, place["resourceVersion"])
