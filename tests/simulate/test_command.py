"""ciforge simulate, from the command line to the page."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.cli.conftest import ciforge, refused

PIPELINE = """\
stages: [build, test, deploy]
workflow: {rules: [{when: always}]}
build: {stage: build, script: [make], parallel: {matrix: [{APP: [api, web]}]}}
gpu: {stage: test, script: [x], tags: [gpu], needs: ["build: [api]"]}
unit: {stage: test, script: [x]}
release: {stage: deploy, script: [x], rules: [{if: $CI_COMMIT_TAG}]}
deploy: {stage: deploy, script: [x], when: manual}
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "ci.yml"
    path.write_text(PIPELINE)
    (tmp_path / "times.json").write_text('{"build": 100, "u*": 30.5}')
    return path


def test_the_table(file: Path) -> None:
    said = ciforge("simulate", file.name, "--as", "push_main", "--durations", "times.json")
    assert said.code == 0, said.err
    assert said.out == (
        "5 jobs, 4 of them run: 2:40 on 4 runners and 1 GPU runner\n"
        "  critical path  2:40  build: [api] → gpu\n"
        "  no duration is known, 60 s assumed  gpu\n"
        "\n"
        "  job           stage   when              start   end   runner\n"
        "  build: [api]  build   on_success        0:00    1:40  1\n"
        "  build: [web]  build   on_success        0:00    1:40  2\n"
        "  gpu           test    on_success        1:40    2:40  gpu 1\n"
        "  unit          test    on_success        1:40    2:10  1\n"
        "  deploy        deploy  manual, may fail  manual        somebody has to start it\n"
        "\n"
        "left out\n"
        "  job      stage   why\n"
        "  release  deploy  rules: no rule matches\n"
    )


def test_json_has_the_same_and_no_value_of_the_users_variables(file: Path) -> None:
    said = ciforge(
        *("simulate", file.name, "--format", "json", "--durations", "times.json", "--play"),
        *("--as", "tag", "--var", "CI_COMMIT_TAG=v9", "--var", "TOKEN=s3cr3t=x"),
        *("--runners", "1", "--gpu-runners", "2", "--changed", "a.py", "b.py"),
    )
    answer = said.json
    assert "s3cr3t" not in said.out
    assert {name: answer["event"]["variables"][name] for name in ("CI", "CI_COMMIT_REF_NAME")} == {
        "CI": "true",
        "CI_COMMIT_REF_NAME": "v9",
    }
    assert answer["event"]["own_variables"] == ["TOKEN"]
    assert answer["event"]["changed"] == ["a.py", "b.py"]
    assert (answer["status"], answer["runners"], answer["gpu_runners"]) == ("created", 1, 2)
    assert [(j["name"], j["start"], j["end"], j["runner"]) for j in answer["jobs"]] == [
        ("build: [api]", 0, 100, "1"),
        ("build: [web]", 100, 200, "1"),
        ("gpu", 100, 160, "gpu 1"),
        ("unit", 200, 230.5, "1"),
        ("release", 230.5, 290.5, "1"),
        ("deploy", 290.5, 350.5, "1"),
    ]
    assert answer["duration"] == 350.5
    assert answer["critical_path"] == {
        "jobs": ["build: [api]", "gpu", "release"],
        "seconds": 220,
    }
    assert answer["assumed"]["jobs"] == ["gpu", "release", "deploy"]


def test_no_pipeline_is_a_no(file: Path) -> None:
    file.write_text("a: {script: [x], rules: [{if: $NEVER}]}\nb: {script: [x], stage: .post}\n")
    said = ciforge("simulate", file.name, "--as", "push_main")
    assert said.code == 1
    assert said.out.startswith("GitLab makes no pipeline: only jobs of .pre and .post are left\n")
    file.write_text("a: {script: [x], rules: [{if: $N}]}\nb: {script: [x], needs: [a]}\n")
    said = ciforge("simulate", file.name, "--as", "push_main", "--format", "json")
    answer = json.loads(said.out)
    assert (said.code, answer["status"], answer["jobs"]) == (1, "error", [])
    assert answer["errors"][0].startswith("'b' job needs 'a' job, but 'a' does not exist")


def test_the_child_of_a_merge_request_without_workflow_rules(file: Path) -> None:
    file.write_text("a: {script: [x]}\n")
    said = ciforge("simulate", file.name, "--as", "mr_child")
    assert (said.code, said.out.splitlines()[0]) == (1, "GitLab makes no pipeline: no job is left")
    assert (
        "no rules: by default only for branches and tags, and this is a merge request" in said.out
    )


def test_nothing_changed_is_not_the_same_as_not_knowing(file: Path) -> None:
    file.write_text("a: {script: [x], rules: [{changes: ['**/*']}]}\n")
    asked = ("simulate", file.name, "--as", "push_main")
    assert ciforge(*asked).code == 0
    assert ciforge(*asked, "--changed").code == 1
    assert ciforge(*asked, "--changed", "x").code == 0


def test_local_includes_and_existing_files(file: Path) -> None:
    inner = file.parent / "ci"
    inner.mkdir()
    (inner / "more.yml").write_text("more: {script: [x], rules: [{exists: [ci/*.yml]}]}\n")
    file.write_text("include: [{local: ci/more.yml}, {project: g/p, file: x.yml}]\n")
    said = ciforge("simulate", file.name, "--as", "push_main")
    assert said.out.splitlines()[0].startswith("1 job: 1:00")
    assert "not read" in said.err
    assert "not whole" not in said.err
    there = ciforge("simulate", file.name, "--as", "push_main", "--root", "ci")
    refused(there, "ci.yml:1", "more.yml", hint="")


def test_jobs_that_build_on_what_only_gitlab_can_include_are_named(file: Path) -> None:
    jobs = "a: {extends: .go}\nb: {tags: [x]}\nc: {script: [x]}\n"
    file.write_text("include: {template: Go.gitlab-ci.yml}\n" + jobs)
    said = ciforge("simulate", file.name, "--as", "push_main")
    assert "not whole, as they build on what was not read: a, b\n" in said.err


def test_variables_that_rules_ask_for_and_nobody_gave_are_named(file: Path) -> None:
    file.write_text(
        "a: {script: [x], rules: [[{if: '$CI_PROJECT_PATH == \"g/p\"'}], {if: $CI_COMMIT_TAG}]}\n"
        "b: {script: [x], only: {variables: [$CI_COMMIT_MESSAGE =~ /skip/]}}\n"
        "c: {script: [x], rules: [{if: $CI_MERGE_REQUEST_LABELS || $OWN}]}\n"
    )
    said = ciforge("simulate", file.name, "--as", "push_main")
    assert "rules ask for them: CI_COMMIT_MESSAGE, CI_PROJECT_PATH\n" in said.err
    said = ciforge("simulate", file.name, "--as", "mr", "--var", "CI_PROJECT_PATH=g/p")
    assert "rules ask for them: CI_COMMIT_MESSAGE, CI_MERGE_REQUEST_LABELS\n" in said.err
    given = ("--var", "CI_PROJECT_PATH=g/p", "--var", "CI_COMMIT_MESSAGE=")
    assert ciforge("simulate", file.name, "--as", "tag", *given).err == ""


def test_an_include_that_only_these_variables_let_in(file: Path) -> None:
    (file.parent / "more.yml").write_text("more: {script: [x], stage: build}\n")
    file.write_text(
        "include: [{local: more.yml, rules: [{if: $MORE}]}]\n"
        "job: {script: [x], rules: [{if: $MORE}], needs: [more]}\n"
    )
    asked = ("simulate", file.name, "--as", "push_main")
    assert ciforge(*asked, "--var", "MORE=1").code == 0
    refused(ciforge(*asked), "ci.yml:2", "more", hint="")


class Page(HTMLParser):
    """What a browser would make of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [v or "" for k, v in attrs if k in ("href", "src", "onload", "onerror")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def page(path: Path) -> tuple[Page, str]:
    found = Page()
    content = path.read_text()
    found.feed(content)
    return found, content


def test_the_page_draws_every_job_that_runs_and_needs_nothing_from_elsewhere(file: Path) -> None:
    said = ciforge("simulate", file.name, "--as", "tag", "--html", "out/p.html", "-o", "out/p.txt")
    assert (said.code, said.out) == (0, "")
    assert Path("out/p.txt").read_text().startswith("6 jobs, 5 of them run")
    found, content = page(Path("out/p.html"))
    assert found.links == []
    assert not {"script", "link", "img", "iframe"} & {*found.tags}
    assert not re.search(r"url\(|@import|https?:", content)
    assert found.tags.count("g") == 5
    assert "prefers-color-scheme: dark" in content
    assert "somebody has to start it" in content
    bars = re.findall(r'<rect class="([^"]*)" x="([\d.]+)" y="\d+" width="([\d.]+)"', content)
    assert len(bars) == 5
    assert sum("late" in kind for kind, _, _ in bars) == 3
    assert all(float(x) >= 260 and float(x) + float(w) <= 1161 for _, x, w in bars)


def test_hostile_names_are_text(file: Path) -> None:
    name = "</title><script>alert(1)</script>\\x1b[31m&<img src=x onerror=y>" + "x" * 150
    file.write_text(
        f'workflow: {{rules: [{{when: always}}]}}\n"{name}": {{script: [x], rules: '
        "[{if: '$A == \"<b>\" || $CI_COMMIT_BRANCH'}]}\n"
    )
    said = ciforge("simulate", file.name, "--as", "push_main", "--html", "p.html")
    assert said.code == 0, said.err
    found, content = page(Path("p.html"))
    assert not {"script", "img", "b"} & {*found.tags}
    assert "\x1b" not in content
    assert "<b>" in "".join(found.text)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["gone.yml"], ["gone.yml", "no such file"]),
        (["ci.yml", "--var", "A"], ["'A' (--var)"]),
        (["ci.yml", "--var", "$(x)=1"], ["'$(x)' (--var)"]),
        (["ci.yml", "--runners", "-1"], ["--runners"]),
        (["ci.yml", "--runners", "x"], ["--runners"]),
        (["ci.yml", "--as", "mrchild"], ["mrchild"]),
        (["ci.yml", "--root", "nowhere"], ["nowhere", "is no folder"]),
        (["ci.yml", "--durations", "gone.json"], ["gone.json", "no such file"]),
        (["ci.yml", "--durations", "bad.json"], ["bad.json", "'a'"]),
        (["ci.yml", "--durations", "huge.json"], ["huge.json", "'a'"]),
        (["ci.yml", "--durations", "nan.json"], ["nan.json", "'a'"]),
        (["ci.yml", "--durations", "list.json"], ["list.json", "no JSON object"]),
        (["ci.yml", "--durations", "ci.yml"], ["ci.yml", "no JSON"]),
        (["ci.yml", "--durations-from", "gitlab"], ["GitLab can't be asked"]),
        (["wrong.yml"], ["wrong.yml:2", "b: "]),
    ],
)
def test_mistakes(
    file: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], parts: list[str]
) -> None:
    for name in ("CI_SERVER_URL", "CI_PROJECT_ID", "GITLAB_TOKEN", "CIFORGE_GITLAB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    (file.parent / "bad.json").write_text('{"a": "long"}')
    (file.parent / "huge.json").write_text('{"a": 1%s}' % ("0" * 400))
    (file.parent / "nan.json").write_text('{"a": NaN}')
    (file.parent / "list.json").write_text("[1]")
    (file.parent / "wrong.yml").write_text("a: {script: [x]}\nb: {script: [x], when: sometimes}\n")
    refused(ciforge("simulate", *arguments), *parts, hint="")


def test_equal_questions_get_equal_bytes(file: Path) -> None:
    asked = ("simulate", file.name, "--as", "tag", "--format", "json")
    assert ciforge(*asked).out == ciforge(*asked).out
