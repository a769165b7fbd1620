"""What the how-to pages say of the pipeline is what happens."""

from __future__ import annotations

import re

import msgspec
import pytest
import yaml

from ciforge.collect.ci_files import CiFiles
from ciforge.config.load import parse_config
from ciforge.lint import lint
from ciforge.pipeline.child import child_pipeline
from ciforge.pipeline.verify import findings
from tests.example import REPOSITORY
from tests.pipeline.plans import FULL, child, deploy

REPLACE = msgspec.structs.replace
RUNNERS = ["runners-docker-in-docker", "runners-rootless-buildkit", "runners-buildah"]
PAGES = [*RUNNERS, "add-to-gitlab", "customise-the-pipeline", "gpu-services"]


def blocks(page: str) -> list[str]:
    text = (REPOSITORY / f"docs/how-to/{page}.md").read_text()
    return re.findall(r"```yaml[^\n]*\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_configurations_give_pipelines_that_gitlab_takes(page: str) -> None:
    for block in blocks(page):
        if block.startswith("include"):
            files = CiFiles.around(REPOSITORY / ".gitlab-ci.yml")
            assert lint("ci.yml", f"{block}\nother:\n  script: [x]\n", files) == []
        elif not block.startswith(("build:", "ciforge-plan:")):
            config = parse_config(block, page)
            deploys = [
                REPLACE(
                    deploy(name, each.when, []),
                    review=each.review,
                    stop=each.stop or each.review,
                    on=["merge-request"] if each.review else list(each.on),
                    url=each.url,
                )
                for name, each in config.environments.items()
            ] or FULL.deploys
            pipeline = REPLACE(config.pipeline, include=())  # the file is the user's
            made = REPLACE(FULL, pipeline=pipeline, runners=config.runners, deploys=deploys)
            assert findings(child_pipeline(made, {"plan.json": b""})) == []


@pytest.mark.parametrize("page", RUNNERS)
def test_the_job_of_a_runner_is_the_one_that_is_shown(page: str) -> None:
    configured, shown = (next(b for b in blocks(page) if b.startswith(s)) for s in ("run", "build"))
    made = REPLACE(FULL, runners=parse_config(configured, page).runners)
    job = child(made, **{"graph.json": b"{}"})["build"]
    for key, value in yaml.safe_load(shown)["build"].items():
        assert job[key] == value, key
