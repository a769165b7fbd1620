"""Each rule of project-level affected by itself, beside the recorded scenarios.

The expected answers are those of Nx 24's own locators.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from ciforge.affected.touched import Change, Surroundings, owner_of, touched
from ciforge.workspace.model import NxJson
from tests.builders import graph, project, target

GRAPH = graph(
    [
        project("api", "apps/api", "app", targets={"build": target("{workspaceRoot}/docker/**")}),
        project("ui", "libs/ui", tags=["shared"]),
        project("icons", "libs/ui/icons"),
        project("@acme/sdk", "packages/sdk"),
    ],
    packages={"express": "4.0.0", "@types/express": "4.1.0", "nx": "24.0.6", "qs": "6.0.0"},
)
ALL = set(GRAPH.nodes)


def names(*changes: Change, nx_json: dict[str, Any] | None = None) -> set[str]:
    around = Surroundings(msgspec.convert(nx_json or {}, NxJson), {}, "tsconfig.base.json")
    return set(touched(GRAPH, changes, around))


def changed(path: str, before: object, after: object) -> Change:
    return Change(path, before=json.dumps(before), after=json.dumps(after))


def paths(**aliases: list[str]) -> dict[str, object]:
    return {"compilerOptions": {"paths": aliases}}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (paths(a=["libs/ui/x.ts"]), paths(), ALL),
        (paths(a=["x.ts", "libs/ui/x.ts"]), paths(a=["x.ts"]), ALL),
        (paths(), paths(a=["./libs/ui/icons/x.ts"]), {"ui", "icons"}),
        (paths(a=["libs/ui/x.ts"]), paths(a=["apps/api/x.ts"]), {"ui", "api"}),
        (paths(), paths(a=["libs/ui-other/x.ts"]), set()),
        ({"extends": "./a"}, {"extends": "./b"}, ALL),
        (paths(), {"compilerOptions": {"paths": {}, "strict": True}}, ALL),
    ],
)
def test_the_root_tsconfig(before: object, after: object, expected: set[str]) -> None:
    assert names(changed("tsconfig.base.json", before, after)) == expected


def test_a_root_tsconfig_that_is_no_plain_json_touches_all() -> None:
    assert names(Change("tsconfig.base.json", before="{}", after="// c\n{}")) == ALL
    assert names(Change("tsconfig.json", before="{}", after='{"a": 1}')) == set()


def deps(section: str = "dependencies", **entries: str) -> dict[str, object]:
    return {section: entries}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (deps(express="4"), deps(express="5"), {"npm:express"}),
        (deps(), deps(qs="6"), {"npm:qs"}),
        (deps(qs="6"), deps(), ALL),
        (deps(qs="6"), deps("devDependencies", qs="6"), ALL),
        (deps(nx="24.0.6"), deps(nx="24.1.0"), ALL),
        (deps(), deps(unknown="1"), set()),
        (deps(), {"dependencies": {"@acme/sdk": "*"}}, {"@acme/sdk"}),
        (
            deps(),
            {"devDependencies": {"@types/express": "5"}},
            {"npm:@types/express", "npm:express"},
        ),
        ({"scripts": {"a": "b"}}, {"scripts": {"a": "c"}}, set()),
        ({}, {"overrides": {"qs": "7"}}, {"npm:qs"}),
        ({}, {"overrides": {"express": {"qs": "7"}}}, {"npm:qs"}),
        ({}, {"overrides": {"gone": "7"}}, ALL),
        ({}, {"resolutions": {"**/qs": "7"}}, {"npm:qs"}),
        ({}, {"pnpm": {"overrides": {"express>qs": "7"}}}, {"npm:qs"}),
        ({}, {"pnpm": {"overrides": {"qs@>1": "7"}}}, {"npm:qs"}),
    ],
)
def test_the_root_manifest(before: object, after: object, expected: set[str]) -> None:
    assert names(changed("package.json", before, after)) == expected


def test_a_configured_plugin_builds_every_project() -> None:
    change = changed("package.json", deps(express="4"), deps(express="5"))
    assert names(change, nx_json={"plugins": ["express/plugin"]}) == ALL


def test_the_whole_manifest_touches_every_package() -> None:
    assert names(Change("package.json")) == set(GRAPH.external_nodes or {})


@pytest.mark.parametrize(
    ("path", "plugins", "expected"),
    [
        ("tools/project.json", [], ALL),
        ("packages/gone/package.json", [], ALL),
        ("apps/api/Dockerfile", [], {"api"}),
        ("apps/api/Dockerfile", ["@nx/docker"], ALL),
        ("libs/ui/vite.config.ts", ["@nx/vite/plugin"], ALL),
        ("libs/ui/vite.config.ts", ["@nx/jest"], {"ui"}),
        ("pnpm-lock.yaml", [], ALL),
    ],
)
def test_a_deleted_file(path: str, plugins: list[str], expected: set[str]) -> None:
    nx_json = {"plugins": [{"plugin": p} for p in plugins]}
    assert names(Change(path, deleted=True), nx_json=nx_json) == expected


def lock_mode(mode: object) -> dict[str, Any]:
    return {"pluginsConfig": {"@nx/js": {"projectsAffectedByDependencyUpdates": mode}}}


def test_the_modes_of_the_lockfile() -> None:
    lock = Change("package-lock.json", before="{}", after="{}")
    assert names(lock) == ALL
    assert names(lock, nx_json=lock_mode(["tag:shared", "api"])) == {"ui", "api"}
    assert names(Change("x"), nx_json=lock_mode(["api"])) == {"api"}
    assert names(lock, nx_json=lock_mode("auto")) == ALL  # it does not parse as a lockfile
    assert names(Change("apps/api/package-lock.json"), nx_json=lock_mode("all")) == {"api"}


def test_a_package_that_moved_in_the_lockfile() -> None:
    def lock(version: str) -> str:
        packages = {"": {}, "node_modules/qs": {"version": version, "integrity": version}}
        return json.dumps({"lockfileVersion": 3, "packages": packages})

    change = Change("package-lock.json", before=lock("6.0.0"), after=lock("6.1.0"))
    assert names(change, nx_json=lock_mode("auto")) == {"npm:qs"}
    same = Change("package-lock.json", before=lock("6.0.0"), after=lock("6.0.0") + "\n")
    assert names(same, nx_json=lock_mode("auto")) == set()


def test_inputs_from_the_workspace_and_nx_json() -> None:
    assert names(Change("docker/base.Dockerfile")) == {"api"}
    assert names(Change("nx.json")) == ALL
    assert names(Change("apps/api/nx.json")) == {"api"}


def test_the_owner_is_the_nearest_root() -> None:
    roots = {"libs/ui": "ui", "libs/ui/icons": "icons"}
    assert owner_of("libs/ui/icons/a/b.ts", roots) == "icons"
    assert owner_of("libs/ui/b.ts", roots) == "ui"
    assert owner_of("libs/ui-b.ts", roots) is None
    assert owner_of("README.md", {**roots, "": "root"}) == "root"
