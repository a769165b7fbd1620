"""What a job gets from the runner that it asks for."""

from __future__ import annotations

from collections.abc import Sequence

from ciforge.pipeline.names import Job

_DIND = "docker:29-dind"


def tags(wanted: Sequence[str]) -> Job:
    """Nothing when none are wanted: the job then has those of `default:`."""
    return {"tags": list(wanted)} if wanted else {}


def docker_in_docker(*, builds: bool) -> tuple[Job, list[str]]:
    """Keywords of a job with an engine of its own, and the lines with which its script begins.

    The variables are what GitLab's documentation asks of the Docker and the Kubernetes executor
    (docs.gitlab.com/ci/docker/using_docker_build/). With `builds` a builder is made: Docker's own
    can't push an image without a tag, and buildx takes certificates from a context alone.
    """
    keywords = {
        "services": [{"name": _DIND, "alias": "docker"}],
        "variables": {
            "DOCKER_HOST": "tcp://docker:2376",
            "DOCKER_TLS_CERTDIR": "/certs",
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": "/certs/client",
        },
    }
    lines = ["timeout 60 sh -c 'until docker info >/dev/null 2>&1; do sleep 1; done'"]
    if builds:
        lines += [
            "docker context create ciforge",
            "docker buildx create --name ciforge --driver docker-container --use ciforge",
        ]
    return keywords, lines
