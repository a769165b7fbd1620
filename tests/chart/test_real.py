"""A release on the real node: its pods live with the restrictions that the chart sets."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.chart.conftest import BUILT, Chart, Object
from tests.infra import k8s_node
from tests.infra import registry as infra_registry
from tests.infra.k8s_cluster import Cluster
from tests.infra.registry import Login
from tests.infra.tools import docker

pytestmark = pytest.mark.docker
pytest_plugins = ["tests.infra.fixtures"]

# In place of a service: answers with what it finds around itself.
_SERVER = """
const fs = require('node:fs');
const writable = (path) => {
  try { fs.writeFileSync(path + '/probe', ''); return true; } catch { return false; }
};
const found = JSON.stringify({
  user: process.getuid(), root: writable('/'), tmp: writable('/tmp'),
  token: fs.existsSync('/var/run/secrets/kubernetes.io'),
  variable: process.env.TEXT, secret: process.env.WORD, port: process.env.PORT,
  links: Object.keys(process.env).filter((name) => name.includes('SERVICE_HOST')
    && !name.startsWith('KUBERNETES')),
});
require('node:http').createServer((_, response) => response.end(found)).listen(process.env.PORT);
process.on('SIGTERM', () => process.exit(0));
"""


@pytest.fixture
def real_namespace(cluster: Cluster, namespace: str, registry: Login) -> Iterator[str]:
    ran = k8s_node.ready()
    k8s_node.start(ports=infra_registry.loopback_ports())
    cluster.namespace(
        namespace, real=True, labels={"pod-security.kubernetes.io/enforce": "restricted"}
    )
    basic = base64.b64encode(f"{registry.user}:{registry.password}".encode()).decode()
    login = {"auths": {registry.address: {"auth": basic}}}
    cluster.apply(
        _secret("registry", namespace, {".dockerconfigjson": json.dumps(login)})
        | {"type": "kubernetes.io/dockerconfigjson"},
        _secret("word", namespace, {"word": "sesame"}),
    )
    yield namespace
    if not ran:
        k8s_node.stop()


def _secret(name: str, namespace: str, data: dict[str, str]) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}


@pytest.fixture
def image(images: Callable[..., None], engine: Mapping[str, str], registry: Login) -> Object:
    """Node.js, pushed as if it were a service: {repository, digest}."""
    images("node:22-alpine")
    repository = f"{registry.image}/chart-test"

    def run(*arguments: str) -> str:
        command = [docker(), *arguments]
        done = subprocess.run(
            command, env=dict(engine), check=True, capture_output=True, text=True, timeout=120
        )
        return done.stdout

    run("tag", "node:22-alpine", f"{repository}:1")
    try:
        run("push", "--quiet", f"{repository}:1")
        known = json.loads(run("image", "inspect", f"{repository}:1"))[0]["RepoDigests"]
    finally:
        run("image", "rm", "--no-prune", f"{repository}:1")
    (digest,) = (name.partition("@")[2] for name in known if name.startswith(f"{repository}@"))
    return {"repository": repository, "digest": digest}


def test_a_service_runs_confined(
    cluster: Cluster, chart: Chart, real_namespace: str, image: Object
) -> None:
    probe = {"path": "/"}
    services: Object = {name: {"enabled": False} for name in BUILT}
    services["auth-service"] = {
        "image": image,
        "command": ["node", "--eval", _SERVER],
        "env": {"TEXT": "$(HOME) stays"},
        # Without the example's DATABASE_URL, whose Secret isn't here.
        "secretEnv": {"DATABASE_URL": None, "WORD": {"name": "word", "key": "word"}},
        "probes": {"startup": probe, "ready": probe, "live": probe},
        "migrate": {
            # The same variables come before there is a ConfigMap.
            "command": [
                *("node", "--eval"),
                "process.exit(process.env.TEXT === '$(HOME) stays' && process.env.WORD ? 0 : 1)",
            ],
        },
    }
    chart.upgrade(real_namespace, "staging", {"services": services})
    path = f"/api/v1/namespaces/{real_namespace}/services/all-erp-auth-service:3000/proxy/"
    assert json.loads(cluster.kubectl("get", f"--raw={path}")) == {
        "user": 1000,
        "root": False,
        "tmp": True,
        "token": False,
        "variable": "$(HOME) stays",
        "secret": "sesame",
        "port": "3000",
        "links": [],
    }
