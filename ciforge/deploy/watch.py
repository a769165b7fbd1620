"""Watches the release's pods while they roll: why one fails can't be read any more afterwards.

Only the newest ReplicaSet of each Deployment counts, and no pod that is being stopped: an old pod
that ends with 137 says nothing of the new image.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from ciforge.doors.kubernetes import Kubectl, Object

_INTERVAL = 1.0
_LINES = 20
_CRASHES = "CrashLoopBackOff"
_STARTING = {"ContainerCreating", "PodInitializing"}
_REVISION = "deployment.kubernetes.io/revision"


@dataclass(frozen=True)
class Trouble:
    """One pod (or the ReplicaSet that could make none) and all that is known of its failure."""

    pod: str
    container: str = ""
    reasons: tuple[str, ...] = ()
    message: str = ""
    exit_code: int | None = None
    restarts: int = 0
    log: tuple[str, ...] = ()
    events: tuple[str, ...] = ()

    @property
    def fatal(self) -> bool:
        """More than a probe that said no while it started."""
        return bool(self.reasons) or self.exit_code is not None

    def describe(self) -> str:
        """One line: what of which pod, and why."""
        telling = [reason for reason in self.reasons if reason != "Error"]
        parts = [", ".join(telling)]
        if self.exit_code is not None:
            parts.append(f"exit code {self.exit_code}")
        if self.restarts:
            parts.append(f"{self.restarts} restart" + ("s" if self.restarts > 1 else ""))
        told = self.message
        if not told and self.exit_code is None and self.events:
            told = self.events[-1]
        what = ", ".join(part for part in parts if part)
        return f"pod {self.pod}: {what}" + (f": {told}" if told and what else told)


@dataclass
class _Pod:
    name: str
    state: str = ""
    restarts: int = 0
    owner: str = ""
    unready: str = ""  # the first container that is not
    trouble: dict[str, Trouble] = field(default_factory=dict)


class Watch:
    """`say` gets a line for each pod whose state changes. Use it as a context."""

    def __init__(self, kubectl: Kubectl, release: str, say: Callable[[str], None]) -> None:
        self._kubectl = kubectl
        self._selector = f"--selector=app.kubernetes.io/instance={release}"
        self._say = say
        self._pods: dict[str, _Pod] = {}
        self._owners: dict[str, str] = {}
        self._newest: set[str] = set()
        self._ended: set[str] = set()  # containers that had ended before we came
        self._old_events: set[tuple[str, int]] = set()
        self._events: dict[str, dict[str, str]] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._before: set[str] = set()
        self.seen_new = False

    def __enter__(self) -> Watch:
        self._remember()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(timeout=10)

    def look(self) -> None:
        """One look at everything; called by the thread, and once more before an end."""
        items = self._kubectl.items("pods,replicasets,jobs", self._selector)
        if not items:
            return
        self._newest = _newest(items)
        uids = set(self._newest)
        for item in items:
            if item["kind"] == "ReplicaSet":
                self._owners[item["metadata"]["uid"]] = item["metadata"]["name"]
            if item["kind"] != "Pod" or not self._counts(item):
                continue
            uids.add(item["metadata"]["uid"])
            self._look_at(item)
        self._look_at_events(uids)

    def restarts(self) -> Mapping[str, int]:
        """Restarts of each pod that this rollout made, by its uid."""
        return {u: p.restarts for u, p in list(self._pods.items()) if u not in self._before}

    def hopeless(self, max_restarts: int) -> str:
        """Which new container crashes again and again, in words; empty while none does.

        Helm would wait for its timeout. A few restarts are no sign: many a service ends when
        what it needs is not there yet.
        """
        for uid, pod in list(self._pods.items()):
            if not max_restarts or uid in self._before or pod.state != _CRASHES:
                continue
            for trouble in pod.trouble.values():
                if trouble.restarts >= max_restarts:
                    who = f"container {trouble.container} of pod {pod.name}"
                    return f"{who} crashes again and again ({trouble.restarts} restarts)"
        return ""

    def trouble(self) -> list[Trouble]:
        """All that went wrong with what is still the newest, the telling ones first."""
        found = []
        for uid, pod in list(self._pods.items()):
            if pod.owner and pod.owner not in self._newest:
                continue
            events = tuple(self._events.get(uid, {}).values())
            if pod.trouble:
                found += [_with_events(t, events) for t in pod.trouble.values()]
            elif pod.unready and (events or uid not in self._before):
                found.append(self._unready(pod, events))
        for uid, name in list(self._owners.items()):
            if uid in self._newest and (events := tuple(self._events.get(uid, {}).values())):
                found.append(Trouble(name, reasons=("FailedCreate",), message=events[-1]))
        return sorted(found, key=lambda t: (not t.fatal, t.exit_code is None, t.pod))

    def _unready(self, pod: _Pod, events: tuple[str, ...]) -> Trouble:
        """It runs, and that is all: its probe's answer and its own words are what there is."""
        log = self._kubectl.logs(pod.name, pod.unready, previous=False, lines=_LINES)
        message = events[-1] if events else pod.state
        return Trouble(pod.name, pod.unready, message=message, log=tuple(log), events=events)

    def _run(self) -> None:
        while not self._end.wait(_INTERVAL):
            self.look()

    def _remember(self) -> None:
        for pod in self._kubectl.items("pods", self._selector):
            self._ended.update(
                ended["containerID"]
                for status in _statuses(pod)
                for ended in _ended(status)
                if "containerID" in ended
            )
            self._pods[pod["metadata"]["uid"]] = _Pod(
                pod["metadata"]["name"], _state(pod), _restarts(pod), _owner(pod)
            )
        self._before = set(self._pods)
        for event in self._warnings():
            self._old_events.add((event["metadata"]["uid"], event.get("count") or 1))

    def _warnings(self) -> list[Object]:
        return self._kubectl.items("events", "--field-selector=type=Warning")

    def _counts(self, pod: Object) -> bool:
        if pod["metadata"].get("deletionTimestamp"):
            return False
        kinds = {o["kind"]: o["uid"] for o in pod["metadata"].get("ownerReferences", [])}
        return "ReplicaSet" not in kinds or kinds["ReplicaSet"] in self._newest

    def _look_at(self, pod: Object) -> None:
        uid, name = pod["metadata"]["uid"], pod["metadata"]["name"]
        known = self._pods.get(uid)
        if known is None:
            self.seen_new = True
            known = self._pods[uid] = _Pod(name, owner=_owner(pod))
        known.restarts = _restarts(pod)
        known.unready = _unready_container(pod)
        state = _state(pod)
        if state != known.state:
            known.state = state
            self._say(f"{name}: {state}")
        for status in _statuses(pod):
            self._look_at_container(known, status)

    def _look_at_container(self, pod: _Pod, status: Object) -> None:
        container = status["name"]
        found = pod.trouble.get(container, Trouble(pod.name, container))
        waiting = status.get("state", {}).get("waiting", {})
        reason = waiting.get("reason")
        if reason and reason not in _STARTING and reason not in found.reasons:
            found = replace(found, reasons=(*found.reasons, reason))
        if reason and reason not in _STARTING and reason != _CRASHES:
            found = replace(found, message=waiting.get("message", ""))
        for ended in _ended(status):
            code, key = ended.get("exitCode", 0), ended.get("containerID", "")
            if key in self._ended or (code == 0 and status.get("restartCount", 0) == 0):
                continue
            self._ended.add(key)
            log = ended.get("message", "").strip().splitlines()[-_LINES:]
            if not log:
                previous = ended is not status["state"].get("terminated")
                log = self._kubectl.logs(pod.name, container, previous=previous, lines=_LINES)
            why = ended.get("reason", "Error")
            found = replace(
                found,
                reasons=found.reasons if why in found.reasons else (*found.reasons, why),
                exit_code=code,
                log=tuple(log) or found.log,
            )
        if found.fatal:
            pod.trouble[container] = replace(found, restarts=status.get("restartCount", 0))

    def _look_at_events(self, uids: set[str]) -> None:
        for event in self._warnings():
            about = event.get("involvedObject", {}).get("uid", "")
            key = (event["metadata"]["uid"], event.get("count") or 1)
            if about in uids and key not in self._old_events:
                message = " ".join(event.get("message", "").split())[:500]
                self._events.setdefault(about, {})[key[0]] = f"{event['reason']}: {message}"


def settle(watch: Watch, seconds: float) -> list[Trouble]:
    """Looks on for `seconds`; the trouble of pods that restarted meanwhile, empty when none did.

    A liveness probe that fails only later is not seen by Helm.
    """
    watch.look()
    before = watch.restarts()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(min(_INTERVAL, max(0.0, end - time.monotonic())))
        if any(count > before.get(uid, 0) for uid, count in watch.restarts().items()):
            watch.look()
            return watch.trouble()
    return []


def _with_events(trouble: Trouble, events: tuple[str, ...]) -> Trouble:
    """A container that a probe had killed doesn't know why: the event does."""
    probe = [event for event in events if "Liveness probe failed" in event]
    message = trouble.message or (probe[-1] if probe else "")
    return replace(trouble, message=message, events=events)


def _newest(items: list[Object]) -> set[str]:
    """The uid of each Deployment's newest ReplicaSet."""
    newest: dict[str, tuple[int, str]] = {}
    for item in items:
        if item["kind"] == "ReplicaSet":
            metadata = item["metadata"]
            owner = _owner(item) or metadata["uid"]
            number = int(metadata.get("annotations", {}).get(_REVISION, 0))
            newest[owner] = max(newest.get(owner, (-1, "")), (number, metadata["uid"]))
    return {uid for _, uid in newest.values()}


def _owner(thing: Object) -> str:
    """The uid of the ReplicaSet (of a pod) or Deployment (of a ReplicaSet) that made it."""
    owners = thing["metadata"].get("ownerReferences", [])
    return next((o["uid"] for o in owners if o["kind"] in ("ReplicaSet", "Deployment")), "")


def _statuses(pod: Object) -> list[Object]:
    status = pod.get("status", {})
    found: list[Object] = [
        *status.get("initContainerStatuses", []),
        *status.get("containerStatuses", []),
    ]
    return found


def _ended(status: Object) -> list[Object]:
    both = (status.get(key, {}).get("terminated") for key in ("lastState", "state"))
    return [ended for ended in both if ended]


def _unready_container(pod: Object) -> str:
    """The first container that is not ready, empty when all are, or have ended well."""
    if pod.get("status", {}).get("phase") == "Succeeded":
        return ""
    names = [c["name"] for c in pod["spec"]["containers"]]
    ready = {s["name"] for s in _statuses(pod) if s.get("ready")}
    return next((name for name in names if name not in ready), "")


def _restarts(pod: Object) -> int:
    return sum(status.get("restartCount", 0) for status in _statuses(pod))


def _state(pod: Object) -> str:
    """In a few words, as `kubectl get pods` has it."""
    status = pod.get("status", {})
    for container in _statuses(pod):
        waiting = container.get("state", {}).get("waiting", {}).get("reason")
        if waiting and waiting not in _STARTING:
            return str(waiting)
        ended = container.get("state", {}).get("terminated")
        if ended and ended.get("exitCode"):
            return f"ended with exit code {ended['exitCode']}"
    conditions = {c["type"]: c["status"] for c in status.get("conditions", [])}
    if conditions.get("Ready") == "True":
        return "ready"
    phase = str(status.get("phase", "Pending"))
    return {"Running": "running, not ready yet", "Pending": "starting"}.get(phase, phase.lower())
