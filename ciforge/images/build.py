"""Builds what the registry does not hold: one bake, each image started once, tags last.

The order makes every way of dying harmless. Until the last image has been started nothing has
a tag, and an image without its tag is built again by the next run, out of BuildKit's cache.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ciforge import __version__
from ciforge.doors import buildx
from ciforge.doors.docker_login import docker_login
from ciforge.doors.engine import Engine, StartError
from ciforge.doors.files import workplace
from ciforge.doors.registry import Login, Registry
from ciforge.errors import InputError, OutsideError
from ciforge.images.bake import Target, bake_file, local_name, target_name
from ciforge.plan.model import Plan, ServicePlan
from ciforge.results.model import BuiltImage, Images

# Fills a folder with a service's inputs and tells its pinned base images.
WriteContext = Callable[[ServicePlan, Path], Mapping[str, str]]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Order:
    """What to build, and how it may be had.

    `plan_sha256` names the bytes of plan.json. `tags` are set on every image beside the tag of
    its inputs. Without `push` images stay in the engine.
    """

    plan: Plan
    plan_sha256: str
    push: bool
    tags: Sequence[str]
    login: Login | None
    env: Mapping[str, str]


def build(order: Order, write_context: WriteContext, say: Say) -> Images:
    """Builds and pushes; what images.json says of it.

    Raises BuildError when a build fails or an image does not start, OutsideError when the
    registry, the engine or the builder can't be had.
    """
    ours = [s for s in order.plan.services if s.kind != "image"]
    registry = _registry(order)
    held = _held(ours, registry, order)
    images = {name: image for name, image in held.items() if image is not None}
    missing = [s for s in ours if s.name not in images]
    for name in sorted(images):
        say(f"{name}: reused, {images[name].reason}")
    if missing:
        images.update(_build(order, missing, registry, write_context, say))
    if registry is not None:
        _set_tags(order, ours, images, registry, say)
    return Images(
        ciforge=__version__,
        plan=order.plan_sha256,
        commit=order.plan.head.commit,
        pushed=order.push,
        images=[_with_tags(order, s, images[s.name]) for s in ours],
    )


def _registry(order: Order) -> Registry | None:
    host = order.plan.registry.host
    if host is None:
        if order.push:
            raise InputError(
                "there is no registry to push to",
                hint="name it in ciforge.yaml (registry.host), or set CI_REGISTRY; then plan anew",
            )
        return None
    if not order.push:
        return None
    return Registry(host, insecure=order.plan.registry.insecure, login=order.login)


def _held(
    services: Sequence[ServicePlan], registry: Registry | None, order: Order
) -> dict[str, BuiltImage | None]:
    """The image of each service that is there already, asked now and not when planned."""
    if registry is None:
        engine = Engine()
        ids = {s.name: engine.image_id(f"{s.image}:{s.tag}") for s in services}
        return {
            s.name: _reused(s, None, ids[s.name], "the engine holds an image of the same inputs")
            if ids[s.name]
            else None
            for s in services
        }
    places = {s.name: (_repository(s, order), s.tag or "") for s in services}
    digests = registry.digests(places.values())
    reason = "the registry holds an image of the same inputs"
    with ThreadPoolExecutor(8) as pool:
        found = [s for s in services if digests[places[s.name]]]
        sizes = dict(
            zip(
                [s.name for s in found],
                pool.map(
                    lambda s: registry.size(places[s.name][0], digests[places[s.name]] or ""), found
                ),
                strict=True,
            )
        )
    return {
        s.name: _reused(s, digests[places[s.name]], None, reason, sizes[s.name])
        if s.name in sizes
        else None
        for s in services
    }


def _reused(
    service: ServicePlan,
    digest: str | None,
    image_id: str | None,
    reason: str,
    size: int | None = None,
) -> BuiltImage:
    return BuiltImage(
        service=service.name,
        action="reused",
        reason=reason,
        input_digest=service.digest,
        image=service.image,
        digest=digest,
        image_id=image_id,
        size=size,
    )


def _build(
    order: Order,
    services: Sequence[ServicePlan],
    registry: Registry | None,
    write_context: WriteContext,
    say: Say,
) -> dict[str, BuiltImage]:
    started = time.monotonic()
    engine = Engine()
    engine.remove_remains()
    host = order.plan.registry.host
    with workplace("build") as folder, docker_login(host, order.login, order.env) as env:
        if order.push and buildx.driver(env) == "docker":
            raise OutsideError(
                "the current builder (driver docker) can't push an image without a tag",
                hint="docker buildx create --name ciforge --driver docker-container --use",
            )
        targets = []
        for i, service in enumerate(services):
            context = folder / target_name(i)
            context.mkdir()
            targets.append(Target(service, context, write_context(service, context)))
        definition = folder / "bake.json"
        definition.write_bytes(bake_file(targets, push=order.push))
        names = ", ".join(s.name for s in services)
        say(f"building {len(services)}: {names}")
        by_target = {target_name(i): s.name for i, s in enumerate(services)}
        digests = buildx.bake(
            definition, folder / "metadata.json", folder, _named(by_target, say), env, by_target
        )
    with ThreadPoolExecutor(4) as pool:
        tried = [
            pool.submit(
                _try, order, engine, registry, service, digests.get(target_name(i), ""), say
            )
            for i, service in enumerate(services)
        ]
    broken = {
        service.name: error
        for service, attempt in zip(services, tried, strict=True)
        if isinstance(error := attempt.exception(), StartError)
    }
    if broken:
        raise buildx.BuildError(
            f"built, but does not start: {next(iter(broken.values())).reason}",
            where=", ".join(broken),
            hint="no tag was moved; the last lines of each stand above (variables that it needs to "
            "start: services.NAME.start_env in ciforge.yaml)",
        )
    images = [attempt.result() for attempt in tried]
    seconds = round(time.monotonic() - started, 1)
    return {i.service: msgspec.structs.replace(i, seconds=seconds) for i in images}


def _try(
    order: Order,
    engine: Engine,
    registry: Registry | None,
    service: ServicePlan,
    digest: str,
    say: Say,
) -> BuiltImage:
    """Starts a new image once; what images.json says of it."""
    image_id, size = None, None
    if registry is None:
        _start(engine, service, local_name(service), say)
        image_id = engine.rename(local_name(service), f"{service.image}:{service.tag}")
    else:
        engine.pull(f"{service.image}@{digest}", order.login)
        _start(engine, service, f"{service.image}@{digest}", say)
        size = registry.size(_repository(service, order), digest)
    return BuiltImage(
        service=service.name,
        action="built",
        reason=service.reason,
        input_digest=service.digest,
        image=service.image,
        digest=digest if registry is not None else None,
        image_id=image_id,
        size=size,
    )


def _start(engine: Engine, service: ServicePlan, reference: str, say: Say) -> None:
    """A green build can still be a broken image: a module that was not traced, a wrong user."""
    native = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
    if not any(native.get(p) == os.uname().machine for p in service.platforms):
        say(f"{service.name}: not started, it is for {', '.join(service.platforms)}")
        return
    if service.gpu:
        say(f"{service.name}: not started here, it needs a GPU")
        return
    try:
        engine.start_once(reference, service.start_env)
    except StartError as error:
        for line in error.lines:
            say(f"{service.name} | {line}")
        say(f"{service.name}: does not start, {error.reason}")
        raise
    say(f"{service.name}: starts")


def _set_tags(
    order: Order,
    services: Sequence[ServicePlan],
    images: Mapping[str, BuiltImage],
    registry: Registry,
    say: Say,
) -> None:
    """After everything was pushed and started: all move, or none of a failed run."""
    for service in services:
        image = images[service.name]
        tags = [t for t in _tags(order, service) if image.action == "built" or t != service.tag]
        if tags and image.digest:
            registry.tag(_repository(service, order), image.digest, tags)
    if order.tags:
        say(f"tagged {', '.join(order.tags)}: {len(services)} images")


def _tags(order: Order, service: ServicePlan) -> list[str]:
    return [t for t in (service.tag, *order.tags) if t]


def _with_tags(order: Order, service: ServicePlan, image: BuiltImage) -> BuiltImage:
    tags = _tags(order, service) if order.push else [t for t in (service.tag,) if t]
    return msgspec.structs.replace(image, tags=tags)


def _repository(service: ServicePlan, order: Order) -> str:
    return service.image.removeprefix(f"{order.plan.registry.host}/")


def _named(by_target: Mapping[str, str], say: Say) -> Say:
    """BuildKit's lines with service names in place of target numbers."""

    def line(text: str) -> None:
        for target, name in by_target.items():
            for mark in (f"[{target}]", f"[{target} ", f"{target}:"):
                text = text.replace(mark, mark.replace(target, name))
        if text:
            say(text)

    return line
