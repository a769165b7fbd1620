"""Builds what the registry does not hold: each image started once, tags last.

The order makes every way of dying harmless. Until the last image has been started nothing has
a tag, and an image without its tag is built again by the next run, out of BuildKit's cache.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import msgspec

from ciforge import __version__
from ciforge.doors.builder import BuildError
from ciforge.doors.engine import Engine, StartError
from ciforge.doors.files import workplace
from ciforge.doors.registry import Registry
from ciforge.images.bake import Target, local_name, target_name
from ciforge.images.builders import build_all, has_engine
from ciforge.images.held import held, set_tags
from ciforge.images.order import Order, Say, WriteContext
from ciforge.plan.model import ServicePlan
from ciforge.results.model import BuiltImage, Images


def build(order: Order, write_context: WriteContext, say: Say) -> Images:
    """Builds and pushes; what images.json says of it. A part (`order.only`) sets no tag.

    Raises BuildError when a build fails or an image does not start, OutsideError when the
    registry, the engine or the builder can't be had.
    """
    services = order.services
    starts = has_engine(order)
    registry = order.registry()
    images = held(services, registry, order)
    missing = [s for s in services if s.name not in images]
    for name in sorted(images):
        say(f"{name}: reused, {images[name].reason}")
    if missing:
        with Engine() if starts else nullcontext() as engine:
            images.update(_build(order, missing, registry, engine, write_context, say))
    if registry is not None:
        set_tags(order, services, images, registry, say)
    return Images(
        ciforge=__version__,
        plan=order.plan_sha256,
        commit=order.plan.head.commit,
        pushed=order.push,
        images=[msgspec.structs.replace(images[s.name], tags=order.tags_of(s)) for s in services],
    )


def _build(
    order: Order,
    services: Sequence[ServicePlan],
    registry: Registry | None,
    engine: Engine | None,
    write_context: WriteContext,
    say: Say,
) -> dict[str, BuiltImage]:
    started = time.monotonic()
    if engine is not None:
        engine.remove_remains()
    with workplace("build") as folder:
        targets = []
        for i, service in enumerate(services):
            context = folder / target_name(i)
            context.mkdir()
            targets.append(Target(service, context, write_context(service, context)))
        say(f"building {len(services)}: {', '.join(s.name for s in services)}")
        digests = build_all(order, targets, folder, say)
    with ThreadPoolExecutor(4) as pool:
        tried = [
            pool.submit(_try, order, engine, registry, service, digests[service.name], say)
            for service in services
        ]
    broken = {
        service.name: error
        for service, attempt in zip(services, tried, strict=True)
        if isinstance(error := attempt.exception(), StartError)
    }
    if broken:
        raise BuildError(
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
    engine: Engine | None,
    registry: Registry | None,
    service: ServicePlan,
    digest: str,
    say: Say,
) -> BuiltImage:
    """Starts a new image once, where there is an engine; what images.json says of it."""
    image_id, size, started = None, None, False
    if engine is None:
        say(f"{service.name}: not started, there is no engine here: its smoke suite will")
    elif registry is None:
        started = _start(engine, service, local_name(service), say)
        image_id = engine.rename(local_name(service), f"{service.image}:{service.tag}")
    else:
        engine.pull(f"{service.image}@{digest}", order.login)
        started = _start(engine, service, f"{service.image}@{digest}", say)
    if registry is not None:
        size = registry.size(order.repository(service), digest)
    return BuiltImage(
        service=service.name,
        action="built",
        reason=service.reason,
        input_digest=service.digest,
        image=service.image,
        digest=digest if registry is not None else None,
        image_id=image_id,
        size=size,
        started=started,
    )


def _start(engine: Engine, service: ServicePlan, reference: str, say: Say) -> bool:
    """A green build can still be a broken image: a module that was not traced, a wrong user.

    Whether it could be tried. Raises StartError.
    """
    native = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
    if not any(native.get(p) == os.uname().machine for p in service.platforms):
        say(f"{service.name}: not started, it is for {', '.join(service.platforms)}")
        return False
    if service.gpu:
        say(f"{service.name}: not started here, it needs a GPU")
        return False
    try:
        engine.start_once(reference, service.start_env)
    except StartError as error:
        for line in error.lines:
            say(f"{service.name} | {line}")
        say(f"{service.name}: does not start, {error.reason}")
        raise
    say(f"{service.name}: starts")
    return True
