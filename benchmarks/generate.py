"""The files of a made-up workspace, of its change, and the graph that Nx makes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from benchmarks.packages import Packages
from benchmarks.shape import Project, Shape, make_projects

_NX_JSON = {
    "$schema": "./node_modules/nx/schemas/nx-schema.json",
    "namedInputs": {
        "default": ["{projectRoot}/**/*", "sharedGlobals"],
        "production": [
            "default",
            "!{projectRoot}/.eslintrc.json",
            "!{projectRoot}/eslint.config.mjs",
            "!{projectRoot}/**/?(*.)+(spec|test).[jt]s?(x)?(.snap)",
            "!{projectRoot}/tsconfig.spec.json",
            "!{projectRoot}/jest.config.[jt]s",
            "!{projectRoot}/src/test-setup.[jt]s",
        ],
        "sharedGlobals": [],
    },
    "targetDefaults": {
        "build": {"cache": True, "dependsOn": ["^build"], "inputs": ["production", "^production"]},
        "lint": {"cache": True, "inputs": ["default", "{workspaceRoot}/eslint.config.mjs"]},
        "test": {"cache": True, "inputs": ["default", "^production"]},
    },
    "defaultBase": "main",
    "analytics": False,
    "neverConnectToCloud": True,
}
_DOCKERFILE = """\
# syntax=docker/dockerfile:1
FROM node:22-slim AS build
ARG PROJECT
WORKDIR /workspace
COPY . .
RUN corepack enable && pnpm install --frozen-lockfile
RUN pnpm nx build ${PROJECT}

FROM node:22-slim
ARG PROJECT
WORKDIR /app
COPY --from=build /workspace/dist/apps/${PROJECT} .
USER node
CMD ["node", "main.js"]
"""


def base_files(shape: Shape) -> Iterator[tuple[str, str]]:
    """Path and content of every file of the first commit."""
    projects = make_projects(shape)
    packages = Packages(bumped=False)
    yield ".gitignore", "node_modules\ndist\n.nx/cache\n.nx/workspace-data\n"
    yield "nx.json", _json(_NX_JSON)
    yield "package.json", packages.root_manifest()
    yield "eslint.config.mjs", "export default [];\n"
    yield "tsconfig.base.json", _tsconfig(projects)
    yield _lockfile(shape, projects, packages)
    if shape.pnpm:
        yield "pnpm-workspace.yaml", "packages:\n  - apps/*\n"
        yield "Dockerfile", _DOCKERFILE
        yield ".dockerignore", "node_modules\ndist\n.git\n.nx\n"
    by_name = {project.name: project for project in projects}
    for project in projects:
        yield from _project_files(project, by_name, shape, packages)


def bump_files(shape: Shape) -> Iterator[tuple[str, str]]:
    """What the second commit changes: one package's version in the lockfile."""
    yield _lockfile(shape, make_projects(shape), Packages(bumped=True))


def change_files(shape: Shape) -> Iterator[tuple[str, str]]:
    """What the third commit changes: a library in a lower layer, a new file, a spec file."""
    by_name = {project.name: project for project in make_projects(shape)}
    low, high = by_name["area-0001-data-access-1"], by_name["area-0002-ui-2"]
    last = list(by_name.values())[-3]
    source = _source(low, by_name)
    yield f"{low.root}/src/lib/{low.name}.ts", source.replace("limit = 100", "limit = 250")
    yield f"{high.root}/src/lib/added.ts", "export const added = true;\n"
    yield f"{last.root}/src/lib/{last.name}.spec.ts", _spec(last) + "// one more line\n"


def nx_graph(shape: Shape) -> dict[str, Any]:
    """What `nx graph --file` writes for this workspace."""
    projects = make_projects(shape)
    nodes = {}
    dependencies = {}
    for project in sorted(projects, key=lambda p: p.name):
        data = _configuration(project)
        defaults: dict[str, Any] = _NX_JSON["targetDefaults"]  # type: ignore[assignment]
        data["targets"] = {
            name: {**defaults.get(name, {}), "configurations": {}, "parallelism": True, **target}
            for name, target in data["targets"].items()
        }
        node = {"root": project.root, **data, "implicitDependencies": list(project.implicit)}
        nodes[project.name] = {"name": project.name, "type": project.kind, "data": node}
        edges = [(target, "static") for target in project.imports]
        edges += [(target, "implicit") for target in project.implicit]
        dependencies[project.name] = [
            {"source": project.name, "target": target, "type": how} for target, how in edges
        ]
    return {"graph": {"nodes": nodes, "dependencies": dependencies}}


# -- root files ------------------------------------------------------------------------------


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"


def _tsconfig(projects: list[Project]) -> str:
    options = {
        "rootDir": ".",
        "sourceMap": True,
        "moduleResolution": "node",
        "emitDecoratorMetadata": True,
        "experimentalDecorators": True,
        "target": "es2022",
        "module": "esnext",
        "baseUrl": ".",
        "paths": {p.alias: [p.entry] for p in projects if p.kind == "lib"},
    }
    return _json({"compileOnSave": False, "compilerOptions": options, "exclude": ["node_modules"]})


def _lockfile(shape: Shape, projects: list[Project], packages: Packages) -> tuple[str, str]:
    if not shape.pnpm:
        return "package-lock.json", packages.npm_lockfile()
    importers = {p.root: _declared(p, packages) for p in projects if p.kind == "app"}
    return "pnpm-lock.yaml", packages.pnpm_lockfile(importers)


def _declared(app: Project, packages: Packages) -> list[str]:
    """What an application's package.json names: its imports, and a few more."""
    number = int(app.area.removeprefix("area-"))
    direct = packages.direct
    more = [direct[(number * 3 + step * 7) % len(direct)] for step in range(6)]
    return sorted({*app.packages, "tslib", "zod", *more})


# -- files of one project --------------------------------------------------------------------


def _project_files(
    project: Project, by_name: dict[str, Project], shape: Shape, packages: Packages
) -> Iterator[tuple[str, str]]:
    root = project.root
    yield f"{root}/project.json", _json(_configuration(project))
    main = _main(project) if project.kind == "app" else f"export * from './lib/{project.name}';\n"
    yield project.entry, main
    yield f"{root}/src/lib/{project.name}.ts", _source(project, by_name)
    yield f"{root}/src/lib/{project.name}.spec.ts", _spec(project)
    written = 4
    if shape.pnpm and project.kind == "app":
        dependencies = {
            name: f"^{packages.by_name[name].version}" for name in _declared(project, packages)
        }
        manifest = {"name": project.alias.replace("/", "-"), "version": "0.0.0", "private": True}
        yield f"{root}/package.json", _json({**manifest, "dependencies": dependencies})
        written += 1
    if shape.files_per_project > written:
        yield f"{root}/tsconfig.json", _json({"extends": f"{_up(root)}/tsconfig.base.json"})
        yield f"{root}/tsconfig.spec.json", _json({"extends": "./tsconfig.json"})
        yield f"{root}/README.md", f"# {project.name}\n\nMade for measuring.\n"
        written += 3
    for number in range(shape.files_per_project - written):
        suffix = ".spec.ts" if number % 3 == 2 else ".ts"
        yield f"{root}/src/lib/part-{number:02}{suffix}", _part(project, number)


def _up(root: str) -> str:
    return "/".join([".."] * len(root.split("/")))


def _configuration(project: Project) -> dict[str, Any]:
    root, kind = project.root, project.kind
    build: dict[str, Any] = {
        "executor": "@nx/webpack:webpack" if kind == "app" else "@nx/js:tsc",
        "outputs": ["{options.outputPath}"],
        "options": {
            "outputPath": f"dist/{root}",
            "main": project.entry,
            "tsConfig": f"{root}/tsconfig.json",
            "assets": [f"{root}/*.md"],
        },
    }
    test = {
        "executor": "@nx/jest:jest",
        "outputs": [f"{{workspaceRoot}}/coverage/{root}"],
        "options": {"jestConfig": f"{root}/jest.config.ts"},
    }
    lint = {"executor": "@nx/eslint:lint", "outputs": ["{options.outputFile}"], "options": {}}
    targets = {"e2e": test} if kind == "e2e" else {"build": build, "test": test}
    configuration: dict[str, Any] = {
        "name": project.name,
        "$schema": f"{_up(root)}/node_modules/nx/schemas/project-schema.json",
        "sourceRoot": f"{root}/src",
        "projectType": "library" if kind == "lib" else "application",
        "tags": [f"scope:{project.area}", f"type:{project.layer}"],
        "targets": {**targets, "lint": lint},
    }
    if project.implicit:
        configuration["implicitDependencies"] = list(project.implicit)
    return configuration


def _main(project: Project) -> str:
    return f"""\
import 'reflect-metadata';
import {{ Logger }} from '@nestjs/common';
import {{ NestFactory }} from '@nestjs/core';
import {{ {project.class_name} }} from './lib/{project.name}';

async function bootstrap(): Promise<void> {{
  const app = await NestFactory.create({project.class_name});
  app.enableShutdownHooks();
  app.setGlobalPrefix('api');
  const port = Number(process.env.PORT ?? 3000);
  await app.listen(port);
  Logger.log(`{project.name} listens on ${{port}}`);
}}

void bootstrap();
"""


def _source(project: Project, by_name: dict[str, Project]) -> str:
    lines = [
        f"import * as {_identifier(name)} from '{name}';"
        for name in project.packages
        if name != "reflect-metadata"
    ]
    used = [by_name[name] for name in project.imports]
    lines += [f"import {{ {p.class_name} }} from '{p.alias}';" for p in used]
    fields = "\n".join(
        f"  private readonly part{number} = new {p.class_name}();" for number, p in enumerate(used)
    )
    packages = ", ".join(_identifier(n) for n in project.packages if n != "reflect-metadata")
    parts = ", ".join(f"this.part{number}.describe()" for number in range(len(used)))
    return (
        "\n".join(lines)
        + f"""

/** What {project.name} keeps of one thing that it was told. */
export interface {project.class_name}Entry {{
  readonly id: string;
  readonly label: string;
  readonly at: Date;
}}

const limit = 100;
export const uses = [{packages}];

export class {project.class_name} {{
{fields}
  private readonly entries = new Map<string, {project.class_name}Entry>();

  add(id: string, label: string): {project.class_name}Entry {{
    if (this.entries.size >= limit) {{
      throw new Error(`{project.name} holds ${{limit}} entries already`);
    }}
    const entry = {{ id, label, at: new Date() }};
    this.entries.set(id, entry);
    return entry;
  }}

  describe(): string {{
    return ['{project.name}', {parts}].join(' ');
  }}
}}
"""
    )


def _identifier(package: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in package).strip("_")


def _spec(project: Project) -> str:
    return f"""\
import {{ {project.class_name} }} from './{project.name}';

describe('{project.name}', () => {{
  it('keeps what it was told', () => {{
    const subject = new {project.class_name}();
    expect(subject.add('1', 'one').label).toBe('one');
    expect(subject.describe()).toContain('{project.name}');
  }});
}});
"""


def _part(project: Project, number: int) -> str:
    return f"""\
/** Part {number} of {project.name}. */
export const part{number} = {{
  name: '{project.name}',
  number: {number},
  weigh(values: readonly number[]): number {{
    return values.reduce((sum, value) => sum + value * {number + 1}, 0);
  }},
}};
"""
