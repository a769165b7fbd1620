"""What is pure: which revision is good, which pods count, how trouble is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ciforge.deploy import release
from ciforge.deploy.released import Released, digests_of, last_good
from ciforge.deploy.watch import Trouble, _newest, _state
from ciforge.doors.helm import Revision
from ciforge.doors.process import StoppedError


def _history(*lines: tuple[str, str]) -> list[Revision]:
    return [Revision(n, status, words) for n, (status, words) in enumerate(lines, start=1)]


@pytest.mark.parametrize(
    ("lines", "good"),
    [
        ([], None),
        ([("failed", "Release failed: x")], None),
        ([("pending-install", "Initial install underway")], None),
        ([("deployed", "Install complete")], 1),
        ([("deployed", "Install complete"), ("pending-upgrade", "Preparing upgrade")], 1),
        ([("superseded", "Install complete"), ("failed", "Upgrade failed: x")], 1),
        (
            [("superseded", "Install complete"), ("failed", "no"), ("deployed", "Rollback to 1")],
            3,
        ),
        ([("superseded", "Install complete"), ("superseded", 'Upgrade "a" failed: no')], 1),
    ],
)
def test_the_last_good_revision(lines: list[tuple[str, str]], good: int | None) -> None:
    found = last_good(_history(*lines))
    assert (found.revision if found else None) == good


@pytest.mark.parametrize(
    "values",
    [None, [], {"services": None}, {"services": {"a": 1}}, {"services": {"a": {"image": "x"}}}],
)
def test_values_of_another_chart_tell_no_digests(values: object) -> None:
    assert digests_of(values) == {}


def test_values_of_ours_tell_digests() -> None:
    values = {"services": {"b": {"image": {"digest": "sha256:2"}}, "a": {"image": {"digest": ""}}}}
    assert digests_of(values) == {"b": "sha256:2"}


def test_only_the_newest_replica_set_of_a_deployment_counts() -> None:
    def replica_set(uid: str, number: str, deployment: str) -> dict[str, Any]:
        return {
            "kind": "ReplicaSet",
            "metadata": {
                "uid": uid,
                "annotations": {"deployment.kubernetes.io/revision": number},
                "ownerReferences": [{"kind": "Deployment", "uid": deployment}],
            },
        }

    sets = [replica_set("old", "9", "d"), replica_set("new", "10", "d")]
    assert _newest([*sets, replica_set("other", "1", "e")]) == {"new", "other"}


def test_trouble_in_one_line() -> None:
    crashed = Trouble("web-1", "web", ("Error", "CrashLoopBackOff"), exit_code=1, restarts=2)
    assert crashed.describe() == "pod web-1: CrashLoopBackOff, exit code 1, 2 restarts"
    pull = Trouble("web-1", "web", ("ErrImagePull",), message="401 Unauthorized")
    assert pull.describe() == "pod web-1: ErrImagePull: 401 Unauthorized"
    unready = Trouble("web-1", message="Unhealthy: 503")
    assert unready.describe() == "pod web-1: Unhealthy: 503"


def test_states_in_words() -> None:
    assert _state({"status": {"phase": "Pending"}}) == "starting"
    ready = {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Running"}
    assert _state({"status": ready}) == "ready"
    crash = {"containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}
    assert _state({"status": crash}) == "CrashLoopBackOff"


def test_a_crash_loop_is_told_though_the_container_runs_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Helm takes its time to end, and Kubernetes has started the container anew by then."""
    good = Revision(1, "deployed", "Install complete")

    class Watch:
        said = iter(["", "container api crashes again and again (3 restarts)"])

        def __init__(self, *_: object) -> None: ...

        def __enter__(self) -> Watch:
            return self

        def __exit__(self, *_: object) -> None: ...

        def hopeless(self, max_restarts: int) -> str:
            assert max_restarts == 3
            return next(self.said, "")

        def trouble(self) -> list[Trouble]:
            return [Trouble("api-1", "api", restarts=3)]

    class Helm:
        release = "shop"
        back: int | None = None

        def upgrade(self, *_: object, until: Any) -> None:
            assert [until(), until(), until()] == [False, True, True]
            raise StoppedError("helm was told to end")

        def rollback(self, revision: int, timeout: int) -> None:
            self.back = revision

    class Lock:
        lost = False

    bad = Revision(2, "failed", "Upgrade failed: canceled")
    states = iter([Released(good, good), Released(bad, good), Released(good, good)])
    monkeypatch.setattr(release, "Watch", Watch)
    monkeypatch.setattr(release, "ask", lambda _: next(states))
    helm = Helm()
    station = release.Station(helm, None, lambda _: None)  # type: ignore[arg-type]
    rollout = release.Rollout(Path("chart"), [], {}, timeout=60, max_restarts=3, settle=0)
    result = station.roll_out(rollout, Lock())  # type: ignore[arg-type]
    assert (result.outcome, helm.back) == ("rolled back", 1)
    assert result.reason.startswith("container api crashes again and again (3 restarts); rolled")
    assert [one.pod for one in result.trouble] == ["api-1"]
