"""The lock of our own, with a real API server under it."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Iterator

import pytest

from ciforge.deploy import lock as lock_module
from ciforge.deploy.lock import Lock, identity
from ciforge.doors.kubernetes import Kubectl
from ciforge.errors import OutsideError
from tests.infra import k8s_cluster
from tests.infra.k8s_cluster import Cluster

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    ran = k8s_cluster.ready()
    yield k8s_cluster.start()
    if not ran:
        k8s_cluster.stop()


@pytest.fixture
def kubectl(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kubectl]:
    monkeypatch.setattr(lock_module, "DURATION", 2)
    monkeypatch.setenv("PATH", f"{cluster.kubectl_path.parent}{os.pathsep}{os.environ['PATH']}")
    for name, value in cluster.environment().items():
        monkeypatch.setenv(name, value)
    namespace = f"lock-{uuid.uuid4().hex[:8]}"
    cluster.namespace(namespace)
    yield Kubectl(namespace)
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")


def _held(kubectl: Kubectl) -> object:
    return kubectl.get("lease", "ciforge-shop")


def test_who_renews_keeps_it(kubectl: Kubectl) -> None:
    said: list[str] = []
    with Lock(kubectl, "shop", "first").held(0, said.append) as first:
        with (
            pytest.raises(OutsideError, match="is being deployed by first"),
            Lock(kubectl, "shop", "second").held(5, said.append),
        ):
            pass
        assert not first.lost
    assert said == ["release shop is being deployed by first: waiting"]
    assert _held(kubectl) is None


def test_it_goes_on_every_way_out(kubectl: Kubectl) -> None:
    with pytest.raises(KeyboardInterrupt), Lock(kubectl, "shop", "first").held(0, print):
        raise KeyboardInterrupt
    assert _held(kubectl) is None


def test_of_many_who_take_over_from_a_dead_one_only_one_has_it(kubectl: Kubectl) -> None:
    dead = Lock(kubectl, "shop", "dead")
    dead._acquire(0, print)  # and never renews
    inside, most = 0, 0
    guard = threading.Lock()

    def one(name: str) -> None:
        nonlocal inside, most
        with Lock(kubectl, "shop", name).held(30, lambda _: None):
            with guard:
                inside += 1
                most = max(most, inside)
            time.sleep(0.3)
            with guard:
                inside -= 1

    threads = [threading.Thread(target=one, args=(f"t{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert most == 1
    assert _held(kubectl) is None


def test_who_lost_it_knows_and_does_not_take_it_away(kubectl: Kubectl) -> None:
    with Lock(kubectl, "shop", "slow").held(0, print) as slow:
        lease = kubectl.get("lease", "ciforge-shop")
        assert lease
        lease["spec"]["holderIdentity"] = "other"
        kubectl.replace(lease)
        end = time.monotonic() + 5
        while not slow.lost:
            assert time.monotonic() < end
            time.sleep(0.1)
    assert _held(kubectl)


def test_the_holder_says_who_it_is() -> None:
    told = identity({"CI_JOB_URL": "https://gitlab.test/job/1"})
    assert f"/{os.getpid()} https://gitlab.test/job/1" in told
