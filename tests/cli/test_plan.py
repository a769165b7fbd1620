"""`ciforge plan` and `ciforge digest` on the bundled workspace, with its recorded graph."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ciforge.cli.main import run
from tests.conftest import Repo
from tests.example import copy_example

Command = Callable[..., str]


@pytest.fixture
def example(tmp_path: Path) -> Repo:
    repo = copy_example(tmp_path / "all-erp")
    repo.git("switch", "--quiet", "--create", "feature")
    return repo


@pytest.fixture
def ciforge(example: Repo, capsys: pytest.CaptureFixture[str]) -> Command:
    def command(name: str, *arguments: str, code: int = 0) -> str:
        graph = ["--graph", str(example.path / "project-graph.json")]
        assert run(["-C", str(example.path), name, *graph, *arguments]) == code
        return capsys.readouterr().out

    return command


def actions(plan: str) -> dict[str, str]:
    return {s["name"]: s["action"] for s in json.loads(plan)["services"]}


def plan_of(ciforge: Command, *arguments: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        ciforge("plan", "--offline", "--format", "json", *arguments)
    )
    return document


def edit(repo: Repo, path: str, old: str, new: str) -> None:
    text = (repo.path / path).read_text()
    assert old in text
    (repo.path / path).write_text(text.replace(old, new))


BACK_ENDS = {"assistant-service", "auth-service", "billing-service", "search-service"}


def built(plan: dict[str, Any]) -> set[str]:
    return {s["name"] for s in plan["services"] if s["action"] == "build"}


def test_a_change_in_a_library_builds_what_reads_it(example: Repo, ciforge: Command) -> None:
    example.commit(files={"libs/common/src/index.ts": "export {};\n"})
    plan = plan_of(ciforge)
    assert built(plan) == BACK_ENDS
    assert plan["base"]["rule"] == "default-branch"
    assert plan["base"]["commit"] == example.git("rev-parse", "main")
    auth = next(s for s in plan["services"] if s["name"] == "auth-service")
    assert auth["chain"] == ["libs/common/src/index.ts", "common", "auth-service"]
    assert auth["reason"] == "libs/common/src/index.ts changed"
    assert auth["image"] == "registry.all-erp.local/all-erp/auth-service"
    assert [s["suite"] for s in plan["smoke"] if s["run"]] == ["default"]


def test_documentation_builds_nothing(example: Repo, ciforge: Command) -> None:
    example.commit(files={"docs/new.md": "# New\n", "README.md": "new\n"})
    plan = plan_of(ciforge)
    assert plan["counts"] == {"build": 0, "reuse": 0, "unaffected": 6}
    assert plan["affected"] == ["docs"]
    assert not any(s["run"] for s in [*plan["smoke"], *plan["deploys"]])


def test_a_spec_file_affects_but_builds_nothing(example: Repo, ciforge: Command) -> None:
    example.commit(files={"libs/common/src/new.spec.ts": "x"})
    plan = plan_of(ciforge)
    assert "auth-service" in plan["affected"]
    assert built(plan) == set()
    auth = next(s for s in plan["services"] if s["name"] == "auth-service")
    assert (auth["action"], auth["assumed"]) == ("reuse", True)
    assert auth["reason"] == "affected, but no input of its image changed"


def test_what_nx_does_not_know_builds_too(example: Repo, ciforge: Command) -> None:
    example.commit(files={".npmrc": "engine-strict=true\n"})
    plan = plan_of(ciforge)
    assert plan["affected"] == []
    assert built(plan) == {*BACK_ENDS, "web"}
    assert plan["services"][0]["reason"] == ".npmrc was added"


def test_uncommitted_and_untracked_files_count(example: Repo, ciforge: Command) -> None:
    example.write({"apps/web/src/app/new.tsx": "x"})
    edit(example, "apps/auth-service/src/main.ts", "import", "import ")
    plan = plan_of(ciforge)
    assert built(plan) == {"auth-service", "web"}
    assert plan["head"]["uncommitted"] == 2


def test_a_bump_that_one_service_reaches(example: Repo, ciforge: Command) -> None:
    lock = (example.path / "pnpm-lock.yaml").read_text()
    entry = lock.index("\n  next@")
    start = lock.index("integrity: ", entry) + len("integrity: ")
    end = lock.index("}", start)
    changed = lock[:start] + "sha512-" + "A" * 86 + "==" + lock[end:]
    example.commit(files={"pnpm-lock.yaml": changed})
    plan = plan_of(ciforge)
    assert built(plan) == {"web"}
    assert len(plan["affected"]) == 13
    by_name = {s["name"]: s for s in plan["services"]}
    assert by_name["auth-service"]["action"] == "reuse"
    assert by_name["web"]["reason"] == "root pnpm-lock.yaml changed"


def test_a_root_dev_dependency_that_no_build_uses(example: Repo, ciforge: Command) -> None:
    edit(example, "package.json", '"vitest": "', '"vitest": "^')
    edit(example, "pnpm-lock.yaml", "specifier: 4.", "specifier: ^4.")
    example.commit()
    assert built(plan_of(ciforge)) == set()


def test_the_same_inputs_the_same_bytes(example: Repo, ciforge: Command) -> None:
    example.commit(files={"libs/common/src/index.ts": "export {};\n"})
    first = ciforge("plan", "--offline", "--format", "json")
    for path in example.path.rglob("*.ts"):
        path.touch()
    assert ciforge("plan", "--offline", "--format", "json") == first
    digest = ciforge("digest", "auth-service")
    example.path = example.path.rename(example.path.with_name("moved"))
    assert ciforge("digest", "auth-service") == digest


ASSUMED = "images with the base's inputs are assumed to exist"


def test_the_table(example: Repo, ciforge: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_DATE", "2026-01-02T00:00:00Z")
    example.commit(files={"apps/web/src/app/new.tsx": "x", "apps/web/src/app/b.tsx": "x"})
    lines = ciforge("plan", "--offline").splitlines()
    base, head = (example.git("rev-parse", r)[:8] for r in ("main", "HEAD"))
    assert lines[:15] == [
        "6 services: 1 to build, 0 reused, 5 unaffected",
        f"  base      {base}, where this work left main (rule: default-branch)",
        f"  head      {head} on feature",
        f"  registry  registry.all-erp.local/all-erp: not asked (--offline); {ASSUMED}",
        "",
        "  SERVICE            ACTION      WHY",
        "  web                build       apps/web/src/app/b.tsx was added and 1 more",
        "  assistant-service  unaffected  no input of its image changed",
        "  auth-service       unaffected  no input of its image changed",
        "  billing-service    unaffected  no input of its image changed",
        "  search-service     unaffected  no input of its image changed",
        "  vllm               unaffected  a ready image, the same as at the base  (GPU)",
        "",
        "  smoke     default: run, web is new to it",
        "  smoke     gpu: skip, none of its services changed",
    ]


def test_the_details(example: Repo, ciforge: Command) -> None:
    example.commit(files={"apps/web/src/app/new.tsx": "x"})
    lines = ciforge("plan", "--offline", "--details").splitlines()
    start = lines.index("web")
    assert lines[start + 1].startswith("  recognised  nextjs: apps/web/next.config.")
    assert lines[start + 2].startswith("  image       registry.all-erp.local/all-erp/web:in-")
    assert lines[start + 4] == "    + file  apps/web/src/app/new.tsx"


def test_markdown_and_mermaid(example: Repo, ciforge: Command) -> None:
    example.commit(files={"libs/common/src/index.ts": "export {};\n"})
    markdown = ciforge("plan", "--offline", "--format", "markdown")
    assert "| auth-service | build | libs/common/src/index.ts changed" in markdown
    mermaid = ciforge("plan", "--offline", "--format", "mermaid")
    assert mermaid.startswith("flowchart LR\n")
    assert "change --> s1" in mermaid


def test_written_to_a_file(example: Repo, ciforge: Command, tmp_path: Path) -> None:
    target = tmp_path / "out" / "plan.json"
    assert ciforge("plan", "--offline", "--format", "json", "-o", str(target)) == ""
    assert json.loads(target.read_text())["version"] == 1


def test_a_digest_has_the_documented_shape(ciforge: Command) -> None:
    document = json.loads(ciforge("digest", "web", "--format", "json"))
    assert document["service"] == "web"
    assert document["digest"].startswith("sha256:")
    assert len(document["digest"]) == 71
    files = {e["name"] for e in document["entries"] if e["kind"] == "file"}
    assert "apps/web/next.config.mjs" in files or any("next.config" in f for f in files)
    assert not any("spec" in f for f in files)
    assert not any(f.startswith("apps/auth-service/") for f in files)


def test_the_difference_of_a_digest(example: Repo, ciforge: Command) -> None:
    edit(example, "libs/common/src/index.ts", "export", "export ")
    text = ciforge("digest", "auth-service", "--against", "main")
    assert "  ~ file  libs/common/src/index.ts  100644 " in text
    document = json.loads(
        ciforge("digest", "auth-service", "--against", "main", "--format", "json")
    )
    assert [(c["change"], c["kind"], c["name"]) for c in document["changes"]] == [
        ("changed", "file", "libs/common/src/index.ts")
    ]
    same = ciforge("digest", "web", "--against", "main")
    assert "the same inputs as at main" in same


def test_everything_counts_after_a_zero_before_sha(
    example: Repo, ciforge: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITLAB_CI", "true")
    monkeypatch.setenv("CI_COMMIT_BRANCH", "feature")
    monkeypatch.setenv("CI_COMMIT_BEFORE_SHA", "0" * 40)
    plan = plan_of(ciforge)
    assert plan["base"]["commit"] is None
    assert plan["base"]["rule"] == "before-sha"
    assert plan["counts"]["build"] == 5
    assert "a new branch" in plan["base"]["reason"]


def test_the_configuration_at_the_base_counts(example: Repo, ciforge: Command) -> None:
    edit(example, "ciforge.yaml", "image:\n", 'image:\n  salt: "1"\n')
    plan = plan_of(ciforge)
    assert built(plan) == {*BACK_ENDS, "web"}
    assert plan["services"][0]["reason"] == "setting salt-0 was added"


def test_a_graph_that_is_older_than_a_new_package(example: Repo, ciforge: Command) -> None:
    example.commit(files={"libs/new/package.json": '{"name": "@all-erp/new"}'})
    plan = plan_of(ciforge)
    assert any("libs/new/package.json is no project in it" in w for w in plan["warnings"])


def test_a_package_outside_the_workspace_is_no_sign(example: Repo, ciforge: Command) -> None:
    example.commit(files={"tools/x/package.json": '{"name": "x"}'})
    assert not any("is no project in it" in w for w in plan_of(ciforge)["warnings"])


def test_a_plan_read_back_shows_what_was_shown(
    example: Repo, ciforge: Command, tmp_path: Path
) -> None:
    example.commit(files={"libs/common/src/index.ts": "export {};\n"})
    shown = ciforge("plan", "--offline")
    ciforge("plan", "--offline", "--format", "json", "-o", str(tmp_path / "plan.json"))
    assert run(["plan", "--read", str(tmp_path / "plan.json")]) == 0
    again = tmp_path / "again.txt"
    assert run(["plan", "--read", str(tmp_path / "plan.json"), "-o", str(again)]) == 0
    assert again.read_text() == shown
    assert run(["plan", "--read", str(tmp_path / "plan.json"), "--base", "main"]) == 2


def test_a_saved_graph_is_the_graph_and_no_change_of_the_plan(
    example: Repo, ciforge: Command
) -> None:
    example.commit(files={"libs/common/src/index.ts": "export {};\n"})
    saved = example.path / "graph.json"
    with_it = ciforge("plan", "--offline", "--format", "json", "--save-graph", str(saved))
    assert saved.read_bytes() == (example.path / "project-graph.json").read_bytes()
    saved.unlink()
    assert ciforge("plan", "--offline", "--format", "json") == with_it


def test_another_configuration_by_its_name(
    example: Repo, ciforge: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = example.path / "ci/shop.yml"
    other.parent.mkdir()
    other.write_text("workspace: ..\nenvironments: {moon: {}}\n")
    monkeypatch.setenv("CIFORGE_CONFIG", str(other))
    assert [deploy["environment"] for deploy in plan_of(ciforge)["deploys"]] == ["moon"]
    other.unlink()
    ciforge("plan", code=2)
