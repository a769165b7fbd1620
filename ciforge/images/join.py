"""Joins what several build jobs left, and only then sets tags. Needs the registry alone."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ciforge import __version__
from ciforge.doors.registry import Registry
from ciforge.errors import InputError
from ciforge.images.held import held, set_tags
from ciforge.images.order import Order, Say
from ciforge.plan.model import ServicePlan
from ciforge.results.model import BuiltImage, Images

_PIPELINE = "take all files from one pipeline, as it wrote them"


def join(order: Order, parts: Mapping[str, Images], say: Say) -> Images:
    """images.json of the whole plan; `parts` by file name.

    What no part built must be in the registry already. Parts of another plan, which a runner's
    folder may hold from an earlier pipeline, are left out. Tags are set when every image is there,
    without moving a layer. Raises InputError for parts that don't fit the plan or each other,
    and for an image that is nowhere.
    """
    services = {s.name: s for s in order.services}
    built: dict[str, BuiltImage] = {}
    for name, part in parts.items():
        if part.plan != order.plan_sha256:
            say(f"{name}: left out, it was made for another plan")
            continue
        for image in part.images:
            _check(name, image, services.get(image.service), built)
            built[image.service] = image
    registry = order.registry()
    if registry is None:
        raise InputError("parts are joined in a registry", hint="add --push")
    rest = [s for s in services.values() if s.name not in built]
    images = {**built, **held(rest, registry, order)}
    _all_there(order, services, images, registry)
    for service in rest:
        say(f"{service.name}: reused, {images[service.name].reason}")
    set_tags(order, list(services.values()), images, registry, say)
    return Images(
        ciforge=__version__,
        plan=order.plan_sha256,
        commit=order.plan.head.commit,
        pushed=True,
        images=[
            msgspec.structs.replace(images[name], tags=order.tags_of(service))
            for name, service in services.items()
        ],
    )


def _check(
    file: str, image: BuiltImage, service: ServicePlan | None, seen: Mapping[str, BuiltImage]
) -> None:
    wrong = None
    if service is None:
        wrong = "is no service of the plan"
    elif image.service in seen:
        wrong = "stands in another part too"
    elif (image.input_digest, image.image) != (service.digest, service.image):
        wrong = "is not what was planned"
    elif image.digest is None:
        wrong = "was not pushed"
    if wrong:
        raise InputError(f"{image.service} {wrong}", where=file, hint=_PIPELINE)


def _all_there(
    order: Order,
    services: Mapping[str, ServicePlan],
    images: Mapping[str, BuiltImage],
    registry: Registry,
) -> None:
    """Before the first tag moves."""
    absent = list(services.keys() - images.keys())
    places = {
        name: (order.repository(services[name]), image.digest or "")
        for name, image in images.items()
        if image.action == "built"
    }
    digests = registry.digests(places.values())
    absent += [name for name, place in places.items() if digests[place] != place[1]]
    if absent:
        raise InputError(
            "no part built it, and the registry has no image of its inputs",
            where=", ".join(sorted(absent)),
            hint="no tag was moved; run its build job again, then this one",
        )
