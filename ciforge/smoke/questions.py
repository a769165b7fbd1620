"""One real question for each kind of dependency: what is written comes back.

Each function raises when it doesn't. Clients are imported when they are needed. Timeouts are
in seconds; nothing that a question makes stays behind.
"""

from __future__ import annotations

import io
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ciforge.smoke.recognise import Dependency, Kind

if TYPE_CHECKING:
    import requests

_TIMEOUT = 10


class AnswerError(Exception):
    """An answer came, but not the right one."""


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def ask(dependency: Dependency, address: Address) -> None:
    """Asks once. Raises whatever its client raises, or AnswerError."""
    _ASK[dependency.kind](dependency, address)


def ask_ready(address: Address, path: str) -> None:
    """A GET of `path` is answered by 200."""
    with _session() as session:
        answer = session.get(f"http://{address}{path}", timeout=_TIMEOUT, allow_redirects=False)
        if answer.status_code != 200:
            said = " ".join(answer.text.split())[:200]
            raise AnswerError(f"{answer.status_code} {answer.reason} {said}".strip())


def _session() -> requests.Session:
    import requests

    session = requests.Session()
    session.trust_env = False  # no proxy stands between us and the engine
    return session


def _expect(found: object, expected: object) -> None:
    if found != expected:
        raise AnswerError(f"wrote {expected!r}, got {found!r}")


def _postgres(dependency: Dependency, address: Address) -> None:
    import pg8000.native  # type: ignore[import-untyped]

    word = secrets.token_hex(8)
    connection = pg8000.native.Connection(
        dependency.user,
        host=address.host,
        port=address.port,
        database=dependency.space,
        password=dependency.password or None,
        timeout=_TIMEOUT,
    )
    try:
        connection.run("CREATE TEMPORARY TABLE ciforge_smoke (word text)")
        connection.run("INSERT INTO ciforge_smoke VALUES (:word)", word=word)
        _expect(connection.run("SELECT word FROM ciforge_smoke"), [[word]])
    finally:
        connection.close()


def _redis(dependency: Dependency, address: Address) -> None:
    import redis

    key, word = f"ciforge-smoke:{secrets.token_hex(8)}", secrets.token_hex(8)
    with redis.Redis(
        host=address.host,
        port=address.port,
        password=dependency.password or None,
        socket_timeout=_TIMEOUT,
        socket_connect_timeout=_TIMEOUT,
        decode_responses=True,
    ) as client:
        client.set(key, word, ex=60)
        _expect(client.get(key), word)
        _expect(client.delete(key), 1)


def _rabbitmq(dependency: Dependency, address: Address) -> None:
    import pika  # type: ignore[import-untyped]

    word = secrets.token_hex(8).encode()
    connection = pika.BlockingConnection(
        pika.ConnectionParameters(
            host=address.host,
            port=address.port,
            virtual_host=dependency.space,
            credentials=pika.PlainCredentials(dependency.user, dependency.password),
            socket_timeout=_TIMEOUT,
            stack_timeout=_TIMEOUT,
            blocked_connection_timeout=_TIMEOUT,
        )
    )
    try:
        channel = connection.channel()
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.basic_publish("", queue, word)
        body = None
        until = time.monotonic() + _TIMEOUT
        while body is None and time.monotonic() < until:
            _, _, body = channel.basic_get(queue, auto_ack=True)
        _expect(body, word)
    finally:
        connection.close()


def _minio(dependency: Dependency, address: Address) -> None:
    import minio
    import urllib3

    word = secrets.token_hex(8).encode()
    bucket = f"ciforge-smoke-{secrets.token_hex(8)}"
    client = minio.Minio(
        str(address),
        access_key=dependency.user,
        secret_key=dependency.password,
        secure=False,
        region="us-east-1",
        http_client=urllib3.PoolManager(timeout=_TIMEOUT, retries=False),
    )
    client.make_bucket(bucket)
    try:
        client.put_object(bucket, "word", io.BytesIO(word), len(word))
        try:
            with client.get_object(bucket, "word") as answer:
                _expect(answer.read(), word)
        finally:
            client.remove_object(bucket, "word")
    finally:
        client.remove_bucket(bucket)


def _milvus(dependency: Dependency, address: Address) -> None:
    """Through the REST API: /v2 since Milvus 2.4, before that /v1."""
    import requests

    name, vector = f"ciforge_smoke_{secrets.token_hex(6)}", [0.1, 0.2, 0.3, 0.4]
    with _session() as session:
        session.headers["Authorization"] = f"Bearer {dependency.user}:{dependency.password}"

        def post(path: str, body: dict[str, Any]) -> Any:
            answer = session.post(f"http://{address}{path}", json=body, timeout=3 * _TIMEOUT)
            answer.raise_for_status()
            said = answer.json()
            if said.get("code") not in (0, 200):
                raise AnswerError(f"{said.get('code')}: {said.get('message')}")
            return said.get("data")

        create = {"collectionName": name, "dimension": len(vector), "metricType": "L2"}
        collections, entities = "/v2/vectordb/collections", "/v2/vectordb/entities"
        search: dict[str, Any] = {
            "collectionName": name,
            "data": [vector],
            "limit": 1,
            "outputFields": ["id"],
        }
        row: dict[str, Any] = {"id": 1, "vector": vector}
        try:
            post(f"{collections}/create", create)
        except requests.HTTPError as error:
            if error.response is None or error.response.status_code != 404:
                raise
            collections, entities = "/v1/vector/collections", "/v1/vector"
            search["vector"] = search.pop("data")[0]
            del row["id"]  # given by Milvus there
            post(f"{collections}/create", create)
        try:
            post(f"{entities}/insert", {"collectionName": name, "data": [row]})
            until = time.monotonic() + 2 * _TIMEOUT
            # What was written is found within a moment, not at once.
            while not post(f"{entities}/search", search):
                if time.monotonic() > until:
                    raise AnswerError("the vector that was inserted is not found")
                time.sleep(0.2)
        finally:
            post(f"{collections}/drop", {"collectionName": name})


def _vllm(dependency: Dependency, address: Address) -> None:
    with _session() as session:
        if dependency.password:
            session.headers["Authorization"] = f"Bearer {dependency.password}"
        answer = session.get(f"http://{address}/v1/models", timeout=_TIMEOUT)
        answer.raise_for_status()
        if not answer.json().get("data"):
            raise AnswerError("it serves no model")


_ASK: dict[Kind, Callable[[Dependency, Address], None]] = {
    "postgres": _postgres,
    "redis": _redis,
    "rabbitmq": _rabbitmq,
    "milvus": _milvus,
    "minio": _minio,
    "vllm": _vllm,
}
