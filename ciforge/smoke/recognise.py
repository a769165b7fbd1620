"""Recognises a dependency by its image's name, and finds how to log in to it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ciforge.smoke.model import command, environment

Kind = Literal["postgres", "redis", "rabbitmq", "milvus", "minio", "vllm"]

# The last part of the image's name, and the port that it listens on.
_KINDS: dict[str, Kind] = {
    "postgres": "postgres",
    "postgresql": "postgres",
    "postgis": "postgres",
    "pgvector": "postgres",
    "timescaledb": "postgres",
    "redis": "redis",
    "redis-stack": "redis",
    "redis-stack-server": "redis",
    "valkey": "redis",
    "rabbitmq": "rabbitmq",
    "milvus": "milvus",
    "minio": "minio",
    "vllm-openai": "vllm",
}
PORTS: dict[Kind, int] = {
    "postgres": 5432,
    "redis": 6379,
    "rabbitmq": 5672,
    "milvus": 19530,
    "minio": 9000,
    "vllm": 8000,
}
QUESTIONS: dict[Kind, str] = {
    "postgres": "a row in PostgreSQL",
    "redis": "a key in Redis",
    "rabbitmq": "a message through RabbitMQ",
    "milvus": "a vector in Milvus",
    "minio": "an object in MinIO",
    "vllm": "a model in vLLM",
}


@dataclass(frozen=True)
class Dependency:
    """A service that a question can be asked. `space`: database or virtual host."""

    service: str
    kind: Kind
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    space: str = ""


def recognise(name: str, service: Mapping[str, Any]) -> Dependency | None:
    """The dependency that a compose service is, None when its image says nothing."""
    kind = _KINDS.get(base_name(str(service.get("image") or "")))
    if kind is None:
        return None
    env = environment(service)
    user, password, space = _login(kind, env, command(service))
    return Dependency(name, kind, PORTS[kind], user, password, space)


def base_name(image: str) -> str:
    """`quay.io:443/coreos/etcd:v3@sha256:…` is `etcd`."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0].lower()


def _login(kind: Kind, env: Mapping[str, str], words: str) -> tuple[str, str, str]:
    def first(*names: str, default: str = "") -> str:
        return next((env[name] for name in names if env.get(name)), default)

    if kind == "postgres":
        user = first("POSTGRES_USER", "POSTGRESQL_USERNAME", default="postgres")
        database = first("POSTGRES_DB", "POSTGRESQL_DATABASE", default=user)
        return user, first("POSTGRES_PASSWORD", "POSTGRESQL_PASSWORD"), database
    if kind == "redis":
        return "", _redis_password(env, words), ""
    if kind == "rabbitmq":
        user = first("RABBITMQ_DEFAULT_USER", "RABBITMQ_USERNAME", default="guest")
        password = first("RABBITMQ_DEFAULT_PASS", "RABBITMQ_PASSWORD", default="guest")
        return user, password, first("RABBITMQ_DEFAULT_VHOST", "RABBITMQ_VHOST", default="/")
    if kind == "minio":
        user = first("MINIO_ROOT_USER", "MINIO_ACCESS_KEY", default="minioadmin")
        return user, first("MINIO_ROOT_PASSWORD", "MINIO_SECRET_KEY", default="minioadmin"), ""
    if kind == "vllm":
        found = re.search(r"--api-key[ =](\S+)", words)
        return "", found[1] if found else first("VLLM_API_KEY"), ""
    return first("MILVUS_USER", default="root"), first("MILVUS_PASSWORD", default="Milvus"), ""


def _redis_password(env: Mapping[str, str], words: str) -> str:
    """`redis-server --requirepass x`, also where a shell fills in a variable."""
    found = re.search(r"requirepass[ =]+[\"']?([^\s\"']+)", words)
    value = found[1] if found else env.get("REDIS_PASSWORD", "")
    variable = re.fullmatch(r"\$\{?(\w+)\}?", value)
    return env.get(variable[1], "") if variable else value
