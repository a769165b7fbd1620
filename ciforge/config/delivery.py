"""The half of the configuration that says how it is delivered: runners, environments, the
pipeline's own words. Everything right of the plan reads these, out of plan.json."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from ciforge.config.words import Name, RelativePath, Section

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


ImageTag = Annotated[
    str,
    Meta(
        # Nothing in it that a shell takes for more than a variable's name.
        pattern=r"^[A-Za-z0-9_.${}-]+(?!\n)$",
        max_length=128,
        description="letters, digits and '._-', and GitLab's variables, as in v-$CI_PIPELINE_IID",
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
    image_tags: Annotated[
        tuple[ImageTag, ...],
        Meta(
            max_length=20,
            description="tags that every image of the plan gets, reused ones too, beside that of "
            "its inputs",
        ),
    ] = ("$CI_COMMIT_REF_SLUG",)
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
