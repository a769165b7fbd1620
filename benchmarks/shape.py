"""Which projects a made-up workspace has, and what depends on what.

Projects come in areas of twenty: utilities, data access, user interface and features in
layers, two applications on top, one e2e project. Areas form a tree, in which a child uses its
parent's utilities and data access. Everything follows from the number of a project.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

# Raise it when the workspaces come out differently: the cache is keyed by it.
VERSION = 1

AREA = 20
_CHILDREN = 4
_LAYERS = (
    *[("util", n) for n in range(4)],
    *[("data-access", n) for n in range(4)],
    *[("ui", n) for n in range(4)],
    *[("feature", n) for n in range(5)],
    ("api", 0),
    ("worker", 0),
    ("e2e", 0),
)

Kind = Literal["app", "lib", "e2e"]


@dataclass(frozen=True)
class Shape:
    """`pnpm`: a pnpm workspace whose applications have a package.json and a shared Dockerfile."""

    projects: int
    files_per_project: int = 4
    pnpm: bool = False

    @property
    def key(self) -> str:
        manager = "pnpm" if self.pnpm else "npm"
        return f"{self.projects}x{self.files_per_project}-{manager}"


@dataclass(frozen=True)
class Project:
    """`imports` and `implicit` are names of projects, `packages` names of npm packages."""

    name: str
    root: str
    kind: Kind
    area: str
    layer: str
    imports: tuple[str, ...] = ()
    implicit: tuple[str, ...] = ()
    packages: tuple[str, ...] = field(default=())

    @property
    def alias(self) -> str:
        """What other projects import: `@bench/area-0007/util-1`."""
        return f"@bench/{self.area}/{self.name.removeprefix(f'{self.area}-')}"

    @property
    def entry(self) -> str:
        return f"{self.root}/src/{'main' if self.kind == 'app' else 'index'}.ts"

    @property
    def class_name(self) -> str:
        return "".join(part.capitalize() for part in self.name.split("-"))


def make_projects(shape: Shape) -> list[Project]:
    """All projects, in the order of their numbers."""
    if shape.projects % AREA:
        raise ValueError(f"the number of projects must be a multiple of {AREA}")
    areas = shape.projects // AREA
    return [_project(area, layer, number) for area in range(areas) for layer, number in _LAYERS]


def _project(number: int, layer: str, index: int) -> Project:
    area = _area(number)
    parent = _area((number - 1) // _CHILDREN) if number else None

    def own(of: str, *numbers: int) -> list[str]:
        return [f"{area}-{of}-{n}" for n in numbers]

    def inherited(of: str, n: int) -> list[str]:
        return [f"{parent}-{of}-{n}"] if parent else []

    imports: list[str] = []
    implicit: tuple[str, ...] = ()
    packages: tuple[str, ...] = ("tslib",)
    match layer:
        case "util":
            below = own("util", index - 1) if index else []
            imports = below + (inherited("util", 1) if index == 1 else [])
        case "data-access":
            imports = own("util", index, (index + 1) % 4) + inherited("data-access", index)
            packages = ("tslib", "rxjs", ("pg", "ioredis", "kysely", "axios")[index])
        case "ui":
            imports = own("util", index) + (own("ui", index - 1) if index else [])
            packages = ("tslib", "lodash")
        case "feature":
            imports = own("data-access", index % 4, (index + 1) % 4)
            imports += own("ui", index % 4, (index + 2) % 4) + own("util", 3)
            packages = ("tslib", "rxjs", "zod", "@nestjs/common")
        case "api" | "worker":
            features = (0, 1, 2) if layer == "api" else (2, 3, 4)
            imports = own("feature", *features) + own("util", 0)
            extra = ("express", "pino-http") if layer == "api" else ("amqplib", "nanoid")
            packages = ("@nestjs/common", "@nestjs/core", "reflect-metadata", "rxjs", *extra)
        case "e2e":
            implicit = (f"{area}-api",)
            packages = ("axios",)
    kind: Kind = "app" if layer in ("api", "worker") else "e2e" if layer == "e2e" else "lib"
    folder = f"libs/{area}/{layer}-{index}" if kind == "lib" else f"apps/{area}-{layer}"
    name = f"{area}-{layer}-{index}" if kind == "lib" else f"{area}-{layer}"
    return Project(name, folder, kind, area, layer, tuple(imports), implicit, packages)


def _area(number: int) -> str:
    return f"area-{number:04}"
