"""The input digest: what changes it, and what doesn't. Pure, on trees as values."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ciforge.affected.touched import project_roots
from ciforge.config.model import Config
from ciforge.digest.diff import diff_entries
from ciforge.digest.manifest import Digester, Manifest
from ciforge.digest.tree import File, Tree
from ciforge.workspace.model import NxJson
from ciforge.workspace.services import Service
from tests.builders import graph, project, target

NX_JSON = NxJson(
    named_inputs={
        "default": ["{projectRoot}/**/*", "sharedGlobals"],
        "production": ["default", "!{projectRoot}/**/*.spec.ts", "!{projectRoot}/**/*.md"],
        "sharedGlobals": ["{workspaceRoot}/shared.json"],
    }
)
BUILD = {"build": target("production", "^production", depends_on=["^build"])}
GRAPH = graph(
    [
        project("api", "apps/api", "app", targets=BUILD),
        project("web", "apps/web", "app", targets=BUILD),
        project("common", "libs/common", targets=BUILD),
        project("types", "libs/types", targets=BUILD),
        project("docs", "docs"),
    ],
    [("api", "common"), ("common", "types"), ("web", "types")],
)
API = Service("api", "nestjs", ("api",), "")
WEB = Service("web", "nextjs", ("web",), "")

TEXTS: dict[str, str] = {
    "Dockerfile": "ARG NODE_IMAGE=node:22-alpine\nFROM ${NODE_IMAGE}\nARG SERVICE\n",
    ".dockerignore": "node_modules\n",
    "nx.json": "{}",
    "package.json": '{"devDependencies": {"typescript": "5.9.3"}}',
    "shared.json": "{}",
    "README.md": "read me",
    "tsconfig.base.json": json.dumps(
        {
            "compilerOptions": {
                "strict": True,
                "paths": {"@a/common": ["libs/common/src/index.ts"], "@a/web": ["apps/web/x.ts"]},
            }
        }
    ),
    "apps/api/package.json": "{}",
    "apps/api/src/main.ts": "main",
    "apps/api/src/main.spec.ts": "spec",
    "apps/web/page.tsx": "page",
    "libs/common/src/index.ts": "common",
    "libs/common/src/index.spec.ts": "spec",
    "libs/common/README.md": "read me",
    "libs/types/index.ts": "types",
    "docs/index.md": "docs",
}
READ_BY_API = {
    "Dockerfile",
    ".dockerignore",
    "package.json",
    "shared.json",
    "apps/api/package.json",
    "apps/api/src/main.ts",
    "libs/common/src/index.ts",
    "libs/types/index.ts",
}


def tree(texts: dict[str, str], modes: dict[str, str] | None = None) -> Tree:
    modes = modes or {}
    files = {
        path: File(modes.get(path, "100644"), hashlib.sha1(text.encode()).hexdigest())
        for path, text in texts.items()
    }
    return Tree(files, project_roots(GRAPH), lambda p: texts[p].encode() if p in texts else None)


def manifest(
    texts: dict[str, str],
    service: Service = API,
    modes: dict[str, str] | None = None,
    **config: Any,
) -> Manifest:
    settings = msgspec.convert(config, Config)
    return Digester(GRAPH, NX_JSON, tree(texts, modes), settings).manifest(service)


REDUCED = {"nx.json", "tsconfig.base.json"}
BASE = manifest(TEXTS)


def test_the_entries_are_exactly_what_the_build_reads() -> None:
    files = {e.name for e in BASE.entries if e.kind == "file"}
    assert files == READ_BY_API
    others = {(e.kind, e.name, e.value) for e in BASE.entries if e.kind not in ("file", "root")}
    assert others == {
        ("base-image", "node:22-alpine", ""),
        ("build-arg", "SERVICE", "api"),
        ("setting", "platforms", "linux/amd64"),
        ("setting", "projects", "api"),
        ("setting", "target", "build"),
    }
    assert {e.name for e in BASE.entries if e.kind == "root"} == REDUCED


@given(st.sampled_from(sorted(READ_BY_API)), st.text(min_size=1))
def test_a_changed_byte_of_an_input_changes_the_digest(path: str, more: str) -> None:
    changed = manifest({**TEXTS, path: TEXTS[path] + "#" + more})
    assert changed.digest != BASE.digest
    assert any(c.name == path for c in diff_entries(BASE.entries, changed.entries))


@given(st.sampled_from(sorted(set(TEXTS) - READ_BY_API - REDUCED)), st.text())
def test_any_other_file_changes_nothing(path: str, content: str) -> None:
    assert manifest({**TEXTS, path: content}).digest == BASE.digest
    rest = {name: text for name, text in TEXTS.items() if name != path}
    assert manifest(rest).digest == BASE.digest


@given(st.sampled_from(sorted(READ_BY_API - {"Dockerfile"})), st.sampled_from(["100755", "120000"]))
def test_a_changed_mode_changes_the_digest(path: str, mode: str) -> None:
    assert manifest(TEXTS, modes={path: mode}).digest != BASE.digest


@given(
    st.sampled_from(["apps/api/src/", "libs/common/", "libs/types/deep/"]),
    st.text("abc", min_size=1),
)
def test_a_new_and_a_moved_file_change_the_digest(folder: str, name: str) -> None:
    path = f"{folder}{name}.ts"
    assert manifest({**TEXTS, path: "x"}).digest != BASE.digest
    moved = dict(TEXTS)
    moved[path] = moved.pop("apps/api/src/main.ts")
    assert manifest(moved).digest != BASE.digest


@given(st.randoms())
def test_the_order_of_files_changes_nothing(random: Any) -> None:
    names = list(TEXTS)
    random.shuffle(names)
    assert manifest({name: TEXTS[name] for name in names}).digest == BASE.digest


def test_an_alias_into_an_absent_project_changes_nothing() -> None:
    config = json.loads(TEXTS["tsconfig.base.json"])
    config["compilerOptions"]["paths"]["@a/web"] = ["apps/web/y.ts"]
    assert (
        manifest({**TEXTS, "tsconfig.base.json": json.dumps(config, indent=4)}).digest
        == BASE.digest
    )
    config["compilerOptions"]["paths"]["@a/common"] = ["libs/common/src/other.ts"]
    assert manifest({**TEXTS, "tsconfig.base.json": json.dumps(config)}).digest != BASE.digest


def test_a_reference_to_an_absent_project_changes_nothing() -> None:
    def with_references(*folders: str) -> str:
        references = [{"path": f"./{folder}"} for folder in folders]
        texts = {**TEXTS, "tsconfig.json": json.dumps({"files": [], "references": references})}
        return manifest(texts).digest

    kept = with_references("apps/api", "libs/common")
    assert with_references("apps/api", "apps/web", "libs/common", "docs") == kept
    assert with_references("apps/api") != kept
    assert with_references("apps/api", "libs/common", "tools") != kept


def test_of_nx_json_only_what_a_build_can_read_counts() -> None:
    written = '// ours\n{ "defaultBase": "develop", "generators": {}, "release": {}, }'
    assert manifest({**TEXTS, "nx.json": written}).digest == BASE.digest
    changed = {**TEXTS, "nx.json": '{"targetDefaults": {"build": {"cache": true}}}'}
    assert manifest(changed).digest != BASE.digest


def test_settings_of_the_image_change_the_digest() -> None:
    different = [
        manifest(TEXTS, image={"salt": "1"}),
        manifest(TEXTS, replace(API, salt="2")),
        manifest(TEXTS, replace(API, platforms=("linux/amd64", "linux/arm64"))),
        manifest(TEXTS, replace(API, build_args={"NODE_IMAGE": "node:24-alpine"})),
        manifest(TEXTS, replace(API, build_args={"X": ""})),
        manifest(TEXTS, image={"base_images": {"node:22-alpine": "sha256:00"}}),
        manifest(TEXTS, replace(API, inputs=("README.md",))),
        manifest(TEXTS, replace(API, inputs=("docs",))),
        manifest(TEXTS, replace(API, projects=("api", "web"))),
    ]
    digests = [m.digest for m in different]
    assert len({BASE.digest, *digests}) == len(different) + 1


def test_an_unpinned_base_image_of_another_name_changes_nothing() -> None:
    assert manifest(TEXTS, image={"base_images": {"node:24": "sha256:00"}}).digest == BASE.digest


def test_an_input_that_matches_nothing_is_told() -> None:
    assert manifest(TEXTS, replace(API, inputs=("prisma/**",))).problems == (
        "the input 'prisma/**' of api matches no file",
    )


def test_two_services_share_no_digest_and_no_foreign_files() -> None:
    web = manifest(TEXTS, WEB)
    assert web.digest != BASE.digest
    assert "libs/common/src/index.ts" not in {e.name for e in web.entries}


def test_a_ready_image_is_its_reference() -> None:
    ready = Service("vllm", "image", (), "", image="vllm/vllm-openai:v1")
    assert [(e.kind, e.name) for e in manifest(TEXTS, ready).entries] == [
        ("image", "vllm/vllm-openai:v1")
    ]
    assert manifest(TEXTS, ready).digest != manifest(TEXTS, replace(ready, image="x:v2")).digest


def test_the_tag_is_one_that_a_registry_takes() -> None:
    assert BASE.tag.startswith("in-")
    assert len(BASE.tag) == 43
    assert BASE.digest.removeprefix("sha256:").startswith(BASE.tag.removeprefix("in-"))


def test_a_pinned_digest_of_the_format() -> None:
    """A new ciforge must not rebuild the world by accident: a change here is a decision."""
    small = Digester(GRAPH, NX_JSON, tree({"apps/api/src/main.ts": "x"}), Config()).manifest(API)
    expected = "743c8dcea7905e9b1e00e479ebd7eebb384adf84e096e9befd16c708c343ae16"
    assert small.digest == f"sha256:{expected}"
