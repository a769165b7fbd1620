"""A real control plane on loopback, with kwok in the place of nodes.

etcd, API server, controller manager and scheduler run as plain processes, without root. Pods go
to nodes that kwok pretends, unless their namespace is made with `real=True`: then they run on
the node of k8s_node.

    python -m tests.infra.k8s_cluster up|status|down
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.infra import k8s_tools
from tests.infra.k8s_place import InfraError, Place, say, wait_until, write

REAL_NODE = "real-1"
NODE_SOCKET = "node.sock"
_KWOK_NODES = 2
_PORTS = ("apiserver", "etcd", "etcd-peer")
# In the order in which they start.
_COMPONENTS = ("etcd", "apiserver", "controller-manager", "scheduler", "kwok")
_STAGES = Path(__file__).parent / "kubernetes/kwok-stages.yaml"
_USERS = {
    "admin": ("admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "kwok": ("kwok", "system:masters"),
    "node": (f"system:node:{REAL_NODE}", "system:nodes"),
}


@dataclass(frozen=True)
class Cluster:
    """What a test needs to talk to the cluster. `own`: started here, not named by KUBECONFIG."""

    kubeconfig: Path
    kubectl_path: Path
    helm_path: Path
    own: bool

    def environment(self) -> dict[str, str]:
        """What to add to os.environ: KUBECONFIG, and PATH with kubectl and helm first."""
        folders = dict.fromkeys([str(self.kubectl_path.parent), str(self.helm_path.parent)])
        path = os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)])
        return {"KUBECONFIG": str(self.kubeconfig), "PATH": path}

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self._run([str(self.kubectl_path), *arguments], stdin)

    def helm(self, *arguments: str) -> str:
        return self._run([str(self.helm_path), *arguments])

    def apply(self, *objects: Mapping[str, object]) -> None:
        listed = {"apiVersion": "v1", "kind": "List", "items": objects}
        self.kubectl("apply", "--filename=-", stdin=json.dumps(listed))

    def namespace(
        self, name: str, *, real: bool = False, labels: Mapping[str, str] | None = None
    ) -> None:
        """Makes a namespace whose pods run on the real node, or on the pretended ones.

        In a cluster that isn't ours every node is real, and no annotation is set.
        """
        selector = {"scheduler.alpha.kubernetes.io/node-selector": "type=real"}
        self.apply(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {
                    "name": name,
                    "labels": dict(labels or {}),
                    "annotations": selector if real and self.own else {},
                },
            }
        )

    def _run(self, command: list[str], stdin: str | None = None) -> str:
        environment = {**os.environ, **self.environment()}
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, env=environment)
        if done.returncode != 0:
            raise InfraError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout


def start(place: Place | None = None) -> Cluster:
    """The cluster of KUBECONFIG, or our own: whatever of it doesn't run yet is started."""
    place = place or Place.of_checkout()
    foreign = _foreign_kubeconfig(place)
    tools = k8s_tools.kubernetes()
    if foreign:
        if os.pathsep not in str(foreign) and not foreign.is_file():
            # kubectl would try localhost instead, and complain about that.
            raise InfraError(f"KUBECONFIG names {foreign}, and there is no such file")
        cluster = Cluster(foreign, tools["kubectl"], tools["helm"], own=False)
        cluster.kubectl("get", "--raw=/readyz", "--request-timeout=10s")
        return cluster
    cluster = Cluster(_kubeconfig(place, "admin"), tools["kubectl"], tools["helm"], own=True)
    with place.lock("cluster"):
        if not _all_run(place) or not _answers(place, "/readyz"):
            started = time.monotonic()
            _start(place, tools, cluster)
            say("control plane and kwok nodes are ready", started)
    return cluster


def ready(place: Place | None = None) -> bool:
    """Whether the API server answers and every component runs."""
    place = place or Place.of_checkout()
    foreign = _foreign_kubeconfig(place)
    if foreign:
        kubectl = str(k8s_tools.kubernetes()["kubectl"])
        command = [kubectl, f"--kubeconfig={foreign}", "get", "--raw=/readyz"]
        return subprocess.run(command, capture_output=True).returncode == 0
    return _all_run(place) and _answers(place, "/readyz")


def stop(place: Place | None = None) -> None:
    """Ends what `start` started, and forgets the cluster's data; logs and ports are kept."""
    place = place or Place.of_checkout()
    if not place.folder.exists():
        return
    with place.lock("cluster"):
        for name in reversed(_COMPONENTS):
            place.stop([name])
        for name in ("etcd", "pki"):
            shutil.rmtree(place.folder / name, ignore_errors=True)
        for path in place.folder.glob("*.kubeconfig"):
            path.unlink()


def status(place: Place | None = None) -> dict[str, str]:
    place = place or Place.of_checkout()
    foreign = _foreign_kubeconfig(place)
    if foreign:
        return {"KUBECONFIG": f"{foreign}: {'ready' if ready(place) else 'does not answer'}"}
    state = {name: "runs" if place.runs(name) else "stopped" for name in _COMPONENTS}
    if _all_run(place) and not _answers(place, "/readyz"):
        state["apiserver"] = "runs, but does not answer"
    return state


def _foreign_kubeconfig(place: Place) -> Path | None:
    """KUBECONFIG, unless it names our own file, as after copying it from `status`."""
    named = os.environ.get("KUBECONFIG")
    if not named or Path(named) == _kubeconfig(place, "admin"):
        return None
    return Path(named)


def _kubeconfig(place: Place, user: str) -> Path:
    return place.folder / f"{user}.kubeconfig"


def node_kubeconfig(place: Place) -> Path:
    return _kubeconfig(place, "node")


def api_port(place: Place) -> int:
    return place.ports(_PORTS)["apiserver"]


# -- starting ------------------------------------------------------------------------------


def _start(place: Place, tools: k8s_tools.Tools, cluster: Cluster) -> None:
    any_runs = any(place.runs(name) for name in _COMPONENTS)
    ports = place.ports(_PORTS) if any_runs else place.choose_ports(_PORTS)
    _make_keys(place)
    _write_configuration(place, ports)

    place.start("etcd", _etcd(place, tools, ports))
    etcd = f"http://127.0.0.1:{ports['etcd']}/readyz"
    _wait(place, "etcd", lambda: _get(etcd))

    place.start("apiserver", _apiserver(place, tools, ports))
    _wait(place, "apiserver", lambda: _answers(place, "/readyz"))

    place.start("controller-manager", _controller_manager(place, tools))
    place.start("scheduler", _scheduler(place, tools))
    place.start("kwok", _kwok(place, tools))
    cluster.apply(*(_kwok_node(number) for number in range(1, _KWOK_NODES + 1)))
    _wait(place, "kwok", lambda: _ready_kwok_nodes(place) == _KWOK_NODES)
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    _wait(place, "controller-manager", lambda: _answers(place, account))


def _etcd(place: Place, tools: k8s_tools.Tools, ports: Mapping[str, int]) -> list[str | Path]:
    client, peer = (f"http://127.0.0.1:{ports[name]}" for name in ("etcd", "etcd-peer"))
    return [
        tools["etcd"],
        f"--data-dir={place.folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--log-level=warn",
        # A killed process loses nothing by this, only a machine that loses its power.
        "--unsafe-no-fsync",
    ]


def _apiserver(place: Place, tools: k8s_tools.Tools, ports: Mapping[str, int]) -> list[str | Path]:
    pki = place.folder / "pki"
    return [
        tools["kube-apiserver"],
        f"--etcd-servers=http://127.0.0.1:{ports['etcd']}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={ports['apiserver']}",
        # Refuses to publish a loopback address as the `kubernetes` service's endpoint.
        "--endpoint-reconciler-type=none",
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        f"--cert-dir={pki}",
        f"--token-auth-file={pki / 'tokens.csv'}",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki / 'accounts.pub'}",
        f"--service-account-signing-key-file={pki / 'accounts.key'}",
        "--enable-admission-plugins=PodNodeSelector",
        f"--admission-control-config-file={place.folder / 'admission.yaml'}",
        f"--egress-selector-config-file={place.folder / 'egress.yaml'}",
        "--kubelet-preferred-address-types=InternalIP",
        "--shutdown-delay-duration=0s",
    ]


def _controller_manager(place: Place, tools: k8s_tools.Tools) -> list[str | Path]:
    pki = place.folder / "pki"
    return [
        tools["kube-controller-manager"],
        f"--kubeconfig={_kubeconfig(place, 'controller-manager')}",
        f"--service-account-private-key-file={pki / 'accounts.key'}",
        f"--root-ca-file={pki / 'apiserver.crt'}",
        "--use-service-account-credentials=true",
        "--allocate-node-cidrs=false",
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    ]


def _scheduler(place: Place, tools: k8s_tools.Tools) -> list[str | Path]:
    return [
        tools["kube-scheduler"],
        f"--kubeconfig={_kubeconfig(place, 'scheduler')}",
        "--leader-elect=false",
        "--secure-port=0",
    ]


def _kwok(place: Place, tools: k8s_tools.Tools) -> list[str | Path]:
    return [
        tools["kwok"],
        f"--kubeconfig={_kubeconfig(place, 'kwok')}",
        f"--config={_STAGES}",
        # By label: with --manage-all-nodes it would take the real node over.
        "--manage-all-nodes=false",
        "--manage-nodes-with-label-selector=type=kwok",
        "--cidr=10.244.0.0/16",
        "--node-ip=127.0.0.1",
        "--node-lease-duration-seconds=40",
    ]


def _kwok_node(number: int) -> dict[str, object]:
    name = f"kwok-{number}"
    labels = {"type": "kwok", "kubernetes.io/hostname": name}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}


# -- keys and configuration ----------------------------------------------------------------


def _make_keys(place: Place) -> None:
    """All of them or none: an API server killed while writing its own would never start again."""
    pki = place.folder / "pki"
    if pki.exists():
        return
    for leftover in place.folder.glob(".pki-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=place.folder, prefix=".pki-") as temporary:
        fresh = Path(temporary) / "pki"
        fresh.mkdir()
        _openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "365"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
            *("-keyout", f"{fresh}/apiserver.key", "-out", f"{fresh}/apiserver.crt"),
        )
        _openssl("genrsa", "-out", f"{fresh}/accounts.key", "2048")
        _openssl("rsa", "-in", f"{fresh}/accounts.key", "-pubout", "-out", f"{fresh}/accounts.pub")
        lines = [
            f'{secrets.token_hex(16)},{user},{name},"{groups}"'
            for name, (user, groups) in _USERS.items()
        ]
        (fresh / "tokens.csv").write_text("\n".join(lines) + "\n")
        fresh.replace(pki)


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise InfraError(f"openssl {arguments[0]}: {done.stderr.strip()}")


def _tokens(place: Place) -> dict[str, str]:
    lines = (place.folder / "pki/tokens.csv").read_text().split()
    return {name: token for token, _, name, *_ in (line.split(",") for line in lines)}


def _write_configuration(place: Place, ports: Mapping[str, int]) -> None:
    server = {
        "server": f"https://127.0.0.1:{ports['apiserver']}",
        "certificate-authority": str(place.folder / "pki/apiserver.crt"),
    }
    for name, token in _tokens(place).items():
        kubeconfig = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "ciforge", "cluster": server}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": "ciforge", "context": {"cluster": "ciforge", "user": name}}],
            "current-context": "ciforge",
        }
        write(_kubeconfig(place, name), json.dumps(kubeconfig, indent=2))
    selector = {"podNodeSelectorPluginConfig": {"clusterDefaultNodeSelector": "type=kwok"}}
    admission = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": [{"name": "PodNodeSelector", "configuration": selector}],
    }
    write(place.folder / "admission.yaml", json.dumps(admission))
    # The real node has a network of its own; its socket leads the API server to it.
    egress = {
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [
            {
                "name": "cluster",
                "connection": {
                    "proxyProtocol": "HTTPConnect",
                    "transport": {"uds": {"udsName": str(place.folder / NODE_SOCKET)}},
                },
            }
        ],
    }
    write(place.folder / "egress.yaml", json.dumps(egress))


# -- asking --------------------------------------------------------------------------------


def _all_run(place: Place) -> bool:
    return all(place.runs(name) for name in _COMPONENTS)


def _wait(place: Place, name: str, check: Callable[[], object]) -> None:
    wait_until(
        name, lambda: bool(check()), seconds=90, alive=lambda: place.runs(name), log=place.log(name)
    )


def _answers(place: Place, path: str) -> bool:
    return ask(place, path) is not None


def ask(place: Place, path: str) -> bytes | None:
    """GET as administrator; None when there is no answer or a refusal."""
    try:
        token = _tokens(place)["admin"]
        trusted = ssl.create_default_context(cafile=str(place.folder / "pki/apiserver.crt"))
    except OSError:
        return None
    return _get(f"https://127.0.0.1:{api_port(place)}{path}", token, trusted)


def _get(url: str, token: str = "", trusted: ssl.SSLContext | None = None) -> bytes | None:
    direct = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusted)
    )
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        with direct.open(request, timeout=5) as response:
            return bytes(response.read())
    except OSError:
        return None


def node_is_ready(place: Place, name: str) -> bool:
    return name in _ready_nodes(place)


def _ready_kwok_nodes(place: Place) -> int:
    return len([name for name in _ready_nodes(place) if name.startswith("kwok-")])


def _ready_nodes(place: Place) -> list[str]:
    nodes = json.loads(ask(place, "/api/v1/nodes") or b"{}").get("items", [])
    return [
        node["metadata"]["name"]
        for node in nodes
        for condition in node.get("status", {}).get("conditions", [])
        if condition["type"] == "Ready" and condition["status"] == "True"
    ]


def main(arguments: list[str] | None = None) -> int:
    from tests.infra import k8s_node

    parser = argparse.ArgumentParser(prog="python -m tests.infra.k8s_cluster")
    parser.add_argument("action", choices=["up", "status", "down"])
    parser.add_argument("--no-node", action="store_true", help="up: only the pretended nodes")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        if options.action == "up":
            cluster = start()
            if cluster.own and not options.no_node:
                k8s_node.start()
            say(f"up: export KUBECONFIG={cluster.kubeconfig}", started)
        elif options.action == "down":
            k8s_node.stop()
            stop()
            say("down", started)
        else:
            for name, state in {**status(), **k8s_node.status()}.items():
                say(f"{name:20} {state}")
            return 0 if ready() else 1
    except InfraError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
