"""Reduction of a pnpm workspace: rules on a real lockfile, laws on generated ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ciforge.lockfile import LockfileError, PnpmLockfile, ReducedPnpm, reduce_pnpm
from ciforge.lockfile.pnpm_format import strip_peers
from ciforge.lockfile.pnpm_settings import override_target
from ciforge.lockfile.yaml12 import load

# Written by pnpm 10: catalogs, overrides, two patches, an alias, a tarball, a link outside.
REAL = Path(__file__).parent / "fixtures/pnpm10"


def real(
    importer: str, keep: set[str] | None = frozenset(), side: str = "base", **changes: str
) -> ReducedPnpm:
    texts = {
        "lockfile": (REAL / side / "pnpm-lock.yaml").read_text(),
        "workspace_yaml": (REAL / f"pnpm-workspace.{side}.yaml").read_text(),
        "root_package_json": (REAL / "package.json").read_text(),
    } | changes
    lockfile = texts.pop("lockfile")
    return reduce_pnpm(lockfile, importers=[importer], keep_root_dev=keep, **texts)


def test_an_app_with_its_library() -> None:
    reduced = real("apps/auth")
    lock = load(reduced.lockfile)
    assert reduced.importers == [".", "apps/auth", "libs/common"]
    assert reduced.patches == ["patches/range-parser.patch"]
    assert reduced.local_paths == ["vendor/vendored-1.0.0.tgz"]
    assert set(lock["importers"]) == {".", "apps/auth", "libs/common"}
    assert set(lock["importers"]["."]) == {"dependencies"}
    # pnpm gave debug its optional peer from the root's devDependencies: the peer stays.
    assert lock["importers"]["."]["dependencies"]["debug"]["version"] == (
        "4.3.4(supports-color@8.1.1)"
    )
    assert set(lock["catalogs"]) == {"default", "ui"}
    assert set(lock["catalogs"]["default"]) == {"send"}
    assert set(lock["patchedDependencies"]) == {"range-parser"}
    assert lock["overrides"] == {"debug": "4.3.4", "escape-html": "1.0.3", "is-number": "7.0.0"}
    assert {"chalk@3.0.0", "send@0.18.0", "is-number@7.0.0"} <= set(lock["packages"])
    assert not {"typescript@5.4.5", "is-odd@3.0.1", "fsevents@2.3.3"} & set(lock["packages"])
    assert reduced.packages == len(lock["packages"])
    workspace = load(reduced.workspace_yaml or "")
    assert workspace == {
        "packages": ["apps/auth", "libs/common"],
        "catalog": {"send": "0.18.0"},
        "catalogs": {"ui": {"react": "18.2.0"}},
        "overrides": {"debug": "4.3.4", "escape-html": "1.0.3", "is-number": "7.0.0"},
        "patchedDependencies": {"range-parser": "patches/range-parser.patch"},
        "onlyBuiltDependencies": [],
    }
    assert json.loads(reduced.package_json) == {
        "name": "acme",
        "version": "0.0.0",
        "private": True,
        "dependencies": {"debug": "4.3.4"},
        "scripts": {"prepare": "node -e 0"},
    }


def test_root_dev_dependencies() -> None:
    assert json.loads(real("apps/auth", {"semver"}).package_json)["devDependencies"] == {
        "semver": "7.6.0"
    }
    every = load(real("apps/auth", None).lockfile)
    assert set(every["importers"]["."]["devDependencies"]) == {
        "semver",
        "supports-color",
        "typescript",
    }
    assert "typescript@5.4.5" in every["packages"]
    some = load(real("apps/auth", {"semver", "unknown"}).lockfile)
    assert set(some["importers"]["."]["devDependencies"]) == {"semver"}
    assert "lru-cache@6.0.0" in some["packages"]


def test_another_services_bump_leaves_the_bytes() -> None:
    # At head apps/billing has another chalk, and the catalog another ms.
    before, after = real("apps/billing"), real("apps/billing", side="head")
    assert before.lockfile != after.lockfile
    assert before.workspace_yaml != after.workspace_yaml
    assert before.digest != after.digest

    def without_tarball(text: str) -> str:
        # The tarball in vendor/ was packed again.
        return "\n".join(line for line in text.splitlines() if "vendored@" not in line)

    before, after = real("apps/auth"), real("apps/auth", side="head")
    assert without_tarball(before.lockfile) == without_tarball(after.lockfile)
    assert before.workspace_yaml == after.workspace_yaml


def test_edits_that_do_not_matter_to_install() -> None:
    before = real("apps/auth")
    manifest = json.loads((REAL / "package.json").read_text())
    manifest["scripts"]["lint"] = "other"
    manifest["devDependencies"]["eslint"] = "9.0.0"
    assert real("apps/auth", root_package_json=json.dumps(manifest)) == before
    workspace = (REAL / "pnpm-workspace.base.yaml").read_text()
    edited = workspace.replace("  - libs/*", "  - libs/*\n  - tools/*\n# why")
    edited = edited.replace("  - esbuild", "  - sharp").replace(
        "catalog:\n", "catalog:\n  new: 1\n"
    )
    assert edited.count("new: 1") == 1
    assert real("apps/auth", workspace_yaml=edited) == before
    manifest["scripts"]["prepare"] = "other"
    assert real("apps/auth", root_package_json=json.dumps(manifest)) != before


def test_settings_in_the_root_manifest() -> None:
    workspace = load((REAL / "pnpm-workspace.base.yaml").read_text())
    manifest = json.loads((REAL / "package.json").read_text())
    moved = ("overrides", "patchedDependencies", "onlyBuiltDependencies")
    manifest["pnpm"] = {key: workspace.pop(key) for key in moved}
    manifest["pnpm"]["allowBuilds"] = {"fsevents": True, "send@0.18.0": True}
    manifest["resolutions"] = {"is-number": "7.0.0", "not-in-lockfile": "1"}
    reduced = real(
        "apps/auth", workspace_yaml=json.dumps(workspace), root_package_json=json.dumps(manifest)
    )
    assert reduced.patches == ["patches/range-parser.patch"]
    root = json.loads(reduced.package_json)
    assert root["pnpm"] == {
        "overrides": {"is-number": "7.0.0", "escape-html": "1.0.3", "debug": "4.3.4"},
        "patchedDependencies": {"range-parser": "patches/range-parser.patch"},
        "onlyBuiltDependencies": [],
        "allowBuilds": {"send@0.18.0": True},
    }
    # What the lockfile never had stays, so that pnpm can say that the lockfile is old.
    assert root["resolutions"] == {"is-number": "7.0.0", "not-in-lockfile": "1"}


def test_two_documents_keep_the_package_managers() -> None:
    text = (REAL / "base/pnpm-lock.yaml").read_text()
    reduced = real("apps/auth", lockfile=f"---\nenv: 1\n---\n{text}")
    assert reduced.lockfile == f"---\nenv: 1\n---\n{real('apps/auth').lockfile}"


def test_without_a_workspace_file() -> None:
    text = (REAL / "base/pnpm-lock.yaml").read_text()
    manifest = (REAL / "package.json").read_text()
    reduced = reduce_pnpm(
        text,
        workspace_yaml=None,
        root_package_json=manifest,
        importers=[],
        keep_root_dev=frozenset(),
    )
    assert reduced.workspace_yaml is None
    assert reduced.importers == ["."]
    assert set(load(reduced.lockfile)["packages"]) == {
        "debug@4.3.4",
        "has-flag@4.0.0",
        "ms@2.1.2",
        "supports-color@8.1.1",
    }


def test_folders_that_are_no_importers_count_for_nothing() -> None:
    assert real("apps/nowhere").importers == ["."]
    assert real("./apps/auth/") == real("apps/auth")


SMALL = {
    "lockfileVersion": "9.0",
    "settings": {"autoInstallPeers": True},
    "packageExtensionsChecksum": "abc",
    "pnpmfileChecksum": "def",
    "ignoredOptionalDependencies": ["fsevents"],
    "overrides": {"gone": "-", "parent@>1>child": "1.0.0", "a": "1.0.0"},
    "time": {"a@1.0.0": "2024", "gone@1.0.0": "2024", "z@1.0.0": "2024"},
    "importers": {
        ".": {},
        "x": {
            "dependencies": {
                "a": {"specifier": "1", "version": "1.0.0(patch_hash=h)"},
                "@w/[y]": {"specifier": "workspace:*", "version": "file:@w/[y](a@1.0.0)"},
            }
        },
        "@w/[y]": {"dependencies": {"folder": {"specifier": "f", "version": "file:folder"}}},
        "z": {"dependencies": {"z": {"specifier": "1", "version": "1.0.0"}}},
    },
    "patchedDependencies": {"a@1": {"hash": "h", "path": "./p/a.patch"}, "z": "k"},
    "packages": {
        "a@1.0.0": {"resolution": {"integrity": "i\x85\u2028é"}},
        "@w/[y]@file:@w/[y]": {"resolution": {"directory": "@w/[y]", "type": "directory"}},
        "folder@file:folder": {"resolution": {"directory": "folder", "type": "directory"}},
        "z@1.0.0": {},
    },
    "snapshots": {
        "a@1.0.0(patch_hash=h)": {"dependencies": {"a2": "a@1.0.0(patch_hash=h)"}},
        "@w/[y]@file:@w/[y](a@1.0.0)": {"dependencies": {"z": "link:z"}},
        "folder@file:folder": {},
        "z@1.0.0": {},
    },
}


def small(workspace: str | None = None, **changes: Any) -> ReducedPnpm:
    return reduce_pnpm(
        json.dumps(SMALL | changes),
        workspace_yaml=workspace,
        root_package_json="{}",
        importers=["x"],
        keep_root_dev=None,
    )


def test_injected_folders_local_files_and_settings() -> None:
    reduced = small("packages: ['**']\npatchedDependencies: {a@1: p/a.patch, z: p/z.patch}")
    assert reduced.importers == [".", "@w/[y]", "x", "z"]  # a copy of y, which links to z
    assert reduced.local_paths == [".pnpmfile.cjs", "folder"]
    assert reduced.patches == ["p/a.patch"]
    workspace = load(reduced.workspace_yaml or "")
    assert workspace["packages"] == ["\\@w/\\[y\\]", "x", "z"]
    assert workspace["patchedDependencies"] == {"a@1": "p/a.patch"}
    lock = load(reduced.lockfile)
    assert lock["overrides"] == {"gone": "-", "a": "1.0.0"}
    assert lock["time"] == {"a@1.0.0": "2024", "z@1.0.0": "2024"}
    for key in ("settings", "packageExtensionsChecksum", "ignoredOptionalDependencies"):
        assert lock[key] == SMALL[key]
    assert lock["packages"]["a@1.0.0"]["resolution"]["integrity"] == "i\x85\u2028é"
    assert "\x85" not in reduced.lockfile


def test_a_long_key_is_an_explicit_one() -> None:
    peers = "".join(f"(peer{i}@1.0.0)" for i in range(100))
    key = f"a@1.0.0{peers}"
    importers = {".": {"dependencies": {"a": {"specifier": "1", "version": key[2:]}}}}
    text = json.dumps(SMALL | {"importers": importers, "snapshots": {"KEY": {}}}, indent=1)
    reduced = reduce_pnpm(
        text.replace('"KEY":', f'? "{key}"\n:'),
        workspace_yaml=None,
        root_package_json="{}",
        importers=[],
        keep_root_dev=None,
    )
    assert f'  ? "{key}"\n' in reduced.lockfile
    assert list(load(reduced.lockfile)["snapshots"]) == [key]


@pytest.mark.parametrize(
    ("key", "package"),
    [
        ("a@1.0.0", "a@1.0.0"),
        ("a@1.0.0(patch_hash=x)(b@2.0.0(c@3.0.0)(d@4.0.0))", "a@1.0.0"),
        ("@s/a@file:x(1).tgz(b@2.0.0)", "@s/a@file:x(1).tgz"),
        ("(a)", "(a)"),
    ],
)
def test_strip_peers(key: str, package: str) -> None:
    assert strip_peers(key) == package


@pytest.mark.parametrize(
    ("selector", "name"),
    [
        ("a", "a"),
        ("a@1", "a"),
        ("@s/a@>=1", "@s/a"),
        ("p>a", "a"),
        ("p@1>@s/a@<2", "@s/a"),
        ("p@>1 || >3>a@>2", "a"),
    ],
)
def test_override_target(selector: str, name: str) -> None:
    assert override_target(selector) == name


@pytest.mark.parametrize(
    "changes",
    [
        {"lockfileVersion": "6.0"},
        {"lockfileVersion": None},
        {"importers": {}},
        {"importers": {".": None}},
        {"importers": {".": {"dependencies": {"a": "1.0.0"}}}},
        {"importers": {".": {"dependencies": {"a": {"version": "1.0.0"}}}}},
        {"importers": {".": {"dependencies": {"a": {"specifier": "1", "version": "9"}}}}},
        {"importers": {".": {"dependencies": {"a": {"specifier": "1", "version": 1}}}}},
        {"snapshots": {"a@1.0.0": {"dependencies": {"b": "1.0.0"}}}},
        {"snapshots": {"b@1.0.0": {}}},
        {"packages": {}},
        {"snapshots": []},
        {"packages": {"a@1.0.0": {"resolution": "x"}}},
        {"overrides": ["a"]},
        {"overrides": {"a": 1}},
        {"catalogs": {"default": []}},
        {"patchedDependencies": {"a": {"hash": "h"}}},
        {"patchedDependencies": {"a": 1}},
        {"time": "now"},
    ],
)
def test_malformed_lockfiles(changes: dict[str, Any]) -> None:
    with pytest.raises(LockfileError):
        small(**changes)


@pytest.mark.parametrize(
    ("workspace", "manifest"),
    [
        ("- a", "{}"),
        ("catalog: []", "{}"),
        ("overrides: [a]", "{}"),
        ("patchedDependencies: {a: 1}", "{}"),
        ("onlyBuiltDependencies: a", "{}"),
        ("a: [", "{}"),
        (None, ""),
        (None, "[]"),
        (None, "{,}"),
        (None, '{"a": NaN}'),
        (None, '{"a": "\\ud800"}'),
        (None, "[" * 100_000),
        (None, '{"scripts": [1]}'),
        (None, '{"pnpm": [1]}'),
    ],
)
def test_malformed_settings(workspace: str | None, manifest: str) -> None:
    with pytest.raises(LockfileError):
        reduce_pnpm(
            json.dumps(SMALL),
            workspace_yaml=workspace,
            root_package_json=manifest,
            importers=["x"],
            keep_root_dev=None,
        )


# --- laws -------------------------------------------------------------------------------

FOLDERS = (".", "apps/a", "apps/b", "libs/c", "libs/d")
KEYS = tuple(f"p{i}@{v}.0.0" for i in range(6) for v in (1, 2))


def _section(draw: st.DrawFn, folder: str) -> dict[str, Any]:
    section: dict[str, Any] = {}
    for key in draw(st.lists(st.sampled_from(KEYS), max_size=3)):
        name, version = key.split("@")
        specifier = draw(st.sampled_from(("^1", "catalog:", "catalog:other")))
        alias = draw(st.sampled_from((name, name, "alias")))
        section[alias] = {"specifier": specifier, "version": version if alias == name else key}
    for target in draw(st.lists(st.sampled_from(FOLDERS), max_size=1)):
        up = "" if folder == "." else "../../"
        section["linked"] = {"specifier": "workspace:*", "version": f"link:{up}{target}"}
    return section


@st.composite
def workspaces(draw: st.DrawFn) -> dict[str, Any]:
    names = sorted({key.split("@")[0] for key in KEYS})
    snapshots = {}
    for key in KEYS:
        needed = draw(st.lists(st.sampled_from(KEYS), max_size=2))
        snapshots[key] = {"dependencies": dict(k.split("@") for k in needed)} if needed else {}
    catalogs = {
        catalog: {name: {"specifier": "^1", "version": "1.0.0"} for name in (*names, "alias")}
        for catalog in ("default", "other")
    }
    kinds = ("dependencies", "devDependencies", "optionalDependencies")
    return {
        "lockfileVersion": "9.0",
        "settings": {"autoInstallPeers": True},
        "catalogs": catalogs,
        "overrides": dict.fromkeys(draw(st.sets(st.sampled_from(names))), "1.0.0"),
        "importers": {
            folder: {kind: _section(draw, folder) for kind in draw(st.sets(st.sampled_from(kinds)))}
            for folder in FOLDERS
        },
        "packages": {key: {"resolution": {"integrity": f"sha512-{key}"}} for key in KEYS},
        "snapshots": snapshots,
    }


def _settings(lock: dict[str, Any]) -> dict[str, Any]:
    catalogs = {
        name: {package: entry["specifier"] for package, entry in catalog.items()}
        for name, catalog in lock["catalogs"].items()
    }
    return {"packages": ["**"], "catalogs": catalogs, "overrides": lock["overrides"]}


def _reduce(lock: dict[str, Any], folders: list[str], keep: set[str] | None) -> ReducedPnpm:
    return reduce_pnpm(
        json.dumps(lock),
        workspace_yaml=json.dumps(_settings(lock)),
        root_package_json="{}",
        importers=folders,
        keep_root_dev=keep,
    )


ANY = given(
    lock=workspaces(),
    folders=st.lists(st.sampled_from(FOLDERS), max_size=3),
    keep=st.none() | st.sets(st.sampled_from(("p0", "p1", "alias"))),
)
BRIEF = settings(max_examples=60, deadline=None)


@ANY
@BRIEF
def test_reduction_is_closed_and_minimal(
    lock: dict[str, Any], folders: list[str], keep: set[str] | None
) -> None:
    reduced = _reduce(lock, folders, keep)
    PnpmLockfile.parse(reduced.lockfile)  # refuses a reference without its target
    data = load(reduced.lockfile)
    needed: set[str] = set()
    for importer in data["importers"].values():
        for section in importer.values():
            for name, direct in section.items():
                if direct["version"].startswith("link:"):
                    continue
                key = f"{name}@{direct['version']}"
                needed.add(key if key in KEYS else direct["version"])
    for _ in KEYS:
        for key in list(needed):
            dependencies = lock["snapshots"][key].get("dependencies", {})
            needed |= {f"{name}@{version}" for name, version in dependencies.items()}
    assert set(data.get("snapshots", {})) == set(data.get("packages", {})) == needed
    assert reduced.packages == len(needed)
    assert {".", *folders} <= set(reduced.importers) == set(data["importers"])
    workspace = load(reduced.workspace_yaml or "")
    assert data.get("overrides") == workspace.get("overrides")
    assert {c: set(e) for c, e in data.get("catalogs", {}).items()} == {
        c: set(e) for c, e in workspace.get("catalogs", {}).items()
    }


@ANY
@BRIEF
def test_reduction_is_idempotent(
    lock: dict[str, Any], folders: list[str], keep: set[str] | None
) -> None:
    once = _reduce(lock, folders, keep)
    again = reduce_pnpm(
        once.lockfile,
        workspace_yaml=once.workspace_yaml,
        root_package_json=once.package_json,
        importers=folders,
        keep_root_dev=keep,
    )
    assert again == once
    assert again.digest == once.digest


@ANY
@BRIEF
def test_reduction_is_monotone(
    lock: dict[str, Any], folders: list[str], keep: set[str] | None
) -> None:
    less, more = load(_reduce(lock, folders[:1], keep).lockfile), _reduce(lock, folders, keep)
    lines = set(more.lockfile.splitlines())
    for key in ("importers", "packages", "snapshots"):
        assert set(less.get(key, {})) <= set(load(more.lockfile).get(key, {}))
    smaller = _reduce(lock, folders[:1], keep).lockfile.splitlines()
    bodies = {line for line in smaller if line.startswith(('  "p', '  "apps', '  "libs'))}
    assert bodies <= lines


@ANY
@BRIEF
def test_a_bump_out_of_reach_changes_nothing(
    lock: dict[str, Any], folders: list[str], keep: set[str] | None
) -> None:
    before = _reduce(lock, folders, keep)
    data = load(before.lockfile)
    reached = set(data.get("snapshots", {}))
    names = {name for key in reached for name in (key.split("@")[0],)}
    for importer in data["importers"].values():
        names |= {name for section in importer.values() for name in section}
    bumped = json.loads(json.dumps(lock))
    for key in KEYS:
        if key in reached:
            continue
        # Nothing kept refers to it: give it another version, hash and dependencies.
        bumped["packages"][key]["resolution"]["integrity"] = "sha512-bumped"
        bumped["snapshots"][key] = {"dependencies": {"p0": "1.0.0"}}
    for index in range(6):
        if f"p{index}" not in names:
            bumped["overrides"][f"p{index}"] = "3.0.0"
            bumped["catalogs"]["default"][f"p{index}"]["specifier"] = "^3"
    for folder in FOLDERS:
        if folder not in before.importers:
            bumped["importers"][folder] = {}
    bumped["packages"]["new@1.0.0"] = {"resolution": {"integrity": "sha512-new"}}
    bumped["snapshots"]["new@1.0.0"] = {}
    assert _reduce(bumped, folders, keep) == before


@ANY
@BRIEF
def test_order_and_style_of_the_input_do_not_matter(
    lock: dict[str, Any], folders: list[str], keep: set[str] | None
) -> None:
    def reverse(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: reverse(value[key]) for key in reversed(value)}
        return value

    reversed_lock = reverse(lock)
    text = json.dumps(reversed_lock, indent=2)
    other = reduce_pnpm(
        "# a comment\n" + text.replace("\n", "\r\n"),
        workspace_yaml=json.dumps(_settings(reversed_lock), indent=1),
        root_package_json="{ }",
        importers=folders[::-1],
        keep_root_dev=keep,
    )
    assert other == _reduce(lock, folders, keep)
