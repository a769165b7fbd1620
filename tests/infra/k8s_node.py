"""One real node beside the pretended ones: kubelet and containerd, whose pods really run.

It needs root. It lives in namespaces of its own, and nothing of it is visible on the machine but
its processes and cgroups. The machine's loopback ports that are asked for (a registry's) are also
127.0.0.1:PORT in there, so an image has the same name for `docker push` and for the kubelet;
pods reach these ports, and with them the machine's databases, as NODE_IP:PORT.

There is no kube-proxy and no cluster DNS: services are reached through the API server's proxy.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from tests.infra import k8s_cluster, k8s_image, k8s_tools
from tests.infra.k8s_cluster import REAL_NODE
from tests.infra.k8s_place import InfraError, Place, say, unmarked, wait_until, write

NODE_IP = "10.99.0.1"
_PAUSE_IMAGE = "ciforge.test/pause:1"
_NAMESPACE_PROGRAM = Path(__file__).with_name("k8s_namespace.py")


def start(place: Place | None = None, ports: Iterable[int] = ()) -> None:
    """The node, ready, with the machine's loopback `ports` led into it; the cluster first.

    A cluster that KUBECONFIG names has its own nodes: nothing is done there.
    """
    place = place or Place.of_checkout()
    cluster = k8s_cluster.start(place)
    if not cluster.own:
        return
    if os.geteuid() != 0:
        raise InfraError("a real node needs root: namespaces, mounts and cgroups")
    with place.lock("node"):
        if not place.runs("node") or not _becomes_ready(place):
            started = time.monotonic()
            place.stop(["node"])
            _start(place, cluster)
            say("real node is ready", started)
        for port in _remember_ports(place, ports):
            _ask_to_forward(place, port)


def ready(place: Place | None = None) -> bool:
    place = place or Place.of_checkout()
    return _answers(place) and k8s_cluster.node_is_ready(place, REAL_NODE)


def stop(place: Place | None = None) -> None:
    """Ends the node with all its pods, and removes its data and cgroups; logs are kept."""
    place = place or Place.of_checkout()
    if not place.folder.exists():
        return
    with place.lock("node"):
        place.stop(["node"])
        _remove_remains(place)
        (place.folder / "forwarded.json").unlink(missing_ok=True)
        if k8s_cluster.ready(place):
            cluster = k8s_cluster.start(place)
            if cluster.own:  # not one that KUBECONFIG names by now
                _forget_node(cluster)


def status(place: Place | None = None) -> dict[str, str]:
    place = place or Place.of_checkout()
    if not place.runs("node"):
        return {REAL_NODE: "stopped"}
    return {REAL_NODE: "ready" if ready(place) else "runs, but is not ready"}


# -- starting ------------------------------------------------------------------------------


def _start(place: Place, cluster: k8s_cluster.Cluster) -> None:
    """From nothing, each time: what a killed node left is not worth its riddles."""
    runtime = k8s_tools.container_runtime()
    tools = k8s_tools.kubernetes()
    _remove_remains(place)
    _forget_node(cluster)
    folder = _folder(place)
    for name in ("scratch", "kubelet", "cni", "pod-logs"):
        (folder / name).mkdir(parents=True)
    k8s_image.of_program(tools["pause"]).write_archive(folder / "pause.tar", _PAUSE_IMAGE)
    write(folder / "cni/10-pods.conflist", json.dumps(_pod_network(folder)))
    write(folder / "containerd.toml", _containerd(folder, runtime))
    write(folder / "kubelet.yaml", json.dumps(_kubelet(place, folder)))
    write(folder / "node.json", json.dumps(_node(place, folder, tools, runtime)))
    _make_cgroups(place)
    host_network = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        place.start(
            "node",
            [
                *("unshare", "--mount", "--net", "--pid", "--mount-proc"),
                # What the machine unmounts must go in here too, or it would stay busy there.
                *("--propagation", "slave"),
                *("--fork", "--kill-child"),
                *(sys.executable, "-I", _NAMESPACE_PROGRAM),
                *(folder / "node.json", str(host_network)),
            ],
            pass_fds=[host_network],
        )
    finally:
        os.close(host_network)
    wait_until(
        "real node",
        lambda: ready(place),
        seconds=90,
        alive=lambda: place.runs("node"),
        log=place.log("node"),
    )


def _becomes_ready(place: Place) -> bool:
    """One that runs may have only just begun, or belong to a cluster that is no more."""
    end = time.monotonic() + 15
    while place.runs("node") and time.monotonic() < end:
        if ready(place):
            return True
        time.sleep(0.1)
    return False


def _folder(place: Place) -> Path:
    return place.folder / "node"


def _forget_node(cluster: k8s_cluster.Cluster) -> None:
    """Its Ready condition would outlive it for 40 seconds."""
    cluster.kubectl("delete", "node", REAL_NODE, "--ignore-not-found")


def _remove_remains(place: Place) -> None:
    _remove_cgroups(place)
    shutil.rmtree(_folder(place), ignore_errors=True)
    (place.folder / k8s_cluster.NODE_SOCKET).unlink(missing_ok=True)


# -- configuration -------------------------------------------------------------------------


def _node(
    place: Place, folder: Path, tools: k8s_tools.Tools, runtime: k8s_tools.ContainerRuntime
) -> dict[str, object]:
    socket_path = folder / "containerd.sock"
    environment = unmarked(os.environ)
    environment["PATH"] = f"{runtime.programs}{os.pathsep}{environment.get('PATH', os.defpath)}"
    ctr = [str(runtime.programs / "ctr"), f"--address={socket_path}", "--namespace=k8s.io"]
    return {
        "folder": str(folder),
        "socket": str(place.folder / k8s_cluster.NODE_SOCKET),
        "node_ip": NODE_IP,
        "api_port": k8s_cluster.api_port(place),
        "environment": environment,
        "logs": {name: str(place.log(name)) for name in ("containerd", "kubelet")},
        "commands": {
            "containerd": [
                str(runtime.programs / "containerd"),
                f"--config={folder / 'containerd.toml'}",
            ],
            "import": [*ctr, "images", "import", str(folder / "pause.tar")],
            "kubelet": [
                str(tools["kubelet"]),
                f"--config={folder / 'kubelet.yaml'}",
                f"--kubeconfig={k8s_cluster.node_kubeconfig(place)}",
                f"--root-dir={folder / 'kubelet'}",
                f"--cert-dir={folder / 'kubelet/pki'}",
                f"--hostname-override={REAL_NODE}",
                f"--node-ip={NODE_IP}",
                "--node-labels=type=real",
            ],
        },
    }


def _containerd(folder: Path, runtime: k8s_tools.ContainerRuntime) -> str:
    return f"""version = 2
root = "{folder}/containerd"
state = "{folder}/containerd-state"
[grpc]
  address = "{folder}/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{_PAUSE_IMAGE}"
  # Lowering the score needs a capability that a container with root often lacks.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{runtime.cni}"
    conf_dir = "{folder}/cni"
"""


def _pod_network(folder: Path) -> dict[str, object]:
    addresses = {
        "type": "host-local",
        "dataDir": f"{folder}/addresses",
        "ranges": [[{"subnet": "10.245.0.0/24"}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": "pods0", "isGateway": True, "ipam": addresses}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge]}


def _kubelet(place: Place, folder: Path) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{folder}/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{_cgroup(place)}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "protectKernelDefaults": True,
        "enforceNodeAllocatable": [],
        "oomScoreAdj": 0,
        "address": NODE_IP,
        "healthzPort": 0,
        # Nobody but the API server and the node's own pods can reach it.
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "resolvConf": "",
        "podLogsDir": f"{folder}/pod-logs",
        "volumePluginDir": f"{folder}/plugins",
        "localStorageCapacityIsolation": False,
        "serializeImagePulls": False,
        # A full disk is the machine's business; evictions would only confuse a test.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "50Mi"},
    }


# -- ports ---------------------------------------------------------------------------------


def _remember_ports(place: Place, ports: Iterable[int]) -> list[int]:
    """A node that was killed comes back with the ports that were asked of it before."""
    path = place.folder / "forwarded.json"
    known: list[int] = []
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(path.read_text())
    wanted = sorted({*known, *ports})
    write(path, json.dumps(wanted))
    return wanted


def _answers(place: Place) -> bool:
    """Whether process 1 still acts: one that is being killed is seen a moment longer."""
    try:
        _ask_to_forward(place, k8s_cluster.api_port(place))
    except (InfraError, OSError):
        return False
    return True


def _ask_to_forward(place: Place, port: int) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(place.folder / k8s_cluster.NODE_SOCKET))
        connection.sendall(f"FORWARD {port}\r\n\r\n".encode())
        answer = connection.recv(1024).decode()
    if " 200 " not in answer:
        raise InfraError(f"the real node can't lead port {port} in: {answer.strip()}")


# -- cgroups -------------------------------------------------------------------------------


def _cgroup(place: Place) -> str:
    return f"ciforge-{place.key}"


def _hierarchies() -> list[Path]:
    """Where cgroup file systems are mounted: one for version 2, one per controller before."""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return [Path(path) for _, path, kind, *_ in mounts if kind in ("cgroup", "cgroup2")]


def _make_cgroups(place: Place) -> None:
    for hierarchy in _hierarchies():
        with contextlib.suppress(OSError):  # version 2: the root may have given its own away
            controllers = (hierarchy / "cgroup.controllers").read_text().split()
            enabled = " ".join(f"+{controller}" for controller in controllers)
            (hierarchy / "cgroup.subtree_control").write_text(enabled)
        group = hierarchy / _cgroup(place)
        group.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):
            # Version 1 starts with none, and refuses processes until there are some.
            if (hierarchy / "cpuset.cpus").exists():
                (group / name).write_text((hierarchy / name).read_text())


def _remove_cgroups(place: Place) -> None:
    end = time.monotonic() + 10
    for hierarchy in _hierarchies():
        group = hierarchy / _cgroup(place)
        while group.exists():
            for folder, _, _ in os.walk(group, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)
            if group.exists():
                if time.monotonic() > end:
                    raise InfraError(f"{group} can't be removed: processes are still in it")
                time.sleep(0.05)


__all__ = ["NODE_IP", "REAL_NODE", "ready", "start", "status", "stop"]
