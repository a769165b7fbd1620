"""Which suites run, and which exact images they start. Pure; every doubt is an error by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ciforge.errors import InputError
from ciforge.plan.model import Plan, ServicePlan, SmokePlan
from ciforge.results.model import BuiltImage, Images, TestedImage

_REBUILD = "make it anew from this plan: ciforge build --plan plan.json --push -o images.json"
_DEFAULT_PROBE = (3000, "/health/ready")


@dataclass(frozen=True)
class Subject:
    """A service under test. `reference`: what is started; None: what the compose file says.

    `ready`: the path to ask on `port`, None for somebody else's image that names none.
    """

    name: str
    reference: str | None
    digest: str | None
    port: int
    ready: str | None

    def tested(self, reference: str) -> TestedImage:
        return TestedImage(service=self.name, reference=reference, digest=self.digest)


def chosen_suites(plan: Plan, named: Sequence[str]) -> list[SmokePlan]:
    """The suites that the plan runs; when some are named, those, whatever the plan says.

    Raises InputError for a name that no suite has, and for a named suite without services.
    """
    if not named:
        return [suite for suite in plan.smoke if suite.run]
    by_name = {suite.suite: suite for suite in plan.smoke}
    for name in named:
        if name not in by_name:
            raise InputError(f"the plan has no smoke suite {name!r}", hint=_nearest(name, by_name))
        if not by_name[name].services:
            raise InputError(
                f"the smoke suite {name!r} has no services: {by_name[name].reason}",
                hint="name them in ciforge.yaml: smoke, its services",
            )
    return [suite for suite in plan.smoke if suite.suite in named]


def check_origin(images: Images, plan_sha256: str, name: str) -> None:
    """Raises InputError when images.json (`name`) was made for other bytes than this plan's."""
    if images.plan != plan_sha256:
        raise InputError("was made for another plan", where=name, hint=_REBUILD)


def subjects(suite: SmokePlan, plan: Plan, images: Images | None, name: str) -> list[Subject]:
    """The services under test of one suite with their exact images.

    Raises InputError for a service that the plan or images.json (`name`) doesn't have, and for
    an image that was built from other inputs than the plan's.
    """
    planned = {service.name: service for service in plan.services}
    built = {image.service: image for image in images.images} if images else {}
    found = []
    for service in suite.services:
        if service not in planned:
            raise InputError(
                f"the smoke suite {suite.suite!r} tests {service!r}, which the plan doesn't have",
                hint="make the plan anew: ciforge plan --format json -o plan.json",
            )
        found.append(_subject(planned[service], built.get(service), name))
    return found


def exact_images(
    owners: Mapping[str, str], plan: Plan, images: Images | None, name: str
) -> dict[str, str]:
    """The exact image of each compose service that runs one of ours, tested or needed by those.

    `owners`: compose service to service of ours. With an unknown image the test would be one of
    something else. Raises InputError as `subjects` does.
    """
    planned = {service.name: service for service in plan.services}
    built = {image.service: image for image in images.images} if images else {}
    found = {
        started: _subject(planned[owner], built.get(owner), name).reference
        for started, owner in owners.items()
    }
    return {started: reference for started, reference in found.items() if reference}


def _subject(planned: ServicePlan, image: BuiltImage | None, name: str) -> Subject:
    if planned.kind == "image":
        probed = (planned.port, planned.ready) != _DEFAULT_PROBE
        return Subject(
            name=planned.name,
            reference=f"{_untagged(planned.image)}@{planned.image_digest}"
            if planned.image_digest
            else None,
            digest=planned.image_digest,
            port=planned.port,
            ready=planned.ready if probed else None,
        )
    if image is None:
        raise InputError(f"has no image of {planned.name!r}", where=name, hint=_REBUILD)
    if image.input_digest != planned.digest:
        raise InputError(
            f"the image of {planned.name!r} was built from other inputs "
            f"({image.input_digest[:19]}) than the plan's ({planned.digest[:19]})",
            where=name,
            hint=_REBUILD,
        )
    if image.digest is None and image.image_id is None:
        raise InputError(
            f"the image of {planned.name!r} has neither a digest nor an engine's id",
            where=name,
            hint=_REBUILD,
        )
    return Subject(planned.name, image.reference, image.digest, planned.port, planned.ready)


def _untagged(image: str) -> str:
    path, colon, tag = image.rpartition(":")
    return path if colon and "/" not in tag else image


def _nearest(name: str, known: dict[str, SmokePlan]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    return f"{guess}it has: {', '.join(sorted(known)) or 'none'}"
