"""What workspace folders reach through the lockfiles of npm and yarn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ciforge.lockfile import LockfileError, reached_packages

FIXTURES = Path(__file__).parent / "fixtures"
FOLDERS = ("apps/auth", "apps/billing", "libs/common")


def _text(case: str, side: str = "base") -> str:
    name = "package-lock.json" if "npm" in case else "yarn.lock"
    return (FIXTURES / case / side / name).read_text()


def _names(reached: list[tuple[str, str, str]]) -> list[str]:
    return [f"{name}@{version}" for name, version, _ in reached]


AUTH = [
    "ansi-styles@4.3.0",
    "chalk@3.0.0",
    "color-convert@2.0.1",
    "color-name@1.1.4",
    "debug@2.6.9",
    "depd@2.0.0",
    "destroy@1.2.0",
    "ee-first@1.1.1",
    "encodeurl@1.0.4",
    "escape-html@1.0.3",
    "etag@1.8.1",
    "fresh@0.5.2",
    "has-flag@4.0.0",
    "http-errors@2.0.0",
    "inherits@2.0.4",
    "is-number@7.0.0",
    "js-tokens@4.0.0",
    "loose-envify@1.4.0",
    "mime@1.6.0",
    "minimist@1.2.8",
    "ms@2.0.0",
    "ms@2.1.3",
    "on-finished@2.4.1",
    "range-parser@1.2.1",
    "react@18.2.0",
    "send@0.18.0",
    "setprototypeof@1.2.0",
    "statuses@2.0.1",
    "supports-color@7.2.0",
    "toidentifier@1.0.1",
    "use-sync-external-store@1.2.0",
    "vendored@1.0.0",
]


def _manifests() -> dict[str, dict[str, Any]]:
    lock = json.loads(_text("npm3"))["packages"]
    return {folder: lock[folder] for folder in FOLDERS}


@pytest.mark.parametrize("case", ["npm2", "npm3", "yarn3", "yarn4"])
def test_an_app_and_its_library(case: str) -> None:
    name = "package-lock.json" if "npm" in case else "yarn.lock"
    assert _names(reached_packages(name, _text(case), ["apps/auth"])) == AUTH


def test_yarn_1_with_manifests() -> None:
    manifests = _manifests()
    reached = reached_packages("yarn.lock", _text("yarn1"), ["apps/auth"], manifests=manifests)
    assert [n.replace("chalk3@", "chalk@") for n in _names(reached)] == sorted(AUTH)
    with pytest.raises(LockfileError, match="manifests"):
        reached_packages("yarn.lock", _text("yarn1"), ["apps/auth"])
    with pytest.raises(LockfileError, match="apps/gone"):
        reached_packages("yarn.lock", _text("yarn1"), ["apps/gone"], manifests=manifests)


@pytest.mark.parametrize("case", ["npm2", "npm3", "yarn3", "yarn4"])
def test_another_projects_bump_changes_nothing(case: str) -> None:
    # At head apps/billing has another chalk, which also moves packages between folders.
    name = "package-lock.json" if "npm" in case else "yarn.lock"
    before, after = (_text(case, side) for side in ("base", "head"))
    assert before != after
    same = [reached_packages(name, text, ["apps/auth"]) for text in (before, after)]
    # npm and yarn 4 saw a newly packed vendored tarball.
    before, after = ([r for r in reached if r[0] != "vendored"] for reached in same)
    assert before == after
    for side, chalk in (("base", "chalk@4.1.2"), ("head", "chalk@4.1.1")):
        assert chalk in _names(reached_packages(name, _text(case, side), ["apps/billing"]))


def test_npm_moves_a_package() -> None:
    def lock(root: str, other: str, **nested: str) -> str:
        def package(version: str) -> dict[str, str]:
            return {"version": version, "integrity": f"sha512-{version}"}

        packages: dict[str, Any] = {
            "": {},
            "a": {"dependencies": {"x": "1"}},
            "b": {"dependencies": {"x": other}},
            "node_modules/a": {"resolved": "a", "link": True},
            "node_modules/x": package(root),
        }
        packages |= {f"{path}/node_modules/x": package(v) for path, v in nested.items()}
        return json.dumps({"lockfileVersion": 3, "packages": packages})

    hoisted = lock("1.0.0", "1")
    moved = lock("2.0.0", "2", a="1.0.0")
    expected = [("x", "1.0.0", "sha512-1.0.0")]
    assert reached_packages("package-lock.json", hoisted, ["a"]) == expected
    assert reached_packages("package-lock.json", moved, ["a"]) == expected
    assert reached_packages("package-lock.json", moved, ["b"]) == [("x", "2.0.0", "sha512-2.0.0")]


def test_npm_links_bundles_and_missing_optionals() -> None:
    text = _text("made-npm3")
    assert _names(reached_packages("package-lock.json", text, ["libs/x"])) == ["a@1.5.0", "b@1.2.0"]
    root = json.loads(text)
    root["packages"][""] = {
        "dependencies": {"@acme/x": "*", "c": "2"},
        "peerDependencies": {"p": ""},
    }
    reached = _names(reached_packages("package-lock.json", json.dumps(root), ["."]))
    assert reached == ["a@1.5.0", "b@1.2.0", "c@2.0.0-rc.1"]


def test_yarn_patches_come_with_the_package() -> None:
    reached = reached_packages("yarn.lock", _text("made-yarn4"), ["apps/app"])
    assert reached == [
        ("a", "1.2.0", "10c0/a12"),
        ("a", "1.2.0", "10c0/patched"),
        ("b", "1.0.1", "10c0/b101"),
        ("typescript", "5.4.5", "10c0/ts"),
        ("typescript", "5.4.5", "10c0/tspatched"),
    ]


@pytest.mark.parametrize(
    ("name", "case", "folder"),
    [
        ("package-lock.json", "npm3", "apps/gone"),
        ("package-lock.json", "npm1", "."),
        ("yarn.lock", "yarn4", "apps/gone"),
        ("pnpm-lock.yaml", "npm3", "."),
    ],
)
def test_refused(name: str, case: str, folder: str) -> None:
    with pytest.raises(LockfileError):
        reached_packages(name, _text(case), [folder])
