"""What a builder is told of an image; for Docker all images of a plan as one build graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ciforge.plan.model import ServicePlan
from ciforge.text import json_bytes

# Files get this time, in seconds since 1970: equal inputs then are equal layers.
EPOCH = "0"
_COMMON = "rewrite-timestamp=true,oci-mediatypes=true"


@dataclass(frozen=True)
class Target:
    """One image to build: `context` is a folder of its own, `base_images` pins references."""

    service: ServicePlan
    context: Path
    base_images: Mapping[str, str] = field(default_factory=dict)


def target_name(position: int) -> str:
    """A service's name may hold what a target's may not (a dot), so targets are numbered."""
    return f"image-{position}"


def local_name(service: ServicePlan) -> str:
    """Under what an image lies in the engine until it has been started once."""
    return f"{service.image}:unchecked-{service.tag}"


def arguments(service: ServicePlan) -> dict[str, str]:
    """Its build arguments."""
    return {"SOURCE_DATE_EPOCH": EPOCH, **service.build_args}


def contexts(target: Target) -> dict[str, str]:
    """What is taken for a base image: the pinned digest of each reference."""
    return {
        name: f"docker-image://{name.partition('@')[0]}@{digest}"
        for name, digest in sorted(target.base_images.items())
    }


def bake_file(targets: Iterable[Target], *, push: bool) -> bytes:
    """The definition for `docker buildx bake`, as JSON.

    With `push` an image goes to its repository by digest alone: it gets a tag only after all
    have been started. Otherwise it goes to the engine, under `local_name`.
    """
    definition = {
        target_name(i): {
            "context": str(target.context),
            "dockerfile": target.service.dockerfile,
            "args": arguments(target.service),
            "platforms": target.service.platforms,
            "contexts": contexts(target),
            "output": [output(target.service, push=push)],
        }
        for i, target in enumerate(targets)
    }
    return json_bytes({"group": {"default": {"targets": list(definition)}}, "target": definition})


def output(service: ServicePlan, *, push: bool) -> str:
    """Where BuildKit puts it, as its --output has it."""
    if push:
        how = "push=true,push-by-digest=true,name-canonical=true"
        return f"type=image,name={service.image},{how},{_COMMON}"
    return f"type=docker,name={local_name(service)},{_COMMON}"
