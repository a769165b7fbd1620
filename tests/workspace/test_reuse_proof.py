"""When a graph is proved unchanged, and what makes it doubtful."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha1
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciforge.workspace import reuse
from ciforge.workspace.graph_file import parse_nx_json

TYPESCRIPT = frozenset({"@nx/js"})
VITE = frozenset({"@nx/js", "@nx/vite"})

FILES = {
    "nx.json": '{"plugins": []}',
    "package.json": '{"devDependencies": {"vite": "7.0.0", "@all-erp/tools": "workspace:*"}}',
    "pnpm-lock.yaml": "lockfileVersion: '9.0'",
    "tsconfig.base.json": '{"extends": "./config/strict.json"}',
    "config/strict.json": "{}",
    "apps/api/project.json": '{"name": "api"}',
    "apps/api/src/main.ts": "import { a } from '@all-erp/common';\nexport const x = a(1);\n",
    "apps/api/src/legacy.ts": "const r = require;\n",
    "apps/api/src/page.vue": "<template/>",
    "apps/api/src/types.d.ts": "export {};\n",
    "apps/api/src/i18n/de.json": '{"hello": "Hallo"}',
    "apps/api/vite.config.ts": "import { defineConfig } from 'vite';\nimport '../../tools/vite';\n"
    "export default defineConfig({ root: process.env.VITE_ROOT });\n",
    "apps/api/Dockerfile": "FROM node",
    "apps/api/index.html": "<html>",
    "apps/ml/main.py": "import numpy",
    "tools/vite.ts": "export const out = 'dist';\n",
    "README.md": "# All ERP",
    "deploy/values.yaml": "replicas: 1",
    "ciforge.yaml": "version: 1",
}


def identify(files: Mapping[str, str]) -> dict[str, str]:
    return {path: sha1(text.encode()).hexdigest() for path, text in files.items()}


def tree(files: Mapping[str, str], environment: str = "") -> reuse.Tree:
    prints = {path: reuse.fingerprint(path, text.encode()) for path, text in files.items()}
    return reuse.Tree(identify(files), {p: f for p, f in prints.items() if f}, environment)


def judge(
    changes: Mapping[str, str | None],
    plugins: frozenset[str] = TYPESCRIPT,
    files: Mapping[str, str] = FILES,
    links: frozenset[str] = frozenset(),
) -> str | None:
    """The doubt after changes of contents, None for a deletion."""
    new = {path: text for path, text in {**files, **changes}.items() if text is not None}

    def read(path: str) -> bytes | None:
        return new[path].encode() if path in new else None

    return reuse.doubt(tree(files), reuse.Now(identify(new), read, plugins, links))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"apps/api/src/main.ts": "import { b } from '@all-erp/common';\nexport const x = b(2);\n"},
        {"README.md": "# Other", "deploy/values.yaml": "replicas: 2", "ciforge.yaml": "version: 2"},
        {"apps/ml/main.py": "import torch"},
        {"apps/ml/new.py": "", "docs/new.md": "", "README.md": None},
        {"apps/api/Dockerfile": "FROM scratch"},
        {"apps/api/src/i18n/de.json": "{}"},
    ],
)
def test_proved(changes: dict[str, str | None]) -> None:
    assert judge(changes) is None


@pytest.mark.parametrize(
    ("path", "content", "reason"),
    [
        ("apps/api/project.json", "{}", "changed, and it shapes the graph"),
        ("package.json", "{}", "changed, and it shapes the graph"),
        ("nx.json", "{} ", "changed, and it shapes the graph"),
        ("tsconfig.base.json", "{}", "changed, and it shapes the graph"),
        ("apps/api/tsconfig.app.json", "{}", "was added, and it shapes the graph"),
        ("pnpm-lock.yaml", "x", "changed, and it shapes the graph"),
        ("pnpm-workspace.yaml", "x", "was added, and it shapes the graph"),
        (".gitignore", "dist", "was added, and it shapes the graph"),
        ("apps/api/.nxignore", "x", "was added, and it shapes the graph"),
        ("apps/api/vite.config.ts", "", "changed, and it shapes the graph"),
        ("apps/api/.storybook/main.ts", "", "was added, and it shapes the graph"),
        ("apps/api/jest.config.cjs", "", "was added, and it shapes the graph"),
        ("apps/api/src/types.d.ts", "", "changed, and it shapes the graph"),
        ("apps/api/project.json", None, "was deleted, and it shapes the graph"),
        ("apps/api/src/main.ts", "import '@all-erp/db';\n", "the imports of "),
        ("apps/api/src/main.ts", None, "was deleted"),
        ("apps/api/src/main.ts", "import {", "what it imports can't be told for certain"),
        ("apps/api/src/legacy.ts", "let x;", "what it imports can't be told for certain"),
        ("apps/api/src/new.ts", "", "was added"),
        ("apps/api/src/page.vue", "", "no rule says that it can't shape the graph"),
        ("apps/api/src/page.vue", None, "was deleted"),
        ("config/strict.json", '{"a": 1}', "changed, and tsconfig.base.json may use it"),
        ("apps/api/src/i18n/en.json", "{}", "was added"),
        (".env", "A=1", "was added"),
    ],
)
def test_doubtful(path: str, content: str | None, reason: str) -> None:
    said = judge({path: content})
    assert said is not None
    assert path in said
    assert reason in said


def test_without_a_lockfile_nothing_pins_nx() -> None:
    files = {p: t for p, t in FILES.items() if p != "pnpm-lock.yaml"}
    assert "no lockfile" in (judge({}, files=files) or "")


def test_an_unknown_plugin_may_read_anything() -> None:
    for plugin in ("./tools/plugin", "@nxlv/python", "@nx/gradle", "@nx/angular"):
        plugins = frozenset({plugin, "@nx/js"})
        assert judge({}, plugins) is None
        assert judge({"README.md": "x"}, plugins) == (
            f"README.md changed, and nobody knows what the plugin {plugin} reads"
        )


def test_plugins_of_nx_json() -> None:
    nx_json = b"""{"plugins": ["@nx/js/typescript", {"plugin": "./tools/a.js"}, "@o/plugin/b"]}"""
    found = reuse.plugin_names(parse_nx_json(nx_json).plugins)
    assert found == {"@nx/js", "./tools/a.js", "@o/plugin"}


def test_no_file_comes_or_goes_where_plugins_run_configuration_files() -> None:
    assert judge({"docs/new.md": ""}, VITE) == "docs/new.md was added"
    assert judge({"README.md": None}, VITE) == "README.md was deleted"
    assert judge({"README.md": "# Other"}, VITE) is None


def test_json_that_configuration_code_names() -> None:
    code = "import { join } from 'path';\nexport default join(__dirname, 'src/i18n/de.json');\n"
    files = {**FILES, "apps/api/vite.config.ts": code}
    assert judge({"apps/api/src/i18n/de.json": "{}"}, VITE, files) == (
        "apps/api/src/i18n/de.json changed, and apps/api/vite.config.ts may use it"
    )
    assert judge({"apps/api/src/i18n/de.json": "{}"}, VITE) is None


def test_a_dockerfile_shapes_where_a_plugin_looks_for_it() -> None:
    assert "shapes" in (judge({"apps/api/Dockerfile": "x"}, frozenset({"@nx/docker"})) or "")


def test_what_configuration_code_loads() -> None:
    assert judge({"tools/vite.ts": "export const out = 'x';\n"}) is None
    assert judge({"tools/vite.ts": "export const out = 'x';\n"}, VITE) == (
        "tools/vite.ts changed, and apps/api/vite.config.ts loads it"
    )


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import { readFileSync } from 'node:fs';\n", "may read any file: it loads node:fs"),
        ("const a = require(join(b, c));\n", "loads files that only it can name"),
        ("const a = process.env[b];\n", "any variable of the environment"),
        ("import '@all-erp/tools';\n", "loads @all-erp/tools, which no lockfile pins"),
        ("import 'unlisted';\n", "loads unlisted, which no lockfile pins"),
    ],
)
def test_code_that_may_do_anything(code: str, reason: str) -> None:
    files = {**FILES, "apps/api/vite.config.ts": code}
    assert reason in (judge({}, VITE, files) or "")
    assert judge({}, files=files) is None


def test_variables_that_configuration_code_names() -> None:
    asked: list[tuple[str, ...]] = []

    def environment(names: tuple[str, ...]) -> str:
        asked.append(names)
        return "digest"

    def read(path: str) -> bytes | None:
        return FILES[path].encode() if path in FILES else None

    now = reuse.Now(identify(FILES), read, VITE, environment=environment)
    assert reuse.doubt(tree(FILES, "digest"), now) is None
    assert "VITE_ROOT" in (reuse.doubt(tree(FILES, "other"), now) or "")
    assert asked == [("VITE_ROOT",)] * 2


def test_what_a_link_leads_to() -> None:
    said = judge({"README.md": "x"}, links=frozenset({"README.md"}))
    assert said == "README.md changed, and a link leads to it"
    assert judge({"README.md": "x"}, links=frozenset({"docs"})) is None


def test_a_link_in_place_of_a_file() -> None:
    files = identify(FILES)
    now = reuse.Now({**files, "README.md": "120000:1"}, lambda _: b"", TYPESCRIPT)
    assert "no regular file" in (reuse.doubt(tree(FILES), now) or "")


# -- random edits, judged by what the files were made of -----------------------------------

FORMS = [
    "import {{ x }} from '{}';",
    "import type {{ T }} from '{}';",
    "export * from '{}';",
    "const l = import('{}');",
    "const r = require('{}');",
]
PATHS = ["apps/a/src/main.ts", "apps/a/src/b.ts", "libs/c/src/index.tsx", "libs/c/src/d.js"]
SHAPING = "apps/a/project.json"

Import = tuple[int, str]
Source = tuple[tuple[Import, ...], int]

import_lists = st.lists(
    st.tuples(st.sampled_from(range(len(FORMS))), st.sampled_from(["@o/c", "./b"])), max_size=2
).map(tuple)
edits = st.one_of(
    st.tuples(st.just("imports"), st.sampled_from(PATHS), import_lists),
    st.tuples(st.just("body"), st.sampled_from(PATHS), st.integers(1, 9)),
    st.tuples(st.just("delete"), st.sampled_from(PATHS), st.none()),
    st.tuples(st.just("shape"), st.just(SHAPING), st.integers(1, 2)),
)


def render(sources: Mapping[str, Source], shape: int) -> dict[str, str]:
    files = {SHAPING: f'{{"tags": [{shape}]}}', "package-lock.json": "{}"}
    for path, (found, body) in sources.items():
        lines = [FORMS[form].format(module) for form, module in found]
        files[path] = "\n".join([*lines, f"export const v = () => `is ${{{body}}}`;", ""])
    return files


@given(
    st.fixed_dictionaries({path: st.tuples(import_lists, st.just(0)) for path in PATHS}),
    st.lists(edits, max_size=2),
)
def test_what_is_proved_is_so(
    before: dict[str, Source], changes: list[tuple[str, str, Any]]
) -> None:
    after, shape = dict(before), 1
    for what, path, value in changes:
        if what == "shape":
            shape = value
        elif what == "delete":
            after.pop(path, None)
        elif path in after:
            found, body = after[path]
            after[path] = (value, body) if what == "imports" else (found, value)
    old, new = render(before, 1), render(after, shape)
    said = judge({**dict.fromkeys(old), **new}, files=old)

    same = shape == 1 and before.keys() == after.keys()
    for path, (found, _) in after.items():
        then = before[path][0]
        same = same and {m for _, m in found} == {m for _, m in then}
        same = same and {m for f, m in found if f < 3} == {m for f, m in then if f < 3}
    assert same or said is not None
    if all(what == "body" for what, _, _ in changes):
        assert said is None
