"""Which images there are: what was detected, joined with what the configuration says."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ciforge.config.model import Config
from ciforge.config.model import Service as Configured
from ciforge.errors import InputError
from ciforge.workspace.detection import Detected
from ciforge.workspace.model import ProjectGraph
from ciforge.workspace.patterns import match_projects

GPU_TAG = "gpu"
# Next.js keeps its routes below /api.
_READY = {"nextjs": "/api/health/ready"}


@dataclass(frozen=True)
class Service:
    """One image: its name is its repository's last part.

    `image`: somebody else's image, never built. `dockerfile` is the path that a build reads,
    whether it is there or not. `recognised` says in words how it became a service.
    """

    name: str
    kind: str
    projects: tuple[str, ...]
    recognised: str
    dockerfile: str = "Dockerfile"
    image: str | None = None
    build_args: dict[str, str] = field(default_factory=dict)
    platforms: tuple[str, ...] = ("linux/amd64",)
    inputs: tuple[str, ...] = ()
    build_target: str = "build"
    gpu: bool = False
    deploy: bool = True
    port: int = 3000
    ready: str = "/health/ready"
    start_env: dict[str, str] = field(default_factory=dict)
    salt: str = ""


def image_name(project: str) -> str:
    """A repository name for a project: `@acme/Web API` becomes `acme-web-api`.

    Only what a registry takes stays: lower-case letters, digits, single separators.
    """
    name = re.sub(r"[^a-z0-9]+", "-", project.lower()).strip("-")
    return name or "service"


def resolve_services(
    graph: ProjectGraph, detected: Sequence[Detected], config: Config
) -> list[Service]:
    """All services, sorted by name.

    A configured service claims its projects; what detection finds beside them becomes a
    service of its own, unless `detection.exclude` names it. Raises InputError for a service of
    unknown projects and for two that would share a name.
    """
    by_project = {d.project: d for d in detected} if config.detection.enabled else {}
    excluded = set(match_projects(list(config.detection.exclude), graph.nodes))
    services: dict[str, Service] = {}
    claimed: set[str] = set()
    for name, configured in config.services.items():
        service = _configured(name, configured, graph, by_project, config)
        services[name] = service
        claimed.update(service.projects)
    for project, found in by_project.items():
        if project in claimed or project in excluded:
            continue
        name = image_name(project)
        if name in services:
            other = services[name]
            raise InputError(
                f"projects {project!r} and {(other.projects or (other.name,))[0]!r} would both "
                f"become the image {name!r}",
                hint=f"name one of them in ciforge.yaml: services: {{other-name: "
                f"{{projects: [{project}]}}}}",
            )
        services[name] = _service(name, (project,), found, Configured(), graph, config, "")
    return [services[name] for name in sorted(services)]


def _configured(
    name: str,
    configured: Configured,
    graph: ProjectGraph,
    detected: dict[str, Detected],
    config: Config,
) -> Service:
    projects = configured.projects
    if projects is None:
        projects = (name,) if name in graph.nodes else ()
    for project in projects:
        if project not in graph.nodes:
            near = difflib.get_close_matches(project, graph.nodes, n=1)
            raise InputError(
                f"services.{name}.projects names {project!r}, which is no project",
                where="ciforge.yaml",
                hint=f"did you mean {near[0]!r}?" if near else "ciforge graph lists the projects",
            )
    if not projects and configured.image is None:
        near = difflib.get_close_matches(name, graph.nodes, n=1)
        raise InputError(
            f"services.{name} names neither an image nor projects, and no project is called so",
            where="ciforge.yaml",
            hint=f"did you mean {near[0]!r}?" if near else "add 'projects:' or 'image:'",
        )
    found = next((detected[p] for p in projects if p in detected), None)
    return _service(name, projects, found, configured, graph, config, "ciforge.yaml")


def _service(
    name: str,
    projects: tuple[str, ...],
    found: Detected | None,
    configured: Configured,
    graph: ProjectGraph,
    config: Config,
    source: str,
) -> Service:
    defaults = config.image
    reasons = [found.reason] if found else []
    if source:
        reasons.append(f"named in {source}")
    own_dockerfile = found.dockerfile if found else None
    kind = "image" if configured.image else found.kind if found else "docker"
    return Service(
        name=name,
        kind=kind,
        projects=projects,
        recognised="; ".join(reasons),
        dockerfile=configured.dockerfile or own_dockerfile or defaults.dockerfile,
        image=configured.image,
        build_args={**defaults.build_args, **configured.build_args},
        platforms=configured.platforms or defaults.platforms,
        inputs=(*defaults.inputs, *configured.inputs),
        build_target=configured.build_target
        or (found.build_target if found and found.build_target else None)
        or defaults.build_target,
        gpu=configured.gpu or _tagged(graph, projects, GPU_TAG),
        deploy=configured.deploy,
        port=configured.port or 3000,
        ready=configured.ready or _READY.get(kind, "/health/ready"),
        start_env=configured.start_env,
        salt=configured.salt,
    )


def _tagged(graph: ProjectGraph, projects: Iterable[str], tag: str) -> bool:
    return any(tag in graph.nodes[project].data.tags for project in projects)
