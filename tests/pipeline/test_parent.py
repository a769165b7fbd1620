"""The parent pipeline that users include, and ciforge's own use of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ciforge.collect.ci_files import CiFiles
from ciforge.lint import lint
from tests.builders import graph, graph_json, project
from tests.cli.conftest import ciforge
from tests.conftest import Repo
from tests.e2e.workspace import job_environment
from tests.example import REPOSITORY, copy_example
from tests.infra import ci_local

PARENT = REPOSITORY / "pipelines/ciforge.gitlab-ci.yml"
COMPONENT = REPOSITORY / "templates/ciforge.yml"
FILES = CiFiles.around(REPOSITORY / ".gitlab-ci.yml", REPOSITORY)


def including(inputs: dict[str, Any], more: str = "") -> str:
    include = [{"local": "pipelines/ciforge.gitlab-ci.yml", "inputs": inputs}]
    return yaml.safe_dump({"include": include}) + more


def test_the_component_is_the_same_file() -> None:
    # GitLab does not follow links in a repository everywhere, so it is a copy.
    assert COMPONENT.read_bytes() == PARENT.read_bytes()


def test_gitlab_takes_ciforges_own_pipeline() -> None:
    name = ".gitlab-ci.yml"
    assert lint(name, (REPOSITORY / name).read_text(), FILES) == []


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"tags": ["linux", "docker"], "workspace": "apps/shop", "depth": 50},
        {"strategy": "depend", "graph": "graph.json", "config": "ci/ciforge.yaml"},
        {"plan-stage": "build", "trigger-stage": "deploy", "image": "ciforge:1"},
        {"fetch-flags": "--prune --quiet --filter=blob:none", "install": "pnpm install"},
    ],
)
def test_gitlab_takes_it_with_inputs(inputs: dict[str, Any]) -> None:
    assert lint("ci.yml", including(inputs), FILES) == []
    snippet = "- local: pipelines/workflow.gitlab-ci.yml\n"
    assert lint("ci.yml", including(inputs) + snippet, FILES) == []


@pytest.mark.parametrize("inputs", [{"strategy": "none"}, {"depth": "deep"}, {"tag": []}])
def test_gitlab_refuses_wrong_inputs(inputs: dict[str, Any]) -> None:
    assert lint("ci.yml", including(inputs), FILES)


def test_every_input_is_used_and_every_use_is_declared() -> None:
    header, _, body = PARENT.read_text().partition("\n---\n")
    declared = set(yaml.safe_load(header)["spec"]["inputs"])
    assert declared == set(re.findall(r"\$\[\[ inputs\.([a-z-]+) \]\]", body))


def test_only_the_child_is_an_artifact() -> None:
    body = PARENT.read_text().partition("\n---\n")[2]
    assert yaml.safe_load(re.sub(r"\$\[\[.*?\]\]", "x", body))["ciforge-plan"]["artifacts"][
        "paths"
    ] == ["child.yml"]


@pytest.mark.parametrize(
    ("event", "variables", "planned"),
    [
        ("push_main", [], True),
        ("push_branch", [], True),
        ("push_branch", ["CI_OPEN_MERGE_REQUESTS=acme/shop!7"], False),
        ("mr", [], True),
        ("tag", [], True),
        ("schedule", [], True),
        ("web", ["CI_OPEN_MERGE_REQUESTS=acme/shop!7"], True),
    ],
)
def test_one_pipeline_for_each_change(
    tmp_path: Path, event: str, variables: list[str], planned: bool
) -> None:
    """Whatever the including file says of `workflow`: here nothing at all."""
    (tmp_path / "ci.yml").write_text(including({}) + "other:\n  script: [x]\n")
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines/ciforge.gitlab-ci.yml").write_bytes(PARENT.read_bytes())
    more = [part for variable in variables for part in ("--var", variable)]
    told = ciforge("simulate", str(tmp_path / "ci.yml"), "--as", event, *more, "--format", "json")
    names = {job["name"] for job in told.json["jobs"]}
    assert ({"ciforge-plan", "ciforge"} <= names) is planned
    assert ("ciforge" in names) is planned


@pytest.mark.docker
@pytest.mark.parametrize("branch", ["main", "$(touch${IFS}pwned)", '";touch${IFS}pwned;#'])
def test_a_runner_executes_the_parent_and_its_child(tmp_path: Path, branch: str) -> None:
    repo = copy_example(tmp_path / "all-erp")
    repo.git("init", "--quiet", "--bare", "--initial-branch=main", str(tmp_path / "origin.git"))
    repo.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    # gitlab-ci-local takes no empty list of tags, and ignores the others.
    inputs = {"graph": "project-graph.json", "strategy": "depend", "tags": ["any"]}
    repo.commit(
        files={
            ".gitlab-ci.yml": including(inputs),
            "pipelines/ciforge.gitlab-ci.yml": PARENT.read_text(),
        }
    )
    repo.git("push", "--quiet", "origin", "main")
    repo.git("switch", "--quiet", "--force-create", branch)
    before = repo.git("rev-parse", "HEAD")
    repo.commit(files={"docs/operations.md": "Only words.\n"})
    repo.git("push", "--quiet", "origin", branch)
    done = ci_local.run(
        repo.path,
        env=job_environment(),
        variables={"CI_COMMIT_BEFORE_SHA": before},
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    assert ci_local.outcomes(done.stdout) == {
        "ciforge-plan": "PASS",
        "ciforge": "PASS",
        "plan": "PASS",
    }, done.stdout
    assert "0 to build" in ci_local.logs(repo.path)["plan"]
    assert not list(tmp_path.rglob("pwned"))


INSTALL = """\
#!/bin/sh
# As a package manager: afterwards there is an Nx, here one that knows its answer.
mkdir -p node_modules/.bin
cat > node_modules/.bin/nx <<'END'
#!/bin/sh
for argument; do
  case "$argument" in --file=*) cp graph.json "${argument#--file=}";; esac
done
END
chmod +x node_modules/.bin/nx
echo the packages are installed
"""


@pytest.mark.docker
def test_packages_are_installed_only_when_the_cached_graph_is_in_doubt(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "shop")
    repo.path.mkdir()
    repo.git("init", "--quiet", "--initial-branch=main")
    made = graph(
        [project("api", "apps/api", "app"), project("common", "libs/common")], [("api", "common")]
    )
    origin = str(tmp_path / "origin.git")
    repo.git("init", "--quiet", "--bare", "--initial-branch=main", origin)
    repo.git("remote", "add", "origin", origin)
    inputs = {"install": "sh install.sh", "tags": ["any"]}
    repo.commit(
        files={
            ".gitignore": "node_modules\n.gitlab-ci-local\n",
            ".gitlab-ci.yml": including(inputs),
            "pipelines/ciforge.gitlab-ci.yml": PARENT.read_text(),
            "install.sh": INSTALL,
            "graph.json": graph_json(made),
            "nx.json": "{}",
            "package.json": "{}",
            "package-lock.json": "{}",
            "libs/common/project.json": '{"name": "common"}',
            "libs/common/src/index.ts": "export const a = 1;\n",
            "apps/api/project.json": '{"name": "api"}',
            "apps/api/src/main.ts": "import { a } from '@o/common';\n",
        }
    )

    def log() -> str:
        repo.git("push", "--quiet", "origin", "main")
        done = ci_local.run(repo.path, "ciforge-plan", env=job_environment(), timeout=120)
        assert done.returncode == 0, done.stdout
        return ci_local.logs(repo.path)["ciforge-plan"]

    first = log()
    assert "the packages are installed" in first
    repo.commit(files={"libs/common/src/index.ts": "export const a = 2;\n"})
    second = log()
    assert "the packages are installed" not in second
    assert "graph     reused: 1 file differs" in second
    repo.commit(files={"libs/common/src/index.ts": "import x from 'x';\n"})
    assert "the packages are installed" in log()
