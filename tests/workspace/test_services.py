from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciforge.config.model import Config
from ciforge.errors import InputError
from ciforge.workspace.detection import Detected
from ciforge.workspace.services import Service, image_name, resolve_services
from tests.builders import graph, project

GRAPH = graph(
    [
        project("api", "apps/api", "app", tags=["team:a"]),
        project("client", "apps/client", "app"),
        project("demo", "apps/demo", "app", tags=["demo"]),
        project("llm", "apps/llm", "app", tags=["gpu"]),
    ]
)
DETECTED = [
    Detected("api", "nestjs", "main.ts calls NestFactory.create", None, None, "build"),
    Detected("client", "spa", "vite builds a page", None, "apps/client/Dockerfile", "bundle"),
    Detected("demo", "nextjs", "next.config.js", None, None, "build"),
]


def resolve(**config: Any) -> dict[str, Service]:
    found = resolve_services(GRAPH, DETECTED, msgspec.convert(config, Config))
    assert [s.name for s in found] == sorted(s.name for s in found)
    return {s.name: s for s in found}


def test_without_a_configuration_what_is_detected_is_a_service() -> None:
    services = resolve()
    assert list(services) == ["api", "client", "demo"]
    assert services["api"].dockerfile == "Dockerfile"
    assert services["client"].dockerfile == "apps/client/Dockerfile"
    assert services["client"].build_target == "bundle"
    assert services["api"].recognised == "main.ts calls NestFactory.create"


def test_exclusion_by_pattern() -> None:
    assert list(resolve(detection={"exclude": ["tag:demo", "client"]})) == ["api"]
    assert list(resolve(detection={"enabled": False})) == []


def test_several_projects_in_one_image() -> None:
    services = resolve(services={"shop": {"projects": ["api", "client"]}})
    assert list(services) == ["demo", "shop"]
    assert services["shop"].projects == ("api", "client")
    assert services["shop"].recognised.endswith("named in ciforge.yaml")


def test_settings_of_a_service_win_over_defaults() -> None:
    services = resolve(
        image={
            "build_args": {"A": "1", "B": "1"},
            "dockerfile": "docker/Dockerfile",
            "inputs": ["x"],
        },
        services={"api": {"build_args": {"B": "2"}, "dockerfile": "d", "inputs": ["y"]}},
    )
    assert services["api"].build_args == {"A": "1", "B": "2"}
    assert services["api"].dockerfile == "d"
    assert services["api"].inputs == ("x", "y")
    assert services["demo"].dockerfile == "docker/Dockerfile"


def test_a_ready_image_and_the_gpu_tag() -> None:
    services = resolve(services={"llm": {"image": "vllm/vllm-openai:v1"}})
    assert services["llm"].gpu
    assert services["llm"].kind == "image"
    assert services["llm"].projects == ("llm",)
    assert resolve(services={"other": {"image": "x:1"}})["other"].projects == ()


@pytest.mark.parametrize(
    ("services", "message", "hint"),
    [
        (
            {"shop": {"projects": ["apy"]}},
            "services.shop.projects names 'apy', which is no project",
            "did you mean 'api'?",
        ),
        (
            {"clients": {}},
            "services.clients names neither an image nor projects, and no project is called so",
            "did you mean 'client'?",
        ),
    ],
)
def test_wrong_names(services: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(InputError) as error:
        resolve(services=services)
    assert (error.value.message, error.value.hint) == (message, hint)


def test_two_projects_that_would_share_an_image() -> None:
    twins = graph([project("@a/api", "a", "app"), project("a-api", "b", "app")])
    detected = [Detected(n, "nestjs", "", None, None, None) for n in ("@a/api", "a-api")]
    with pytest.raises(InputError, match="would both become the image 'a-api'"):
        resolve_services(twins, detected, Config())


@pytest.mark.parametrize(
    ("project_name", "image"),
    [("@acme/Web API", "acme-web-api"), ("auth-service", "auth-service"), ("..", "service")],
)
def test_image_names(project_name: str, image: str) -> None:
    assert image_name(project_name) == image


@given(st.text())
def test_every_image_name_is_one_that_a_registry_takes(name: str) -> None:
    import re

    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", image_name(name))
