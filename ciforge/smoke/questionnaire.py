"""What a suite's containers are asked: each service whether it is ready, each dependency once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from ciforge.doors import docker
from ciforge.doors.docker import Container
from ciforge.smoke.asking import Question
from ciforge.smoke.questions import Address, ask, ask_ready
from ciforge.smoke.recognise import QUESTIONS
from ciforge.smoke.stack import Prepared

# Seconds that a dependency may take to answer, once it counts as healthy; without a health
# check it may still be starting.
_PATIENCE_HEALTHY = 30
_PATIENCE_BLIND = 90


def is_healthy(container: Container) -> bool:
    return container.state == "running" and container.health == "healthy"


def all_questions(
    prepared: Prepared, containers: Sequence[Container], deadline: float
) -> list[Question]:
    found = _by_service(containers)
    ready = [
        Question(
            name=f"ready ({subject.ready})",
            subject=subject.name,
            ask=partial(ask_ready, _address(found.get(subject.name), subject.port), subject.ready),
            patience=math.inf,
            deadline=deadline,
        )
        for subject in prepared.subjects
        if subject.ready is not None
    ]
    return [*ready, *about_dependencies(prepared, containers, deadline)]


def about_dependencies(
    prepared: Prepared, containers: Sequence[Container], deadline: float
) -> list[Question]:
    found = _by_service(containers)
    questions = []
    for dependency in prepared.dependencies:
        container = found.get(dependency.service)
        healthy = container is not None and is_healthy(container)
        patience = _PATIENCE_HEALTHY if healthy else _PATIENCE_BLIND
        questions.append(
            Question(
                name=QUESTIONS[dependency.kind],
                subject=dependency.service,
                ask=partial(ask, dependency, _address(container, dependency.port)),
                # A model takes its time to load, with or without a health check.
                patience=math.inf if dependency.kind == "vllm" else patience,
                deadline=deadline,
            )
        )
    return questions


def _by_service(containers: Sequence[Container]) -> dict[str, Container]:
    return {container.service: container for container in containers}


def _address(container: Container | None, port: int) -> Address:
    # A service on the host's own network publishes nothing: it is there as it is.
    _, host = docker.published_at()
    return Address(host, container.ports.get(port, port) if container else port)
