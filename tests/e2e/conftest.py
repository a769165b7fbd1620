"""One project, one cluster and one set of databases for the proofs, which build on each other."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.e2e import databases, workspace
from tests.e2e.workspace import NAMESPACE, Workspace
from tests.infra import ci_local, k8s_node
from tests.infra.k8s_cluster import Cluster
from tests.infra.registry import Login


@pytest.fixture(scope="session")
def data(
    compose: Mapping[str, str], images: Callable[..., None], node: Cluster
) -> Iterator[dict[str, int]]:
    """The databases' ports, led into the node."""
    assert node.own, "the pods' way to the databases leads through our own node"
    images()
    with databases.running(compose) as ports:
        k8s_node.start(None, ports.values())
        yield ports


@pytest.fixture(scope="session")
def target(node: Cluster, registry: Login, data: dict[str, int]) -> Iterator[Cluster]:
    """The cluster, with a namespace that is ready for its first release."""
    _forget(node)
    node.namespace(
        NAMESPACE, real=True, labels={"pod-security.kubernetes.io/enforce": "restricted"}
    )
    basic = base64.b64encode(f"{registry.user}:{registry.password}".encode()).decode()
    login = {"auths": {registry.address: {"auth": basic}}}
    node.apply(
        *databases.secrets(data, NAMESPACE),
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "registry", "namespace": NAMESPACE},
            "type": "kubernetes.io/dockerconfigjson",
            "stringData": {".dockerconfigjson": json.dumps(login)},
        },
    )
    yield node
    # The next start waits for it, when there is one.
    node.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture(scope="session")
def project(
    tmp_path_factory: pytest.TempPathFactory,
    buildkit: Mapping[str, str],
    compose: Mapping[str, str],
    registry: Login,
    target: Cluster,
    data: dict[str, int],
) -> Iterator[Workspace]:
    ci_local.start()
    with pytest.MonkeyPatch.context() as patch:
        for role in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{role}_NAME", "Test")
            patch.setenv(f"GIT_{role}_EMAIL", "test@example.com")
        folder = tmp_path_factory.mktemp("project")
        yield workspace.make(
            folder,
            # A prefix of its own: the first commit has to find nothing built.
            image=f"{registry.image}/{folder.parent.name}-{folder.parent.stat().st_ino}",
            environment=workspace.job_environment(target.environment(), {**buildkit, **compose}),
            variables=registry.variables(),
            values=databases.values(data),
        )


def _forget(cluster: Cluster) -> None:
    cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s")
