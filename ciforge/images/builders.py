"""The builders behind one interface: Docker's buildx, BuildKit alone, Buildah."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ciforge.doors import buildah, buildctl, buildx
from ciforge.doors.builder import Build
from ciforge.doors.docker_login import docker_login
from ciforge.errors import InputError, OutsideError
from ciforge.images.bake import (
    Target,
    arguments,
    bake_file,
    contexts,
    local_name,
    output,
    target_name,
)
from ciforge.images.order import Order, Say

BUILDERS = ("docker", "buildkit", "buildah")


def has_engine(order: Order) -> bool:
    """Whether what was built can be started here. Raises InputError when it must be pushed."""
    if order.builder == "docker":
        return True
    if not order.push:
        raise InputError(
            f"{order.builder} has no engine to keep images in",
            hint="add --push, or build with Docker (--builder docker)",
        )
    return False


def build_all(order: Order, targets: Sequence[Target], folder: Path, say: Say) -> dict[str, str]:
    """Builds the targets, and pushes them when so ordered; digests by service.

    A pushed image has no tag yet that means anything. `folder` is a temporary one. Raises
    BuildError, OutsideError.
    """
    with docker_login(order.plan.registry.host, order.login, order.env) as env:
        if order.builder == "docker":
            return _bake(order, targets, folder, say, env)
        each = {"buildkit": _buildctl, "buildah": _buildah}[order.builder]
        return {
            target.service.name: each(order, target, folder / f"{target_name(i)}.result", say, env)
            for i, target in enumerate(targets)
        }


def _bake(
    order: Order,
    targets: Sequence[Target],
    folder: Path,
    say: Say,
    env: Mapping[str, str | None],
) -> dict[str, str]:
    if order.push and buildx.driver(env) == "docker":
        raise OutsideError(
            "the current builder (driver docker) can't push an image without a tag",
            hint="docker buildx create --name ciforge --driver docker-container --use",
        )
    definition = folder / "bake.json"
    definition.write_bytes(bake_file(targets, push=order.push))
    names = {target_name(i): target.service.name for i, target in enumerate(targets)}
    metadata = folder / "metadata.json"
    digests = buildx.bake(definition, metadata, folder, _named(names, say), env, names)
    return {name: digests.get(target, "") for target, name in names.items()}


def _buildctl(
    order: Order, target: Target, metadata: Path, say: Say, env: Mapping[str, str | None]
) -> str:
    service = target.service
    insecure = ",registry.insecure=true" if order.insecure else ""
    host = order.env.get("BUILDKIT_HOST")
    return buildctl.build(
        _what(target),
        output(service, push=True) + insecure,
        metadata,
        _prefixed(service.name, say),
        {**env, **({"BUILDKIT_HOST": host} if host else {})},
    )


def _buildah(
    order: Order, target: Target, digest_file: Path, say: Say, env: Mapping[str, str | None]
) -> str:
    service = target.service
    folder = env.get("DOCKER_CONFIG")
    login = {"REGISTRY_AUTH_FILE": f"{folder}/config.json"} if folder else {}
    return buildah.build(
        _what(target),
        local_name(service),
        digest_file,
        _prefixed(service.name, say),
        {**env, **login},
        insecure=order.insecure,
    )


def _what(target: Target) -> Build:
    service = target.service
    return Build(
        service=service.name,
        context=target.context,
        dockerfile=service.dockerfile or "Dockerfile",
        args=arguments(service),
        platforms=service.platforms,
        contexts=contexts(target),
    )


def _prefixed(service: str, say: Say) -> Say:
    def line(text: str) -> None:
        if text:
            say(f"{service} | {text}")

    return line


def _named(by_target: Mapping[str, str], say: Say) -> Say:
    """BuildKit's lines with service names in place of target numbers."""

    def line(text: str) -> None:
        for target, name in by_target.items():
            for mark in (f"[{target}]", f"[{target} ", f"{target}:"):
                text = text.replace(mark, mark.replace(target, name))
        if text:
            say(text)

    return line
