"""What the released services need, in containers of the engine: reachable by the node's pods."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.infra.base import run
from tests.infra.k8s_node import NODE_IP

_COMPOSE = Path(__file__).parent.parent / "infra/compose.test.yaml"
_ASKED_BY_WEB = ("AUTH", "BILLING", "SEARCH", "ASSISTANT")
_PORTS = {"postgres": 5432, "redis": 6379, "rabbitmq": 5672, "milvus": 19530}


@contextmanager
def running(environment: Mapping[str, str]) -> Iterator[dict[str, int]]:
    """Service → the port on this machine's loopback; gone with all data afterwards."""
    project = f"ciforge-e2e-{uuid.uuid4().hex[:8]}"
    compose = ["docker", "compose", "--project-name", project, "--file", str(_COMPOSE)]
    try:
        run(
            [*compose, "up", "--wait", "--wait-timeout", "180", "--pull", "never", *_PORTS],
            environment=environment,
        )
        for database in ("auth", "billing"):
            create = ["createdb", "--username=erp", database]
            run([*compose, "exec", "--no-TTY", "postgres", *create], environment=environment)
        yield {
            service: int(
                run([*compose, "port", service, str(port)], environment=environment).rpartition(
                    ":"
                )[2]
            )
            for service, port in _PORTS.items()
        }
    finally:
        run([*compose, "down", "--volumes", "--timeout", "2"], environment=environment)


def values(ports: Mapping[str, int]) -> dict[str, object]:
    """Helm values of an environment whose pods find them at the node's address."""
    # The node has no DNS for Services: names would take longer to fail than a probe may wait.
    # web is ready without the others, and a port where nobody listens answers at once.
    nowhere = {f"{name}_SERVICE_URL": f"http://{NODE_IP}:9" for name in _ASKED_BY_WEB}
    return {
        "imagePullSecrets": [{"name": "registry"}],
        # A crash is known within a minute; the default is made for slow clusters.
        "defaults": {"progressDeadlineSeconds": 60},
        "services": {
            "auth-service": {"env": {"REDIS_URL": f"redis://{NODE_IP}:{ports['redis']}"}},
            "web": {"env": nowhere},
            "assistant-service": {"env": {"VLLM_URL": f"http://{NODE_IP}:9"}},
            "search-service": {"env": {"MILVUS_ADDRESS": f"{NODE_IP}:{ports['milvus']}"}},
        },
    }


def secrets(ports: Mapping[str, int], namespace: str) -> list[dict[str, object]]:
    """What an operator puts into the namespace before the first release."""
    postgres = f"postgres://erp:secret@{NODE_IP}:{ports['postgres']}"
    contents = {
        "auth-service": {"database-url": f"{postgres}/auth"},
        "billing-service": {
            "database-url": f"{postgres}/billing",
            "rabbitmq-url": f"amqp://erp:secret@{NODE_IP}:{ports['rabbitmq']}",
        },
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "stringData": content,
        }
        for name, content in contents.items()
    ]
