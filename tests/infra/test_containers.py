"""The container half answers as the real things do, under the names that users write."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.infra import registry as registries
from tests.infra.base import InfraError, Place, run
from tests.infra.images import image_map
from tests.infra.registry import Login

pytestmark = pytest.mark.docker
pytest_plugins = ["tests.infra.fixtures"]

Environment = Mapping[str, str]
Images = Callable[..., None]
_COMPOSE = Path(__file__).with_name("compose.test.yaml")
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_DOCKERFILE = """
ARG NODE_IMAGE=node:22-alpine
FROM ${NODE_IMAGE} AS builder
WORKDIR /app
RUN npm install --global pnpm@10.34.9 && pnpm --version > /pnpm-version
COPY package.json .
RUN pnpm install --prod && node -p "require('is-odd')(3)" > result

FROM ${NODE_IMAGE} AS runner
COPY --from=builder --chown=node:node /app /app
USER node
CMD ["-p", "require('fs').readFileSync('/app/result', 'utf8') + process.getuid()"]
"""


def _get(
    url: str,
    headers: Mapping[str, str] | None = None,
    data: object = None,
    method: str | None = None,
) -> tuple[Mapping[str, str], bytes]:
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(url, body, dict(headers or {}), method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=20) as response:
        return dict(response.headers), response.read()


def _basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text(_DOCKERFILE)
    (tmp_path / "package.json").write_text('{"dependencies": {"is-odd": "3.0.1"}}')
    return tmp_path


@pytest.fixture
def outsider(place: Place, registry: Login, engine: Environment, tmp_path: Path) -> Environment:
    """A client that is logged in to the same registry as somebody without rights to our project."""
    environment = {**engine, "DOCKER_CONFIG": str(tmp_path)}
    password = registries.password("outsider", place)
    login = ["docker", "login", "--username", "outsider", "--password-stdin", registry.address]
    run(login, environment=environment, stdin=password)
    return environment


def test_engine_runs_a_container(engine: Environment, images: Images) -> None:
    images("node:22-alpine")

    printed = run(["docker", "run", "--rm", "node:22-alpine", "-p", "6 * 7"], environment=engine)

    assert printed == "42"


def test_plain_docker_build_needs_no_other_names_and_reaches_packages(
    engine: Environment, buildkit: Environment, context: Path
) -> None:
    """The engine's own builder, as `docker build` in the user's README."""
    environment = {**engine, "DOCKER_BUILDKIT": "0"}
    run(["docker", "build", "--tag", "ciforge-test:plain", context], environment=environment)

    printed = run(["docker", "run", "--rm", "ciforge-test:plain"], environment=engine)

    assert printed.split() == ["true", "1000"]


def test_buildx_builds_two_stages_and_pushes_what_the_registry_then_has(
    buildkit: Environment, registry: Login, context: Path
) -> None:
    name = f"{registry.image}/two-stages:1"
    metadata = context / "metadata.json"
    options = ["--push", "--tag", name, "--metadata-file", str(metadata)]
    run(["docker", "buildx", "build", *options, context], environment=buildkit)
    digest = json.loads(metadata.read_text())["containerimage.digest"]

    realm = f"repository:{name.partition('/')[2].partition(':')[0]}:pull"
    headers = {
        "Authorization": f"Bearer {_token(registry, realm)}",
        "Accept": ", ".join(_MANIFESTS),
    }
    path = name.partition("/")[2].replace(":1", "/manifests/1")
    answer, _ = _get(f"http://{registry.address}/v2/{path}", headers)
    printed = run(
        ["docker", "run", "--rm", f"{name.removesuffix(':1')}@{digest}"], environment=buildkit
    )

    assert answer["Docker-Content-Digest"] == digest
    assert printed.split() == ["true", "1000"]


def _token(login: Login, scope: str) -> str:
    with pytest.raises(urllib.error.HTTPError) as refused:
        _get(f"http://{login.address}/v2/")
    challenge = refused.value.headers["WWW-Authenticate"]
    refused.value.close()
    realm = challenge.split('realm="')[1].split('"')[0]
    url = f"{realm}?service=container_registry&scope={scope}"
    return str(json.loads(_get(url, _basic(login.user, login.password))[1])["token"])


def test_wrong_password_is_refused(registry: Login, engine: Environment, tmp_path: Path) -> None:
    login = ["docker", "login", "--username", registry.user, "--password-stdin", registry.address]

    with pytest.raises(InfraError, match="unauthorized: HTTP Basic: Access denied"):
        run(login, environment={**engine, "DOCKER_CONFIG": str(tmp_path)}, stdin="wrong")


def test_foreign_project_is_refused(registry: Login, outsider: Environment, images: Images) -> None:
    images("node:22-alpine")
    foreign = f"{registry.image}/stolen:1"
    own = f"{registry.address}/{registries.FOREIGN_PROJECT}/own:1"
    for name in (foreign, own):
        run(["docker", "tag", "node:22-alpine", name], environment=outsider)

    run(["docker", "push", own], environment=outsider)
    with pytest.raises(InfraError, match="denied"):
        run(["docker", "push", foreign], environment=outsider)


def test_a_project_is_not_the_prefix_of_another_ones_name(registry: Login) -> None:
    project = registry.image.partition("/")[2]

    assert _granted(_token(registry, f"repository:{project}/a:pull,push")) != []
    assert _granted(_token(registry, f"repository:{project}-2/a:pull,push")) == []


def _granted(token: str) -> object:
    claims = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["access"]


def test_token_server_lets_containerd_go_on_with_get(registry: Login) -> None:
    with pytest.raises(urllib.error.HTTPError) as unauthorized:
        _get(f"http://{registry.address}/v2/")
    realm = unauthorized.value.headers["WWW-Authenticate"].split('realm="')[1].split('"')[0]
    unauthorized.value.close()

    with pytest.raises(urllib.error.HTTPError) as refused:
        _get(realm, data={}, method="POST")
    refused.value.close()

    assert refused.value.code == 404


class _Services:
    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        project = f"ciforge-test-{uuid.uuid4().hex[:8]}"
        self.compose = ["docker", "compose", "--project-name", project, "--file", str(_COMPOSE)]

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        return run([*self.compose, *arguments], environment=self.environment, stdin=stdin)

    def inside(self, service: str, *command: str) -> str:
        return self.run("exec", "--no-TTY", service, *command)

    def url(self, service: str, port: int) -> str:
        return f"http://{self.run('port', service, str(port))}"


@pytest.fixture(scope="module")
def services(compose: Environment, images: Images) -> Iterator[_Services]:
    images()
    found = _Services(compose)
    try:
        found.run("up", "--wait", "--wait-timeout", "180", "--pull", "never")
        yield found
    finally:
        found.run("down", "--volumes", "--timeout", "2")


def test_compose_file_uses_only_names_of_the_image_map(services: _Services) -> None:
    used = set(services.run("config", "--images").split())

    assert used <= set(image_map())
    assert len(used) == 6


def test_all_services_are_healthy(services: _Services) -> None:
    listed = [json.loads(line) for line in services.run("ps", "--format", "json").splitlines()]

    assert {(one["Service"], one["Health"]) for one in listed} == {
        (name, "healthy") for name in ("etcd", "milvus", "minio", "postgres", "rabbitmq", "redis")
    }


def test_postgres_keeps_a_row(services: _Services) -> None:
    sql = "create table t (n int); insert into t values (42); select n from t"
    connection = "postgresql://erp:secret@127.0.0.1/erp"

    printed = services.inside("postgres", "psql", "-qtA", connection, "-c", sql)

    assert printed == "42"


def test_postgres_asks_for_the_password(services: _Services) -> None:
    with pytest.raises(InfraError, match="password authentication failed"):
        services.inside(
            "postgres", "psql", "postgresql://erp:wrong@127.0.0.1/erp", "-c", "select 1"
        )


def test_redis_keeps_a_key(services: _Services) -> None:
    services.inside("redis", "redis-cli", "set", "key", "value")

    assert services.inside("redis", "redis-cli", "get", "key") == "value"
    assert "yes" in services.inside("redis", "redis-cli", "config", "get", "appendonly")


def test_rabbitmq_carries_a_message(services: _Services) -> None:
    api = f"{services.url('rabbitmq', 15672)}/api"
    headers = {**_basic("erp", "secret"), "Content-Type": "application/json"}
    message = {
        "properties": {},
        "routing_key": "q",
        "payload": "hello",
        "payload_encoding": "string",
    }
    question = {"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}

    _get(f"{api}/queues/%2F/q", headers, {"durable": True}, "PUT")
    _get(f"{api}/exchanges/%2F/amq.default/publish", headers, message)
    _, answer = _get(f"{api}/queues/%2F/q/get", headers, question)

    assert [one["payload"] for one in json.loads(answer)] == ["hello"]


def test_etcd_keeps_a_key_and_milvus_metadata(services: _Services) -> None:
    services.inside("etcd", "etcdctl", "put", "key", "value")

    assert services.inside("etcd", "etcdctl", "get", "--print-value-only", "key") == "value"
    assert "by-dev" in services.inside(
        "etcd", "etcdctl", "get", "--prefix", "--keys-only", "by-dev"
    )


def test_minio_keeps_an_object(services: _Services) -> None:
    script = """
        mc --quiet alias set here http://localhost:9000 minioadmin minioadmin
        mc --quiet mb here/bucket
        echo content | mc --quiet pipe here/bucket/object
    """
    services.inside("minio", "sh", "-ec", script)

    assert services.inside("minio", "mc", "cat", "here/bucket/object") == "content"


def test_milvus_finds_the_nearest_vector(services: _Services) -> None:
    api = f"{services.url('milvus', 19530)}/v1/vector"
    near, far = [0.9, 0.8, 0.7, 0.6], [0.1, 0.2, 0.3, 0.4]
    rows = [{"name": "near", "vector": near}, {"name": "far", "vector": far}]
    question = {
        "collectionName": "t",
        "vector": [0.9, 0.8, 0.7, 0.5],
        "limit": 1,
        "outputFields": ["name"],
    }

    created = _ask(f"{api}/collections/create", {"collectionName": "t", "dimension": 4})
    inserted = _ask(f"{api}/insert", {"collectionName": "t", "data": rows})
    end = time.monotonic() + 20
    # By default Milvus answers from what it has seen some seconds ago.
    while not (found := _ask(f"{api}/search", question)["data"]) and time.monotonic() < end:
        time.sleep(0.2)

    assert (created["code"], inserted["code"]) == (200, 200)
    assert [one["name"] for one in found] == ["near"]


def _ask(url: str, data: object) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(_get(url, data=data)[1])
    return answer


def test_milvus_keeps_its_data_in_minio(services: _Services) -> None:
    listed = services.inside("minio", "sh", "-c", "ls /minio_data")

    assert "a-bucket" in listed


def test_a_container_is_reached_and_reaches_others_by_name(services: _Services) -> None:
    printed = services.inside(
        "milvus", "curl", "-sf", "http://minio:9000/minio/health/live", "-w", "ok"
    )

    assert printed == "ok"


def test_a_failing_program_says_its_last_lines() -> None:
    with pytest.raises(InfraError, match="ended with 3:\nwhy"):
        run(["sh", "-c", "echo why >&2; exit 3"])


def test_nothing_secret_in_the_arguments_of_our_processes(place: Place, registry: Login) -> None:
    listed = run(["ps", "-eo", "args"])

    assert registry.password not in listed
    assert registry.password not in repr(registry)
