"""The example's chart, rendered and installed by a real Helm into a real control plane."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra import k8s_cluster, k8s_tools
from tests.infra.k8s_cluster import Cluster

CHART = Path(__file__).parents[2] / "examples/all-erp/deploy/helm/all-erp"
ENVIRONMENTS = ("staging", "production", "gpu")
# Those that ciforge builds, and for which it names a digest.
BUILT = ("assistant-service", "auth-service", "billing-service", "search-service", "web")

Object = dict[str, Any]
# {kind: {name: object}}
Rendered = dict[str, dict[str, Object]]


def digests(**others: int) -> Object:
    """Values as ciforge gives them; digest number 1, or for `web=2` number 2."""
    numbers = dict.fromkeys(BUILT, 1) | {name.replace("_", "-"): n for name, n in others.items()}
    return {
        "services": {
            name: {
                "image": {
                    "repository": f"registry.all-erp.local/all-erp/{name}",
                    "digest": f"sha256:{number:064x}",
                }
            }
            for name, number in numbers.items()
        }
    }


class Chart:
    """Calls Helm with the values of an environment, and further ones on top."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._cluster = cluster
        self._folder = folder

    def options(self, *values: str | Mapping[str, Any]) -> list[str]:
        """A text names an environment; a mapping is written to a file."""
        options = []
        for number, given in enumerate(values):
            path = CHART / f"values-{given}.yaml"
            if not isinstance(given, str):
                path = self._folder / f"{number}.yaml"
                path.write_text(json.dumps(given))
            options.append(f"--values={path}")
        return options

    def lint(self, *values: str | Mapping[str, Any]) -> str:
        return self._cluster.helm("lint", "--strict", str(CHART), *self.options(*values))

    def manifests(self, *values: str | Mapping[str, Any], release: str = "all-erp") -> str:
        return self._cluster.helm("template", release, str(CHART), *self.options(*values))

    def render(self, *values: str | Mapping[str, Any], release: str = "all-erp") -> Rendered:
        rendered: Rendered = {}
        for found in yaml.safe_load_all(self.manifests(*values, release=release)):
            if found:
                named = rendered.setdefault(found["kind"], {})
                # Two objects of one name would overwrite each other in the cluster.
                assert named.setdefault(found["metadata"]["name"], found) is found
        return rendered

    def upgrade(self, namespace: str, *values: str | Mapping[str, Any]) -> None:
        self._cluster.helm(
            *("upgrade", "--install", "all-erp", str(CHART), "--namespace", namespace),
            *("--wait", "--timeout", "120s", *self.options(*values)),
        )


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    with pytest.MonkeyPatch.context() as patch:
        # Each test has a HOME of its own; what was built before serves them all.
        patch.setenv("XDG_CACHE_HOME", str(k8s_tools.cache_folder().parent))
        ran = k8s_cluster.ready()
        yield k8s_cluster.start()
        if not ran:
            k8s_cluster.stop()


@pytest.fixture
def chart(cluster: Cluster, tmp_path: Path) -> Chart:
    return Chart(cluster, tmp_path)


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """One that takes restricted pods alone."""
    name = f"chart-{secrets.token_hex(4)}"
    cluster.namespace(name, labels={"pod-security.kubernetes.io/enforce": "restricted"})
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")
