"""The configuration as types; the JSON Schema and every check are derived from them.

Each default is what a stock Nx workspace needs, so an absent file and an empty one mean the
same. Descriptions end up in the JSON Schema, where an editor shows them.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from ciforge.config.delivery import Environment, Helm, Pipeline, Runners
from ciforge.config.words import Name, Platform, RelativePath, Section


class Registry(Section, frozen=True):
    host: Annotated[
        str | None,
        Meta(
            description="host[:port] of the container registry; default: CI_REGISTRY, else "
            "images are named by their service alone and no registry is asked"
        ),
    ] = None
    prefix: Annotated[
        str | None,
        Meta(
            description="path between host and service, e.g. all-erp; default: the path in "
            "CI_REGISTRY_IMAGE"
        ),
    ] = None
    insecure: Annotated[
        bool, Meta(description="speak plain HTTP to it (loopback hosts always do)")
    ] = False


class Image(Section, frozen=True):
    """Defaults of every image; a service's own keys win."""

    dockerfile: Annotated[
        RelativePath, Meta(description="used when a project has no Dockerfile of its own")
    ] = "Dockerfile"
    build_args: Annotated[
        dict[str, str],
        Meta(description="build arguments of every image; never secrets: they stay readable in it"),
    ] = {}
    base_images: Annotated[
        dict[str, str],
        Meta(
            description="digests of base images, {node:22-alpine: sha256:…}: a new one rebuilds "
            "what starts from it, and `ciforge build` takes exactly that one"
        ),
    ] = {}
    platforms: Annotated[tuple[Platform, ...], Meta(min_length=1)] = ("linux/amd64",)
    inputs: Annotated[
        tuple[str, ...],
        Meta(
            description="further files that every build reads, as Nx filesets "
            "({workspaceRoot}/prisma/**/*) or plain paths"
        ),
    ] = ()
    root_dev_dependencies: Annotated[
        tuple[str, ...] | None,
        Meta(
            description="root devDependencies that builds use; the others then leave the digest. "
            "Default: all of them count"
        ),
    ] = None
    build_target: Annotated[str, Meta(description="the Nx target that an image's build runs")] = (
        "build"
    )
    salt: Annotated[str, Meta(description="change it to rebuild every image once")] = ""


class Service(Section, frozen=True):
    """One image. The key is its name: repository, Helm values and smoke suites use it."""

    projects: (
        Annotated[
            tuple[str, ...],
            Meta(
                min_length=1,
                description="Nx projects whose output goes into the image; default: the project "
                "of the same name",
            ),
        ]
        | None
    ) = None
    image: Annotated[
        str | None,
        Meta(
            description="a ready image by somebody else (vllm/vllm-openai:v0.11.0): deployed, "
            "never built"
        ),
    ] = None
    dockerfile: Annotated[
        RelativePath | None,
        Meta(description="in place of the project's own Dockerfile or image.dockerfile"),
    ] = None
    build_args: dict[str, str] = {}
    platforms: Annotated[tuple[Platform, ...], Meta(min_length=1)] | None = None
    inputs: Annotated[
        tuple[str, ...], Meta(description="further files that this image's build reads")
    ] = ()
    build_target: str | None = None
    gpu: Annotated[bool, Meta(description="its smoke suite and deploy need a GPU")] = False
    deploy: Annotated[bool, Meta(description="false: built and tested, never deployed")] = True
    port: (
        Annotated[
            int,
            Meta(ge=1, le=65_535, description="where it listens inside its container; or 3000"),
        ]
        | None
    ) = None
    ready: (
        Annotated[
            str,
            Meta(
                pattern=r"^/[!-~]*(?!\n)$",
                description="path that answers 200 once it can serve; default: /health/ready, "
                "for Next.js /api/health/ready",
            ),
        ]
        | None
    ) = None
    start_env: Annotated[
        dict[str, str],
        Meta(
            description="variables with which a new image is started once before it gets its tag; "
            "there is no network then, so any well-formed address will do; never secrets"
        ),
    ] = {}
    salt: str = ""


class Detection(Section, frozen=True):
    enabled: Annotated[
        bool, Meta(description="false: only what 'services' lists becomes an image")
    ] = True
    exclude: Annotated[
        tuple[str, ...],
        Meta(description="Nx project patterns (names, globs, directories, tag:x) of no services"),
    ] = ()


class Suite(Section, frozen=True):
    """A smoke suite: compose files brought up around the images under test."""

    services: Annotated[
        tuple[str, ...],
        Meta(min_length=1, description="services under test, by name or glob"),
    ] = ("*",)
    compose: Annotated[tuple[RelativePath, ...], Meta(min_length=1)] = ("docker-compose.yml",)
    timeout: Annotated[
        int, Meta(ge=1, le=86_400, description="seconds until it counts as failed")
    ] = 600
    gpu: Annotated[bool, Meta(description="runs on the GPU runner")] = False


class Config(Section, frozen=True):
    version: Annotated[int, Meta(ge=1, le=1, description="of this file's format")] = 1
    workspace: Annotated[
        str,
        Meta(description="the Nx workspace, relative to this file; default: found by its nx.json"),
    ] = "."
    default_branch: Annotated[
        str | None,
        Meta(description="default: CI_DEFAULT_BRANCH, else nx.json's defaultBase, else main"),
    ] = None
    registry: Registry = Registry()
    detection: Detection = Detection()
    image: Image = Image()
    services: dict[Name, Service] = {}
    smoke: Annotated[
        dict[Name, Suite],
        Meta(
            description="smoke suites by name; default: one of all services without a GPU, one of "
            "those with"
        ),
    ] = {}
    runners: Runners = Runners()
    pipeline: Pipeline = Pipeline()
    helm: Helm = Helm()
    environments: Annotated[
        dict[Name, Environment],
        Meta(
            description="deploy targets, in the order of promotion; default: staging (auto), "
            "production (manual)"
        ),
    ] = {}
