"""A real cluster, started for this file alone and stopped by it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra import k8s_cluster, k8s_image, k8s_node, k8s_tools
from tests.infra import registry as registries
from tests.infra.k8s_cluster import Cluster
from tests.infra.k8s_place import InfraError, Place, wait_until
from tests.infra.registry import Login

pytestmark = pytest.mark.docker

_CHART = str(Path(__file__).parent / "kubernetes/chart")
_UNKNOWN = "127.0.0.1:1/none@sha256:" + "0" * 64


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    # Each test has a HOME of its own; what the first one built or unpacked serves them all.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(k8s_tools.cache_folder().parent))
        patch.delenv("KUBECONFIG", raising=False)
        place = Place(Path(tempfile.mkdtemp(prefix="ciforge-k8s-test-")))
        yield place
        k8s_node.stop(place)
        k8s_cluster.stop(place)
        shutil.rmtree(place.folder)


@pytest.fixture(scope="module")
def cluster(place: Place) -> Cluster:
    return k8s_cluster.start(place)


@pytest.fixture(scope="module")
def registry(place: Place, cluster: Cluster) -> Iterator[Login]:
    # Of this place, whatever the environment names: its node pulls from this machine's loopback.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registries, "ENVIRONMENT", {})
        login = registries.start(place)
        k8s_node.start(place, registries.loopback_ports(place))
        yield login
        registries.stop(place)


@pytest.fixture(scope="module")
def image(registry: Login) -> str:
    program = k8s_tools.kubernetes()["pause"]
    hello = k8s_image.of_program(program, [":8080"])
    return hello.push(
        registry.address, "all-erp/hello", registries.token(registry, "all-erp/hello")
    )


def _install(cluster: Cluster, namespace: str, *values: str, timeout: str = "60s") -> None:
    settings = [part for value in values for part in ("--set", value)]
    cluster.helm(
        *("upgrade", "--install", "hello", _CHART, "--namespace", namespace),
        *("--wait", "--timeout", timeout, *settings),
    )


def _pods(cluster: Cluster, namespace: str) -> list[dict[str, object]]:
    listed = cluster.kubectl("get", "pods", "--namespace", namespace, "--output=json")
    items: list[dict[str, object]] = json.loads(listed)["items"]
    return items


def _login(cluster: Cluster, namespace: str, registry: Login, password: str) -> None:
    basic = base64.b64encode(f"{registry.user}:{password}".encode()).decode()
    login = json.dumps({"auths": {registry.address: {"auth": basic}}})
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "login", "namespace": namespace},
            "type": "kubernetes.io/dockerconfigjson",
            "stringData": {".dockerconfigjson": login},
        }
    )


def _proxied(cluster: Cluster, namespace: str, path: str = "") -> str:
    service = f"/api/v1/namespaces/{namespace}/services/hello:80/proxy/{path}"
    return cluster.kubectl("get", f"--raw={service}")


# -- pretended nodes -----------------------------------------------------------------------


def test_a_release_becomes_ready_on_the_pretended_nodes(cluster: Cluster) -> None:
    cluster.namespace("pretended")
    _install(cluster, "pretended", "replicas=3")
    nodes = {pod["spec"]["nodeName"] for pod in _pods(cluster, "pretended")}  # type: ignore[index]
    assert nodes <= {"kwok-1", "kwok-2"}


@pytest.mark.parametrize(
    ("outcome", "reason"), [("crash", "CrashLoopBackOff"), ("image-pull", "ImagePullBackOff")]
)
def test_a_pretended_pod_can_go_wrong(cluster: Cluster, outcome: str, reason: str) -> None:
    cluster.namespace(outcome)
    with pytest.raises(InfraError):
        _install(cluster, outcome, f"outcome={outcome}", timeout="3s")
    assert reason in json.dumps(_pods(cluster, outcome))


def test_a_pretended_pod_can_stay_unready(cluster: Cluster) -> None:
    cluster.namespace("unready")
    with pytest.raises(InfraError):
        _install(cluster, "unready", "outcome=never-ready", timeout="3s")
    (pod,) = _pods(cluster, "unready")
    assert pod["status"]["phase"] == "Running"  # type: ignore[index]


@pytest.mark.parametrize(("outcome", "condition"), [("", "complete"), ("fail", "failed")])
def test_a_pretended_job_ends(cluster: Cluster, outcome: str, condition: str) -> None:
    name = f"job-{condition}"
    container = {"name": "job", "image": _UNKNOWN}
    cluster.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "backoffLimit": 0,
                "template": {
                    "metadata": {"annotations": {"ciforge.test/outcome": outcome}},
                    "spec": {"restartPolicy": "Never", "containers": [container]},
                },
            },
        }
    )
    cluster.kubectl("wait", f"--for=condition={condition}", f"job/{name}", "--timeout=20s")


# -- the real node -------------------------------------------------------------------------


def test_a_real_pod_is_pulled_by_digest_and_answers_through_the_proxy(
    cluster: Cluster, registry: Login, image: str
) -> None:
    cluster.namespace(
        "real", real=True, labels={"pod-security.kubernetes.io/enforce": "restricted"}
    )
    _login(cluster, "real", registry, registry.password)
    started = time.monotonic()
    _install(cluster, "real", f"image={image}", "pullSecret=login", "greeting=one")
    # The program answers its probe two seconds after its start: so the probe was really asked.
    assert time.monotonic() - started > 2
    assert _proxied(cluster, "real") == "hello from a real pod: one\n"
    (pod,) = _pods(cluster, "real")
    assert pod["spec"]["nodeName"] == k8s_cluster.REAL_NODE  # type: ignore[index]
    assert image.partition("@")[2] in json.dumps(pod["status"])
    assert cluster.kubectl("logs", "--namespace=real", "deployment/hello") == ""


def test_the_registry_refuses_a_wrong_password(
    cluster: Cluster, registry: Login, image: str
) -> None:
    cluster.namespace("refused", real=True)
    _login(cluster, "refused", registry, "wrong")
    with pytest.raises(InfraError):
        _install(cluster, "refused", f"image={image}", "pullSecret=login", timeout="5s")
    # The kubelet asks again without the login, and reports whichever answer came last.
    said = json.dumps(_pods(cluster, "refused"))
    assert "401 Unauthorized" in said or "insufficient_scope" in said, said


# -- kills ---------------------------------------------------------------------------------


def _kill(place: Place, name: str) -> None:
    for process in place.processes(name):
        os.kill(process, signal.SIGKILL)
    wait_until(f"the death of {name}", lambda: not place.runs(name), seconds=10)


@pytest.mark.parametrize("name", ["apiserver", "etcd", "kwok"])
def test_a_killed_component_comes_back_with_all_data(
    cluster: Cluster, place: Place, name: str
) -> None:
    cluster.namespace("kept")
    others = {other: place.processes(other) for other in ("etcd", "apiserver", "kwok")}
    _kill(place, name)
    assert not k8s_cluster.ready(place)
    again = k8s_cluster.start(place)
    assert again == cluster
    again.kubectl("get", "namespace", "kept")
    assert k8s_cluster.ready(place)
    for other, processes in others.items():
        assert (place.processes(other) == processes) == (other != name)


def test_a_killed_node_comes_back_with_its_pods_and_ports(
    cluster: Cluster, place: Place, registry: Login, image: str
) -> None:
    cluster.namespace("survives", real=True)
    _login(cluster, "survives", registry, registry.password)
    _install(cluster, "survives", f"image={image}", "pullSecret=login", "greeting=two")
    _kill(place, "node")
    assert not k8s_node.ready(place)
    k8s_node.start(place)
    end = time.monotonic() + 60
    while True:
        try:
            assert _proxied(cluster, "survives") == "hello from a real pod: two\n"
            break
        except InfraError:
            assert time.monotonic() < end
            time.sleep(0.2)


def test_stop_leaves_nothing_behind(place: Place, registry: Login) -> None:
    k8s_node.start(place)
    registries.stop(place)
    inside = _network_namespaces()
    k8s_node.stop(place)
    assert not k8s_node.ready(place)
    assert k8s_cluster.ready(place)
    k8s_cluster.stop(place)
    assert len(_network_namespaces()) < len(inside)
    folder = str(place.folder)
    assert _processes_that_mention(folder) == []
    assert folder not in Path("/proc/self/mounts").read_text()
    assert list(Path("/sys/fs/cgroup").glob(f"**/ciforge-{place.key}")) == []
    assert {path.name for path in place.folder.iterdir() if path.is_dir()} <= {"log", "registry"}
    assert place.log("apiserver").stat().st_size > 0


def _network_namespaces() -> set[str]:
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            found.add(os.readlink(process / "ns/net"))
        except OSError:
            continue
    return found


def _processes_that_mention(text: str) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes() + (process / "mountinfo").read_bytes()
        except OSError:
            continue
        if text.encode() in words:
            found.append(int(process.name))
    return found
