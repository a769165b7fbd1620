"""Images that are there already, and the tags that they get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from ciforge.doors.engine import Engine
from ciforge.doors.registry import Registry
from ciforge.images.order import Order, Say
from ciforge.plan.model import ServicePlan
from ciforge.results.model import BuiltImage


def held(
    services: Sequence[ServicePlan], registry: Registry | None, order: Order
) -> dict[str, BuiltImage]:
    """By service, the image of the same inputs that registry (or engine) holds.

    Asked now and not when planned: another pipeline may have built meanwhile.
    """
    if registry is None:
        with Engine() as engine:
            ids = {s.name: engine.image_id(f"{s.image}:{s.tag}") for s in services}
        reason = "the engine holds an image of the same inputs"
        return {s.name: _reused(s, None, i, reason) for s in services if (i := ids[s.name])}
    places = {s.name: (order.repository(s), s.tag or "") for s in services}
    digests = registry.digests(places.values())
    found = [(s, digest) for s in services if (digest := digests[places[s.name]])]
    reason = "the registry holds an image of the same inputs"
    with ThreadPoolExecutor(8) as pool:
        sizes = list(pool.map(lambda f: registry.size(order.repository(f[0]), f[1]), found))
    return {
        s.name: _reused(s, digest, None, reason, size)
        for (s, digest), size in zip(found, sizes, strict=True)
    }


def set_tags(
    order: Order,
    services: Sequence[ServicePlan],
    images: Mapping[str, BuiltImage],
    registry: Registry,
    say: Say,
) -> None:
    """After everything was pushed and started: all move, or none of a failed run."""
    for service in services:
        image = images[service.name]
        wanted = order.tags_of(service)
        tags = [t for t in wanted if image.action == "built" or t != service.tag]
        if tags and image.digest:
            registry.tag(order.repository(service), image.digest, tags)
    if order.tags and order.only is None:
        say(f"tagged {', '.join(order.tags)}: {len(services)} images")


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
