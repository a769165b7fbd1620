"""A registry without login over a store in the cache folder: it holds the images made here.

The engine pulls from it by recipe, BuildKit under the names that Dockerfiles use.
"""

from __future__ import annotations

from tests.infra.base import CACHE, Place, here, lives, ports
from tests.infra.k8s_place import wait_until
from tests.infra.registry import answers, serve
from tests.infra.tools import debian_unpacked

NAME = "mirror"


def address(place: Place | None = None) -> str:
    return f"127.0.0.1:{ports(place or here())[NAME]}"


def start(place: Place | None = None) -> None:
    place = place or here()
    with place.lock(NAME):
        if not ready(place):
            program = debian_unpacked("docker-registry")
            # Two checkouts may have it open: blobs are renamed into place, under their digest.
            serve(place, NAME, program, CACHE / "images", {})
            wait_until(
                "the mirror",
                lambda: ready(place),
                seconds=30,
                alive=lambda: lives(place, NAME),
                log=place.log(NAME),
            )


def ready(place: Place | None = None) -> bool:
    return answers(ports(place or here())[NAME]) == 200


def stop(place: Place | None = None) -> None:
    place = place or here()
    with place.lock(NAME):
        place.stop([NAME])
