"""The configuration as types; the JSON Schema and every check are derived from them.

Each default is what a stock Nx workspace needs, so an absent file and an empty one mean the
same. Descriptions end up in the JSON Schema, where an editor shows them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

# `(?!\n)$`: Python's `$` also matches before a last line break, a JSON Schema's doesn't.
Name = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?!\n)$",
        max_length=128,
        description="lower case letters and digits, joined by single '.', '_' or '-' "
        "(what a registry takes as a repository name)",
    ),
]
RelativePath = Annotated[
    str,
    Meta(
        min_length=1,
        pattern=r"^(?!/)(?!(?:[^/]*/)*\.\.(?:/|$))[^\x00-\x1f\x7f]+(?!\n)$",
        description="a path relative to the Nx workspace, without '..'",
    ),
]
Platform = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9]+)?(?!\n)$",
        description="a platform as Docker names it: linux/amd64, linux/arm64",
    ),
]


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """What every section shares: frozen, and an unknown key is an error."""


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


Tags = Annotated[tuple[str, ...], Meta(max_length=49, description="GitLab runner tags")]
Engine = Annotated[
    Literal["host", "docker-in-docker"],
    Meta(
        description="where its jobs find a Docker engine: on the runner's own machine, or as a "
        "service of the job (privileged runners)"
    ),
]


class Runner(Section, frozen=True):
    tags: Tags = ()


class BuildRunner(Section, frozen=True):
    """Where images are built, and with what."""

    tags: Annotated[Tags, Meta(description="default: those of runners.default")] = ()
    builder: Annotated[
        Literal["docker", "buildkit", "buildah"],
        Meta(
            description="docker: buildx and an engine; buildkit: buildctl, rootless and without "
            "an engine; buildah: the same with Buildah"
        ),
    ] = "docker"
    engine: Engine = "host"
    image: Annotated[
        str | None,
        Meta(description="image of these jobs: ciforge and the builder; default: pipeline.image"),
    ] = None


class SmokeRunner(Section, frozen=True):
    """Where smoke suites run: always with a Docker engine."""

    tags: Annotated[Tags, Meta(description="default: those of runners.default")] = ()
    engine: Engine = "host"


class GpuRunner(Section, frozen=True):
    """Where what needs a GPU runs."""

    tags: Annotated[
        Tags,
        Meta(description="none: there is no such runner, and its suites are 'not run' elsewhere"),
    ] = ("gpu",)
    engine: Engine = "host"
    resource_group: (
        Annotated[
            str,
            Meta(
                # What GitLab takes as a key.
                pattern=r"^[A-Za-z0-9_/.${}-]+( [A-Za-z0-9_/.${}-]+)*(?!\n)$",
                max_length=255,
                description="its jobs run one at a time in all pipelines, where GPUs are scarce",
            ),
        ]
        | None
    ) = None
    missing: Annotated[
        Literal["fail", "manual"],
        Meta(
            description="fail: a job that no runner takes fails, and so do deploys; manual: it "
            "waits for a click, and what needs it with it"
        ),
    ] = "fail"


class Runners(Section, frozen=True):
    default: Runner = Runner()
    build: BuildRunner = BuildRunner()
    smoke: SmokeRunner = SmokeRunner()
    gpu: GpuRunner = GpuRunner()
    deploy: Runner = Runner()


class Helm(Section, frozen=True):
    """The chart that every environment gets."""

    chart: Annotated[
        RelativePath | None,
        Meta(description="folder of the chart; default: deploy/helm/<release>"),
    ] = None
    release: Annotated[
        Name | None,
        Meta(description="name of the release; default: the last part of registry.prefix"),
    ] = None
    timeout: Annotated[
        int, Meta(ge=1, le=86_400, description="seconds until a deploy counts as failed")
    ] = 600
    max_restarts: Annotated[
        int,
        Meta(
            ge=0,
            le=1000,
            description="a new container that crashes again after so many restarts ends the "
            "deploy at once; 0: wait for the timeout",
        ),
    ] = 3


Tier = Annotated[
    Literal["production", "staging", "testing", "development", "other"],
    Meta(description="GitLab's deployment_tier; default: as GitLab reads the name"),
]
Url = Annotated[
    str,
    Meta(
        pattern=r"^https?://[!-~]+(?!\n)$",
        max_length=255,
        description="shown by GitLab; may hold $CI_ENVIRONMENT_SLUG",
    ),
]
Duration = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{1,4} (hour|day|week|month)s?(?!\n)$",
        description="a review is stopped after that time, such as 2 days",
    ),
]


class Environment(Section, frozen=True):
    when: Annotated[
        Literal["auto", "manual"],
        Meta(description="auto: after a green smoke; manual: on a click"),
    ] = "manual"
    on: Annotated[
        tuple[Literal["default-branch", "tag"], ...],
        Meta(min_length=1, description="pipelines that deploy there; a review has its own"),
    ] = ("default-branch", "tag")
    review: Annotated[
        bool, Meta(description="one for each merge request, in a release of its own")
    ] = False
    tier: Tier | None = None
    url: Url | None = None
    stop: Annotated[
        bool, Meta(description="with a job that uninstalls the release; a review always has it")
    ] = False
    auto_stop_in: Duration = "1 week"
    values: Annotated[
        tuple[RelativePath, ...], Meta(description="Helm values files, later ones win")
    ] = ()
    namespace: str | None = None
    may_be_missing: Annotated[
        tuple[Name, ...],
        Meta(
            description="smoke suites without which it may be deployed to when they could not run "
            "(no GPU there); a red suite always stops it"
        ),
    ] = ()


Job = dict[str, Any]
JobName = Annotated[
    str,
    Meta(
        pattern=r"^(?!\.)[A-Za-z0-9._/@+-]+( [A-Za-z0-9._/@+-]+)*(?!\n)$",
        max_length=200,
        description="letters, digits and '._/@+-', single blanks between, no '.' first",
    ),
]


class Pipeline(Section, frozen=True):
    """The generated child pipeline."""

    image: Annotated[
        str | None,
        Meta(
            description="image that its jobs run in: ciforge, docker with buildx and compose, helm "
            "and kubectl; default: that of the planning job"
        ),
    ] = None
    build: Annotated[
        Literal["auto", "grouped", "per-image"],
        Meta(
            description="grouped: one job builds all; per-image: one job each; auto: as many jobs "
            "as images_per_job asks for"
        ),
    ] = "auto"
    images_per_job: Annotated[int, Meta(ge=1, le=1000, description="of `build: auto`")] = 10
    max_jobs: Annotated[
        int,
        Meta(ge=10, le=5000, description="what GitLab allows in one pipeline (500 on Free)"),
    ] = 500
    stages: Annotated[
        tuple[JobName, ...],
        Meta(description="all stages in order, ciforge's own included; default: those"),
    ] = ()
    defaults: Annotated[
        Job, Meta(description="GitLab keywords for every job; a job's own win")
    ] = {}
    jobs: Annotated[
        dict[str, Job],
        Meta(
            description="GitLab keywords by job name or glob ('smoke *'): mappings are merged, "
            "other values replaced, null removes"
        ),
    ] = {}
    extra_jobs: Annotated[
        dict[JobName, Job], Meta(description="further jobs, in GitLab's own words")
    ] = {}
    gates: Annotated[
        tuple[JobName, ...], Meta(description="extra jobs that every deploy waits for")
    ] = ()
    include: Annotated[
        tuple[RelativePath, ...],
        Meta(description="files of the repository that the child includes, with more jobs"),
    ] = ()


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
