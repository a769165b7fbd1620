"""Service detection on small workspaces, one for each shape seen in real repositories."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ciforge.workspace.builders import CAP
from ciforge.workspace.detection import Detected, Rejected, detect
from ciforge.workspace.entries import read_settings, read_source, resolve
from ciforge.workspace.model import ProjectGraph

BOOTSTRAP = "import { NestFactory } from '@nestjs/core';\nNestFactory.create(AppModule);\n"
COMMAND = "nx:run-commands"


def run(command: str, **rest: Any) -> dict[str, Any]:
    return {"executor": COMMAND, "options": {"command": command}, **rest}


def uses(executor: str, **options: Any) -> dict[str, Any]:
    return {"executor": executor, "options": options}


def node(root: str, kind: str = "app", **data: Any) -> dict[str, Any]:
    return {"type": kind, "data": {"root": root, **data}}


def graph_of(nodes: dict[str, dict[str, Any]]) -> ProjectGraph:
    named = {name: {"name": name, **value} for name, value in nodes.items()}
    return msgspec.json.decode(msgspec.json.encode({"nodes": named}), type=ProjectGraph)


class Workspace:
    def __init__(self, nodes: dict[str, dict[str, Any]], files: dict[str, Any]) -> None:
        self.graph = graph_of(nodes)
        self.files = {
            path: text
            if isinstance(text, bytes)
            else (text if isinstance(text, str) else json.dumps(text)).encode()
            for path, text in files.items()
        }
        self.reads: list[str] = []

    def read(self, path: str) -> bytes | None:
        self.reads.append(path)
        return self.files.get(path)

    def detect(self) -> tuple[list[Detected], list[Rejected]]:
        return detect(self.graph, self.read, self.files.__contains__)


def one(nodes: dict[str, dict[str, Any]], files: dict[str, Any]) -> Detected | Rejected:
    detected, rejected = Workspace(nodes, files).detect()
    assert len(detected) + len(rejected) == 1
    return detected[0] if detected else rejected[0]


def app(files: dict[str, Any], **targets: Any) -> Detected | Rejected:
    """The verdict on `apps/x`, an application without a projectType."""
    return one({"x": node("apps/x", targets=targets)}, {f"apps/x/{k}": v for k, v in files.items()})


# What is dropped first


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("shop-tests", node("apps/shop-tests", "e2e"), "its type is e2e"),
        ("web-e2e", node("apps/web"), "its name is web-e2e"),
        ("@acme/web-E2E", node("apps/web"), "its name is @acme/web-E2E"),
        ("e2e", node("apps/tests"), "its name is e2e"),
        ("checks", node("apps/web-e2e"), "its folder is apps/web-e2e"),
        ("checks", node("apps/web/e2e"), "its folder is apps/web/e2e"),
    ],
)
def test_e2e_however_it_is_named(name: str, value: dict[str, Any], reason: str) -> None:
    value["data"]["targets"] = {"build": run("nest build")}
    files = {f"{value['data']['root']}/src/main.ts": BOOTSTRAP}
    assert one({name: value}, files) == Rejected(name, f"end-to-end tests: {reason}")


def test_a_name_with_e2e_inside_is_no_e2e_project() -> None:
    files = {"apps/e2e-reports/src/main.ts": BOOTSTRAP}
    found = one({"e2e-reports": node("apps/e2e-reports", targets={"build": {}})}, files)
    assert isinstance(found, Detected)


def test_library_by_project_type_even_with_an_entry_and_no_file_is_read() -> None:
    nodes = {"core": node("libs/core", "lib", projectType="library", targets={"build": {}})}
    workspace = Workspace(nodes, {"libs/core/src/main.ts": BOOTSTRAP, "libs/core/package.json": {}})
    assert workspace.detect() == ([], [Rejected("core", "library: its projectType says so")])
    assert workspace.reads == []


def test_library_with_a_dockerfile_is_told_to_the_user() -> None:
    nodes = {"core": node("libs/core", "lib", projectType="library")}
    assert one(nodes, {"libs/core/Dockerfile": "FROM scratch"}) == Rejected(
        "core",
        "library: its projectType says so, in spite of libs/core/Dockerfile: "
        "only the configuration can name it a service",
    )


def test_an_image_that_is_made_elsewhere_is_left_to_the_configuration() -> None:
    nodes = {"vllm": node("apps/vllm", projectType="application", tags=["gpu"])}
    assert one(nodes, {}) == Rejected("vllm", "no build target, no build script and no Dockerfile")


@pytest.mark.parametrize(
    ("target", "manifest", "reason"),
    [
        (uses("nx-electron:build"), {}, "target build uses nx-electron:build"),
        (run("vite build && electron-builder"), {}, "target build runs electron-builder"),
        (None, {"scripts": {"build": "electron-vite build"}}, "script build runs electron-vite"),
        (
            run("vite build"),
            {"scripts": {"build:mac": "electron-builder"}, "devDependencies": {"electron": "1"}},
            "package.json script build:mac runs electron-builder",
        ),
    ],
)
def test_electron_is_no_service(target: Any, manifest: dict[str, Any], reason: str) -> None:
    files = {"package.json": manifest, "index.html": "", "src/main.ts": "", "Dockerfile": ""}
    verdict = app(files, **({"build": target} if target else {}))
    assert isinstance(verdict, Rejected)
    assert verdict.reason.startswith("desktop program, not a service: ")
    assert verdict.reason.endswith(reason)


# Next.js


@pytest.mark.parametrize("suffix", ["js", "mjs", "cjs", "ts"])
@pytest.mark.parametrize(
    ("target", "said"),
    [
        (run("next build"), "runs next build"),
        (run("cd apps/x && NODE_ENV=production npx next  build --turbo"), "runs next build"),
        (run("node_modules/.bin/next build"), "runs next build"),
        (uses(COMMAND, commands=["tsc", "next build"]), "runs next build"),
        (uses(COMMAND, commands=[{"command": "next build"}]), "runs next build"),
        ({"command": "next build"}, "runs next build"),
        (uses("@nx/next:build"), "uses @nx/next:build"),
        (uses("@nrwl/next:build"), "uses @nx/next:build"),
        (
            {
                "executor": "nx:run-script",
                "options": {"script": "build"},
                "metadata": {"scriptContent": "next build"},
            },
            "runs next build",
        ),
    ],
)
def test_nextjs_by_its_config_and_a_build(suffix: str, target: Any, said: str) -> None:
    config = f"apps/x/next.config.{suffix}"
    assert app({f"next.config.{suffix}": "", "Dockerfile": ""}, build=target) == Detected(
        "x", "nextjs", f"{config}, and target build {said}", config, "apps/x/Dockerfile", "build"
    )


def test_nextjs_under_an_inferred_target_of_another_name() -> None:
    found = app(
        {"next.config.js": ""}, **{"build-deps": uses("nx:noop"), "next:build": run("next build")}
    )
    assert isinstance(found, Detected)
    assert found.build_target == "next:build"
    assert found.reason == "apps/x/next.config.js, and target next:build runs next build"


def test_nextjs_by_a_package_json_script_alone() -> None:
    found = app({"next.config.mjs": "", "package.json": {"scripts": {"build": "next build"}}})
    assert found == Detected(
        "x",
        "nextjs",
        "apps/x/next.config.mjs, and package.json script build runs next build",
        "apps/x/next.config.mjs",
    )


def test_nextjs_run_script_of_an_nx_that_does_not_tell_the_content() -> None:
    found = app(
        {"next.config.js": "", "package.json": {"scripts": {"bundle": "next build"}}},
        build={"executor": "nx:run-script", "options": {"script": "bundle"}},
    )
    assert isinstance(found, Detected)
    assert found.reason == "apps/x/next.config.js, and target build runs next build"


@pytest.mark.parametrize(
    "command", ["echo next builds", "my-next build", "next build-storybook", "next dev"]
)
def test_a_config_of_nextjs_that_nothing_builds(command: str) -> None:
    assert app({"next.config.js": ""}, build=run(command)) == Rejected(
        "x", "apps/x/next.config.js, but no target or script runs next build"
    )


def test_next_build_without_a_config_is_not_enough_unless_it_is_the_executor() -> None:
    assert isinstance(app({}, build=run("next build")), Rejected)
    assert app({}, build=uses("@nx/next:build")) == Detected(
        "x", "nextjs", "target build uses @nx/next:build", build_target="build"
    )


def test_nextjs_config_beside_a_dockerfile() -> None:
    found = app({"next.config.ts": "", "Dockerfile": "RUN next build"})
    assert isinstance(found, Detected)
    assert (found.kind, found.reason) == (
        "nextjs",
        "apps/x/next.config.ts beside apps/x/Dockerfile",
    )


# NestJS


@pytest.mark.parametrize(
    ("source", "does"),
    [
        (BOOTSTRAP, "calls NestFactory.create"),
        (
            "const a = await NestFactory.create<NestExpress>(AppModule, x);",
            "calls NestFactory.create",
        ),
        ("NestFactory.createMicroservice(AppModule)", "calls NestFactory.create"),
        ("core_1.NestFactory.create(AppModule)", "calls NestFactory.create"),
        (
            "import { NestFactory } from '@nestjs/core';\nvoid NestFactory;",
            "imports @nestjs/core",
        ),
        ("import core = require('@nestjs/core');", "imports @nestjs/core"),
        ("const core = require('@nestjs/core');", "imports @nestjs/core"),
        ("void import('@nestjs/core').then(start)", "imports @nestjs/core"),
        ("import x, { type Y } from '@nestjs/core'", "imports @nestjs/core"),
        ("import { Reflector } from '@nestjs/core/services'", "imports @nestjs/core"),
        ("this is not < TypeScript\nimport { A } from '@nestjs/core';", "imports @nestjs/core"),
    ],
)
def test_nestjs_by_its_main(source: str, does: str) -> None:
    assert app({"src/main.ts": source}, build=run("webpack-cli build")) == Detected(
        "x",
        "nestjs",
        f"apps/x/src/main.ts {does}",
        "apps/x/src/main.ts",
        build_target="build",
    )


@pytest.mark.parametrize(
    "source",
    [
        "// import { NestFactory } from '@nestjs/core'; NestFactory.create(App)",
        "/* NestFactory.create(App) */ /** from '@nestjs/core' */",
        "const hint = \"import '@nestjs/core' and call NestFactory.create(App)\";",
        "const hint = `require('@nestjs/core'); NestFactory.create(App)`;",
        "const name = '@nestjs/core';",
        "jest.mock('@nestjs/core');",
        "require.resolve('@nestjs/core');",
        "import type { NestFactory } from '@nestjs/core';",
        "import { type NestFactory, type X } from '@nestjs/core';",
        "export type { X } from '@nestjs/core';",
        "type Core = typeof import('@nestjs/core');",
        "let app: import('@nestjs/core').X;",
        "import { a } from '@nestjs/core-utils';",
        "import { a } from 'other/@nestjs/core';",
        "import { a } from '/lib/@nestjs/core';",
        "NestFactory.close();",
        "const make = NestFactory.create;",
        "require(`@nestjs/core${suffix}`);",
        "declare module '@nestjs/core' {}",
        "const pattern = /NestFactory.create(x)/;",
        "Other.create(NestFactory)",
    ],
)
def test_a_mere_mention_of_nestjs_does_not_count(source: str) -> None:
    assert read_source("main.ts", source.encode()).nest is None
    verdict = app({"src/main.ts": source}, build=run("webpack-cli build"))
    assert verdict == Rejected(
        "x", "no rule takes it for a service: target build runs webpack-cli build"
    )


@pytest.mark.parametrize("suffix", ["mts", "cts", "js", "mjs", "cjs", "tsx"])
def test_nestjs_entries_of_every_suffix(suffix: str) -> None:
    found = app({f"src/main.{suffix}": BOOTSTRAP}, build=run("nest build"))
    assert isinstance(found, Detected)
    assert found.entry == f"apps/x/src/main.{suffix}"


@pytest.mark.parametrize(
    "line",
    [
        "import './bootstrap';",
        "import { bootstrap } from './bootstrap.js';\nbootstrap();",
        "export * from './bootstrap';",
        "export { bootstrap } from './bootstrap';",
        "import start = require('./bootstrap');",
        "require('./bootstrap');",
        "import('./bootstrap').then((m) => m.bootstrap());",
        "import './missing';\nimport './bootstrap';",
    ],
)
def test_nestjs_one_import_deep(line: str) -> None:
    files = {"src/main.ts": line, "src/bootstrap.ts": BOOTSTRAP}
    found = app(files, build=run("webpack-cli build"))
    assert isinstance(found, Detected)
    assert found.entry == "apps/x/src/main.ts"
    assert found.reason == (
        "apps/x/src/main.ts imports apps/x/src/bootstrap.ts, which calls NestFactory.create"
    )


def test_nestjs_two_imports_deep_is_too_deep() -> None:
    files = {"src/main.ts": "import './a'", "src/a.ts": "import './b'", "src/b.ts": BOOTSTRAP}
    assert isinstance(app(files, build=run("webpack-cli build")), Rejected)


def test_a_type_import_of_a_nestjs_file_is_no_import() -> None:
    files = {"src/main.ts": "import type { App } from './app';", "src/app.ts": BOOTSTRAP}
    assert isinstance(app(files, build=run("webpack-cli build")), Rejected)


def test_nestjs_entry_from_the_build_target_goes_first() -> None:
    files = {"src/main.ts": BOOTSTRAP, "source/server.ts": BOOTSTRAP}
    for main in ("apps/x/source/server.ts", "source/server.ts", "{projectRoot}/source/server.ts"):
        found = app(files, build=uses("@nx/webpack:webpack", main=main, target="node"))
        assert isinstance(found, Detected)
        assert found.entry == "apps/x/source/server.ts"
        assert found.reason == "apps/x/source/server.ts calls NestFactory.create"


@pytest.mark.parametrize(
    "config",
    [
        "module.exports = { plugins: [new NxAppWebpackPlugin({ main: './src/server.ts' })] };",
        "const main = './src/server.ts';\nmodule.exports = { plugins: [new P({ main })] };",
        "module.exports = { entry: { main: join(__dirname, 'src/server.ts') } };",
        "module.exports = { entry: './src/server.ts' };",
    ],
)
def test_nestjs_entry_from_the_webpack_config(config: str) -> None:
    files = {"webpack.config.js": config, "src/server.ts": BOOTSTRAP, "src/main.ts": ""}
    found = app(files, build=run("webpack-cli build"))
    assert isinstance(found, Detected)
    assert found.entry == "apps/x/src/server.ts"


def test_nestjs_later_entries_and_the_source_root() -> None:
    found = app({"src/main.ts": "", "src/bootstrap.ts": BOOTSTRAP}, build={})
    assert isinstance(found, Detected)
    assert found.entry == "apps/x/src/bootstrap.ts"
    nodes = {"x": node("apps/x", sourceRoot="apps/x/source", targets={"build": {}})}
    found = one(nodes, {"apps/x/source/main.ts": BOOTSTRAP})
    assert isinstance(found, Detected)
    assert found.entry == "apps/x/source/main.ts"


def test_nestjs_without_anything_that_builds_it() -> None:
    assert app({"src/main.ts": BOOTSTRAP}, test=run("jest")) == Rejected(
        "x",
        "apps/x/src/main.ts calls NestFactory.create, but there is no build target, "
        "script or Dockerfile",
    )


def test_nestjs_of_a_package_json_alone() -> None:
    manifest = {"scripts": {"build": "nest build", "start": "node dist/main.js"}}
    assert app({"package.json": manifest, "src/main.ts": BOOTSTRAP}) == Detected(
        "x", "nestjs", "apps/x/src/main.ts calls NestFactory.create", "apps/x/src/main.ts"
    )


def test_nest_cli_json_where_the_entry_says_nothing() -> None:
    files = {
        "nest-cli.json": {"sourceRoot": "source", "entryFile": "server"},
        "source/server.ts": "import { start } from '@acme/boot'; start();",
        "package.json": {"scripts": {"build": "nest build"}},
    }
    assert app(files) == Detected(
        "x",
        "nestjs",
        "apps/x/nest-cli.json, and package.json script build runs nest build",
        "apps/x/source/server.ts",
    )
    assert isinstance(app({"nest-cli.json": {}}, test=run("jest")), Rejected)


def test_settings_that_name_files_outside_the_workspace_name_nothing() -> None:
    files = {
        "/etc/main.ts": BOOTSTRAP,
        "../out/main.ts": BOOTSTRAP,
        "x/nest-cli.json": '{"sourceRoot": "/etc"}',
        "x/src/main.ts": "import '../../../out/main'",
    }
    seen: list[str] = []
    graph = graph_of({"x": node("x", targets={"build": uses("e", main="../out/main.ts")})})

    def read(path: str) -> bytes:
        seen.append(path)
        return files[path].encode()

    detected, _ = detect(graph, read, files.__contains__)
    assert [found.entry for found in detected] == [None]
    assert sorted(set(seen)) == ["x/nest-cli.json", "x/src/main.ts"]


# Workspaces in which Nx's own types do not help


def test_workspace_in_which_everything_is_a_lib() -> None:
    build = {"build": run("tsc --build tsconfig.lib.json")}
    nodes = {
        "api": node("packages/api", "lib", targets=build),
        "web": node("packages/web", "lib", targets={"build": run("next build")}),
        "guards": node("packages/guards", "lib", targets=build),
        "worker": node("packages/worker", "lib", targets=build),
        "types": node("packages/types", "lib", targets=build),
    }
    files = {
        "packages/api/src/main.ts": BOOTSTRAP,
        "packages/web/next.config.js": "",
        "packages/guards/src/index.ts": "export * from './role.guard';",
        "packages/guards/src/role.guard.ts": "import { Reflector } from '@nestjs/core';\n"
        "export class RoleGuard {}",
        "packages/worker/src/index.ts": "export * from './start';",
        "packages/worker/src/start.ts": "import { NestFactory } from '@nestjs/core';\n"
        "(async () => { await NestFactory.create(M); })();",
        "packages/types/src/index.ts": "export * from './user'",
    }
    detected, rejected = Workspace(nodes, files).detect()
    assert [(found.project, found.kind) for found in detected] == [
        ("api", "nestjs"),
        ("web", "nextjs"),
        ("worker", "nestjs"),
    ]
    assert rejected == [
        Rejected(
            "guards",
            "packages/guards/src/index.ts imports packages/guards/src/role.guard.ts, which "
            "imports @nestjs/core, but starts nothing when it is loaded",
        ),
        Rejected("types", "no rule takes it for a service: target build runs tsc"),
    ]


def test_index_that_starts_nothing_is_an_entry_where_the_type_says_application() -> None:
    handler = "import { NestFactory } from '@nestjs/core';\nexport const handler = async () => 1;"
    for kind, expected in (("application", Detected), (None, Rejected)):
        nodes = {"x": node("apps/x", projectType=kind, targets={"build": {}})}
        assert isinstance(one(nodes, {"apps/x/src/index.ts": handler}), expected)


@pytest.mark.parametrize(
    ("source", "starts"),
    [
        ("bootstrap();", True),
        ("void bootstrap().catch(fail);", True),
        ("await bootstrap();", True),
        ("const app = await NestFactory.create(M);", True),
        ("if (require.main === module) bootstrap();", True),
        ("(async () => { go(); })();", True),
        ("new Server().listen();", True),
        ("export const config = registerAs('db', () => 1);", False),
        ("export function bootstrap() { start(); }", False),
        ("Object.defineProperty(exports, '__esModule', { value: true });", False),
        ("require('./polyfills');", False),
        ("export * from './a';", False),
        ("module.exports = () => { start(); };", False),
        ("const lib = await import('./lib');", False),
    ],
)
def test_what_starts_something_when_it_is_loaded(source: str, starts: bool) -> None:
    assert read_source("index.js", source.encode()).starts is starts


def test_root_project_and_the_projects_beneath_it() -> None:
    nodes = {
        "shop": node(".", projectType="application", targets={"build": run("webpack-cli build")}),
        "admin": node("apps/admin", targets={"build": run("next build")}),
        "panel": node("apps/admin/panel", targets={"build": run("vite build")}),
    }
    files = {
        "src/main.ts": BOOTSTRAP,
        "apps/admin/next.config.js": "",
        "apps/admin/panel/index.html": "",
    }
    detected, rejected = Workspace(nodes, files).detect()
    assert rejected == []
    assert [(found.project, found.kind, found.entry) for found in detected] == [
        ("admin", "nextjs", "apps/admin/next.config.js"),
        ("panel", "spa", "apps/admin/panel/index.html"),
        ("shop", "nestjs", "src/main.ts"),
    ]


def test_dockerfile_of_the_workspace_belongs_to_nobody_when_there_are_several() -> None:
    root = node(".", targets={"build": run("nx run-many -t build")})
    files = {"Dockerfile": "ARG APP", "pyproject.toml": "[tool.ruff]"}
    detected, rejected = Workspace({"all": root, "lib": node("libs/a", "lib")}, files).detect()
    assert detected == []
    assert rejected[0] == Rejected(
        "all", "pyproject.toml, but no application entry and no Dockerfile"
    )
    detected, rejected = Workspace(
        {"all": root, "lib": node("libs/a", "lib")}, {"Dockerfile": ""}
    ).detect()
    assert rejected[0] == Rejected(
        "all",
        "the workspace's Dockerfile may build any project: only the configuration can say which",
    )
    assert one({"all": root}, {"Dockerfile": ""}) == Detected(
        "all", "docker", "Dockerfile in its folder", None, "Dockerfile", "build"
    )


# Single pages


@pytest.mark.parametrize(
    "executor",
    [
        "@angular-devkit/build-angular:application",
        "@angular-devkit/build-angular:browser",
        "@angular/build:application",
        "@nx/angular:webpack-browser",
        "@nrwl/angular:webpack-browser",
    ],
)
def test_angular(executor: str) -> None:
    said = executor.replace("@nrwl", "@nx")
    build = uses(executor, index="apps/x/src/page.html")
    assert app({"src/page.html": "", "src/main.ts": ""}, build=build) == Detected(
        "x", "spa", f"target build uses {said}", "apps/x/src/page.html", build_target="build"
    )


def test_angular_that_renders_on_a_server() -> None:
    executor = "@angular/build:application"
    build = uses(executor, ssr={"entry": "server.ts"}, browser="apps/x/src/main.ts")
    assert app({"src/main.ts": ""}, build=build) == Detected(
        "x",
        "node",
        f"target build uses {executor} with ssr",
        "apps/x/src/main.ts",
        build_target="build",
    )
    static = app({}, build=uses(executor, ssr=True, outputMode="static"))
    assert isinstance(static, Detected)
    assert static.kind == "spa"
    old = app(
        {},
        build=uses("@angular-devkit/build-angular:browser"),
        server=uses("@angular-devkit/build-angular:server"),
    )
    assert isinstance(old, Detected)
    assert (old.kind, old.reason) == (
        "node",
        "target server uses @angular-devkit/build-angular:server",
    )


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (run("vite build"), "runs vite build"),
        (run("tsc -b && vite build --mode production"), "runs vite build"),
        (uses("@nx/vite:build"), "uses @nx/vite:build"),
        (run("react-scripts build"), "runs react-scripts build"),
        (uses("@nx/webpack:webpack"), "uses @nx/webpack:webpack"),
        (uses("@nrwl/web:webpack"), "uses @nx/web:webpack"),
        (run("webpack-cli build"), "runs webpack-cli build"),
        (run("webpack --mode production"), "runs webpack"),
    ],
)
def test_single_page_builders(target: Any, said: str) -> None:
    files = {"index.html": "", "src/main.tsx": "import './app'", "Dockerfile": ""}
    page = "apps/x/index.html"
    assert app(files, build=target) == Detected(
        "x", "spa", f"{page}, and target build {said}", page, "apps/x/Dockerfile", "build"
    )


def test_single_page_by_the_index_of_its_webpack_plugin() -> None:
    config = "plugins = [new NxAppWebpackPlugin({ main: './src/m.ts', index: './pages/a.html' })]"
    found = app({"webpack.config.js": config, "pages/a.html": ""}, build=run("webpack-cli build"))
    assert isinstance(found, Detected)
    assert (found.kind, found.entry) == ("spa", "apps/x/pages/a.html")


def test_a_page_with_a_little_server_for_the_developer_stays_a_page() -> None:
    files = {"index.html": "", "package.json": {"scripts": {"start": "node serve.js"}}}
    found = app(files, build=run("vite build"), serve=uses("@nx/js:node"))
    assert isinstance(found, Detected)
    assert found.kind == "spa"


def test_the_target_option_goes_before_the_target_of_the_config() -> None:
    files = {"index.html": "", "webpack.config.js": "module.exports = { target: 'node' }"}
    found = app(files, build=uses("@nx/webpack:webpack", target="web"))
    assert isinstance(found, Detected)
    assert found.kind == "spa"


def test_vite_library_with_a_page_to_try_it() -> None:
    config = "export default defineConfig({ build: { lib: { entry: 'src/index.ts' } } })"
    assert app({"index.html": "", "vite.config.ts": config}, build=run("vite build")) == Rejected(
        "x", "target build runs vite build, but apps/x/vite.config.ts makes a library"
    )
    assert app({"vite.config.ts": ""}, build=run("vite build")) == Rejected(
        "x", "target build runs vite build, but there is no index.html"
    )


# Node.js, Python, Docker


@pytest.mark.parametrize(
    "executor", ["@nx/js:node", "@nx/node:node", "@nrwl/node:node", "@nrwl/node:webpack"]
)
def test_node_by_its_executor(executor: str) -> None:
    found = app(
        {"src/main.ts": "import express from 'express';"},
        build=uses("@nx/esbuild:esbuild"),
        serve=uses(executor, buildTarget="x:build"),
    )
    said = executor.replace("@nrwl", "@nx")
    assert found == Detected(
        "x", "node", f"target serve uses {said}", "apps/x/src/main.ts", build_target="build"
    )


def test_node_by_the_target_of_its_bundle() -> None:
    page = {"index.html": "", "src/main.ts": ""}
    found = app(page, build=uses("@nx/webpack:webpack", target="node"))
    assert isinstance(found, Detected)
    assert (found.kind, found.reason) == (
        "node",
        "target build uses @nx/webpack:webpack, and its target is node",
    )
    config = {"webpack.config.js": "module.exports = { target: 'node' }", **page}
    found = app(config, build=run("webpack-cli build"))
    assert isinstance(found, Detected)
    assert found.kind == "node"
    assert found.reason == (
        "target build runs webpack-cli build, and apps/x/webpack.config.js has target node"
    )


def test_node_of_a_package_json_alone() -> None:
    manifest = {"scripts": {"build": "tsc", "start": "node --enable-source-maps dist/main.js"}}
    files = {"apps/x/package.json": manifest, "apps/x/src/main.ts": "listen()"}
    assert one({"x": node("apps/x")}, files) == Detected(
        "x",
        "node",
        "package.json script start runs node --enable-source-maps dist/main.js",
        "apps/x/src/main.ts",
    )
    assert isinstance(one({"x": node("apps/x", "lib")}, files), Rejected)


def test_python_by_its_dockerfile_alone() -> None:
    assert app({"Dockerfile": "FROM python", "requirements.txt": "flask"}) == Detected(
        "x",
        "python",
        "apps/x/requirements.txt beside apps/x/Dockerfile",
        None,
        "apps/x/Dockerfile",
    )


def test_python_by_its_entry_or_its_server() -> None:
    assert app({"pyproject.toml": "", "src/main.py": ""}) == Detected(
        "x", "python", "apps/x/pyproject.toml beside apps/x/src/main.py", "apps/x/src/main.py"
    )
    served = app({"pyproject.toml": ""}, serve=run("uv run uvicorn api:app --port 80"))
    assert isinstance(served, Detected)
    assert served.reason == "apps/x/pyproject.toml, and target serve runs uvicorn"
    nodes = {"x": node("apps/x", sourceRoot="apps/x/acme_api")}
    found = one(nodes, {"apps/x/pyproject.toml": "", "apps/x/acme_api/app.py": ""})
    assert isinstance(found, Detected)
    assert found.entry == "apps/x/acme_api/app.py"


def test_python_by_the_nxlv_plugin() -> None:
    targets = {"lock": uses("@nxlv/python:lock"), "build": uses("@nxlv/python:build")}
    nodes = {"x": node("apps/x", projectType="application", targets=targets)}
    assert one(nodes, {"apps/x/pyproject.toml": ""}) == Detected(
        "x",
        "python",
        "target build uses @nxlv/python:build, and its projectType is application",
        build_target="build",
    )
    assert app({"pyproject.toml": ""}, **targets) == Rejected(
        "x", "apps/x/pyproject.toml, but no application entry and no Dockerfile"
    )


def test_anything_else_with_a_dockerfile() -> None:
    assert app({"Dockerfile": "FROM golang", "main.go": ""}) == Detected(
        "x", "docker", "apps/x/Dockerfile in its folder", None, "apps/x/Dockerfile"
    )


# Cost, size and disorder


def test_a_huge_entry_is_read_to_the_cap_and_the_reason_says_so() -> None:
    note = "(only the first 1 MB of apps/x/src/main.ts was read)"
    padding = b" " * CAP
    for source, kind in (
        (BOOTSTRAP.encode() + padding, Detected),
        (padding + BOOTSTRAP.encode(), Rejected),
    ):
        verdict = app({"src/main.ts": source}, build=run("nest build"))
        assert isinstance(verdict, kind)
        assert verdict.reason.endswith(note)
    exact = app({"src/main.ts": (BOOTSTRAP.encode() + padding)[:CAP]}, build=run("nest build"))
    assert "MB" not in exact.reason


def test_files_that_are_no_text() -> None:
    for junk in (b"\xff\xfe" + BOOTSTRAP.encode("utf-16-le"), b"\0" + BOOTSTRAP.encode()):
        assert isinstance(app({"src/main.ts": junk}, build=run("nest build")), Rejected)
    latin = app({"src/main.ts": b"// caf\xe9\n" + BOOTSTRAP.encode()}, build=run("nest build"))
    assert isinstance(latin, Detected)
    marked = {
        "next.config.js": "",
        "package.json": b'\xef\xbb\xbf{"scripts":{"build":"next build"}}',
    }
    assert isinstance(app(marked), Detected)


@pytest.mark.parametrize("junk", [b"[" * 200_000, b'{"scripts": 1}', b'{"scripts":{"build":1}}'])
def test_manifests_that_are_no_manifests(junk: bytes) -> None:
    files = {"package.json": junk, "nest-cli.json": junk, "Dockerfile": ""}
    assert isinstance(app(files, build=run("nest build")), Detected)


def test_a_thousand_projects_cost_few_reads() -> None:
    nodes: dict[str, Any] = {}
    files: dict[str, Any] = {}
    for i in range(1000):
        library = i % 10 != 0
        root = f"libs/l{i}" if library else f"apps/a{i}"
        kind = {"projectType": "library"} if library else {}
        nodes[f"p{i}"] = node(root, "app", targets={"build": run("webpack-cli build")}, **kind)
        files[f"{root}/package.json"] = {"name": f"p{i}"}
        files[f"{root}/src/main.ts"] = "import './tracing';\nimport './bootstrap';"
        files[f"{root}/src/tracing.ts"] = "start();"
        files[f"{root}/src/bootstrap.ts"] = BOOTSTRAP
    workspace = Workspace(nodes, files)
    detected, rejected = workspace.detect()
    assert (len(detected), len(rejected)) == (100, 900)
    assert len(workspace.reads) == 4 * 100
    assert len(set(workspace.reads)) == len(workspace.reads)


def test_no_file_is_read_twice() -> None:
    files = {
        "x/src/main.ts": "import './bootstrap';\nimport './index';",
        "x/src/bootstrap.ts": "import './main';",
        "x/src/index.ts": "export * from './bootstrap';",
        "x/vite.config.ts": "",
        "x/index.html": "",
    }
    targets = {"build": run("webpack-cli build"), "vite:build": run("vite build")}
    workspace = Workspace({"x": node("x", targets=targets | {"other": run("vite build")})}, files)
    workspace.detect()
    assert sorted(workspace.reads) == [path for path in sorted(files) if path in workspace.reads]


def test_a_barrel_of_many_exports_is_not_read_through() -> None:
    lines = "".join(f"export * from './part{i}';\n" for i in range(500))
    files = {"apps/x/src/index.ts": lines} | {f"apps/x/src/part{i}.ts": "" for i in range(500)}
    workspace = Workspace({"x": node("apps/x", "lib", targets={"build": {}})}, files)
    workspace.detect()
    assert len(workspace.reads) <= 21


@pytest.mark.parametrize(
    ("specifier", "expected"),
    [
        ("./a", "s/a.ts"),
        ("./a.js", "s/a.ts"),
        ("./b.mjs", "s/b.mts"),
        ("./c", "s/c/index.ts"),
        ("../top", "top.ts"),
        ("../../up", None),
        ("./d.service", "s/d.service.ts"),
        ("./none", None),
    ],
)
def test_resolving_a_relative_specifier(specifier: str, expected: str | None) -> None:
    files = {"s/a.ts", "s/b.mts", "s/c/index.ts", "top.ts", "../up.ts", "s/d.service.ts"}
    assert resolve("s/main.ts", specifier, files.__contains__) == expected


def test_settings_of_a_bundler() -> None:
    names = frozenset({"main", "target", "lib"})
    source = b"// main: 'no'\nexport default { main: `a`, target: 'node', lib: {}, other: 'main' }"
    assert read_settings("w.ts", source, names) == {"main": "a", "target": "node", "lib": ""}


def test_every_list_is_sorted_by_name() -> None:
    nodes = {n: node(f"apps/{n}", targets={"build": {}}) for n in ("b", "c", "a", "z", "y")}
    files = {f"apps/{n}/Dockerfile": "" for n in ("b", "a", "z")}
    detected, rejected = Workspace(nodes, files).detect()
    assert [found.project for found in detected] == ["a", "b", "z"]
    assert [found.project for found in rejected] == ["c", "y"]


_PATHS = (
    "package.json", "nest-cli.json", "next.config.js", "vite.config.ts", "webpack.config.js",
    "Dockerfile", "index.html", "pyproject.toml", "src/main.ts", "src/index.js", "src/bootstrap.ts",
)  # fmt: skip
_PIECES = st.sampled_from(
    [
        b"import './bootstrap';", b"'@nestjs/core'", b"NestFactory.create(", b"<T>(x)", b"`${",
        b"require(", b"{main:", b"lib:{", b'{"scripts":', b"\xff", b"\0", b"*/", b"from ", b"../",
    ]
)  # fmt: skip
_BYTES = st.one_of(st.binary(max_size=80), st.lists(_PIECES, max_size=8).map(b"".join))
_OPTION = st.one_of(
    st.none(), st.booleans(), st.text(max_size=8), st.lists(st.text(max_size=5), max_size=2),
    st.sampled_from(["next build", "vite build", "webpack", "./src/main.ts", "../../x", "node"]),
)  # fmt: skip
_TARGET = st.fixed_dictionaries(
    {
        "executor": st.sampled_from([None, "", COMMAND, "@nx/webpack:webpack", "@nxlv/python:x"]),
        "options": st.dictionaries(
            st.sampled_from(["command", "commands", "main", "target", "index", "script", "ssr"]),
            _OPTION,
        ),
        "metadata": st.dictionaries(st.just("scriptContent"), _OPTION),
    }
)
_NODE = st.builds(
    node,
    root=st.one_of(st.text(max_size=6), st.sampled_from([".", "", "a", "a/b", "../a", "/a"])),
    kind=st.sampled_from(["app", "lib", "e2e", "?"]),
    targets=st.dictionaries(st.one_of(st.just("build"), st.text(max_size=5)), _TARGET, max_size=3),
    projectType=st.sampled_from([None, "application", "library", "x"]),
    sourceRoot=st.one_of(st.none(), st.text(max_size=4)),
)


@settings(max_examples=150, deadline=None)
@given(
    nodes=st.dictionaries(st.text(max_size=8), _NODE, max_size=4),
    contents=st.dictionaries(st.sampled_from(_PATHS), _BYTES),
    order=st.randoms(use_true_random=False),
)
@example(nodes={"": node("", targets={"": {}})}, contents={}, order=None)
def test_detection_never_raises_and_does_not_depend_on_the_order(
    nodes: dict[str, Any], contents: dict[str, bytes], order: Any
) -> None:
    def read(path: str) -> bytes | None:
        return next((data for name, data in contents.items() if path.endswith(name)), None)

    def exists(path: str) -> bool:
        assert not path.startswith(("/", "../"))
        return read(path) is not None

    detected, rejected = detect(graph_of(nodes), read, exists)
    verdicts: list[Detected | Rejected] = [*detected, *rejected]
    assert sorted(verdict.project for verdict in verdicts) == sorted(nodes)
    assert all(verdict.reason.strip() for verdict in verdicts)
    names = list(nodes)
    if order is not None:
        order.shuffle(names)
    assert detect(graph_of({n: nodes[n] for n in names}), read, exists) == (detected, rejected)


@settings(max_examples=300, deadline=None)
@given(data=_BYTES, suffix=st.sampled_from(["ts", "tsx", "js", "mts", "cjs"]))
def test_reading_a_source_never_raises(data: bytes, suffix: str) -> None:
    read_source(f"a.{suffix}", data)
    read_settings(f"a.{suffix}", data, frozenset({"main", "lib"}))
