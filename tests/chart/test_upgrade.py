"""Releases on pretended nodes: what an upgrade restarts, and what it leaves alone."""

from __future__ import annotations

import json

import pytest

from tests.chart.conftest import BUILT, Chart, Object, digests
from tests.infra.k8s_cluster import Cluster
from tests.infra.k8s_place import InfraError

pytestmark = pytest.mark.docker


def _objects(cluster: Cluster, namespace: str, kind: str) -> dict[str, Object]:
    listed = cluster.kubectl("get", kind, "--namespace", namespace, "--output=json")
    return {found["metadata"]["name"]: found for found in json.loads(listed)["items"]}


def _generations(cluster: Cluster, namespace: str) -> dict[str, int]:
    found = _objects(cluster, namespace, "deployments")
    return {name: deployment["metadata"]["generation"] for name, deployment in found.items()}


def _replica_sets(cluster: Cluster, namespace: str) -> set[str]:
    return set(_objects(cluster, namespace, "replicasets"))


def test_an_upgrade_restarts_what_changed_alone(
    cluster: Cluster, chart: Chart, namespace: str
) -> None:
    chart.upgrade(namespace, "production", digests())
    installed = _generations(cluster, namespace)
    assert set(installed) == {f"all-erp-{name}" for name in BUILT}
    assert set(_objects(cluster, namespace, "jobs")) == {
        "all-erp-auth-service-migrate",
        "all-erp-billing-service-migrate",
    }
    first = _replica_sets(cluster, namespace)
    pods = set(_objects(cluster, namespace, "pods"))

    chart.upgrade(namespace, "production", digests())
    assert _generations(cluster, namespace) == installed

    chart.upgrade(namespace, "production", digests(web=2))
    upgraded = _generations(cluster, namespace)
    assert {name for name in upgraded if upgraded[name] != installed[name]} == {"all-erp-web"}
    (fresh,) = _replica_sets(cluster, namespace) - first
    assert fresh.startswith("all-erp-web-")
    stayed = {pod for pod in pods if not pod.startswith("all-erp-web-") and "-migrate-" not in pod}
    assert stayed <= set(_objects(cluster, namespace, "pods"))


def test_a_failed_migration_keeps_new_pods_away(
    cluster: Cluster, chart: Chart, namespace: str
) -> None:
    chart.upgrade(namespace, "staging", digests())
    before = _generations(cluster, namespace)
    failing: Object = {
        "services": {
            "billing-service": {
                "migrate": {
                    "backoffLimit": 0,
                    "podAnnotations": {"ciforge.test/outcome": "fail"},
                }
            }
        }
    }
    with pytest.raises(InfraError, match="all-erp-billing-service-migrate"):
        chart.upgrade(namespace, "staging", digests(billing_service=2), failing)
    assert _generations(cluster, namespace) == before
    assert "all-erp-billing-service-migrate" in _objects(cluster, namespace, "jobs")
    chart.upgrade(namespace, "staging", digests(billing_service=2))
    after = _generations(cluster, namespace)
    assert {name for name in after if after[name] != before[name]} == {"all-erp-billing-service"}
