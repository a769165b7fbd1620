"""A user's own words in the generated jobs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ciforge.config.delivery import GpuRunner, Pipeline, Runner, Runners
from ciforge.pipeline.child import child_pipeline
from ciforge.pipeline.customise import merged
from ciforge.pipeline.verify import blame, findings
from ciforge.plan.model import Plan
from tests.pipeline.plans import FULL, child

REPLACE = msgspec.structs.replace


def with_(**words: Any) -> Plan:
    return REPLACE(FULL, pipeline=Pipeline(**words))


def test_mappings_are_merged_lists_replaced_null_removes() -> None:
    below = {"a": {"x": 1, "y": 2}, "b": [1, 2], "c": 3}
    assert merged(below, {"a": {"y": 5, "z": 6}, "b": [9], "c": None}) == {
        "a": {"x": 1, "y": 5, "z": 6},
        "b": [9],
    }
    assert below == {"a": {"x": 1, "y": 2}, "b": [1, 2], "c": 3}


def test_defaults_stand_below_what_a_job_says_itself() -> None:
    made = child(
        with_(
            defaults={
                "before_script": ["login"],
                "tags": ["linux"],
                "variables": {"LEVEL": "info", "GIT_DEPTH": "5"},
                "artifacts": {"expire_in": "1 day", "public": False},
                "retry": {"max": 2},
            }
        )
    )
    assert made["default"]["before_script"] == ["login"]
    assert made["default"]["tags"] == ["linux"]
    assert made["smoke gpu"]["tags"] == ["gpu", "a100"]
    assert made["variables"]["LEVEL"] == "info"
    assert made["variables"]["GIT_DEPTH"] == "5"
    assert made["build"]["artifacts"]["expire_in"] == "1 week"
    assert made["build"]["artifacts"]["public"] is False
    assert made["default"]["retry"]["max"] == 2
    assert "script_failure" not in made["default"]["retry"]["when"]


def test_a_pattern_changes_the_jobs_that_it_names() -> None:
    made = child(
        with_(
            jobs={
                "smoke *": {"variables": {"A": "1", "B": "1"}, "retry": {"max": 0}},
                "smoke gpu": {"variables": {"B": "2"}, "timeout": "3 hours", "artifacts": None},
                "deploy *": {"id_tokens": {"VAULT": {"aud": "https://vault"}}},
            }
        )
    )
    assert made["smoke default"]["variables"] == {"A": "1", "B": "1"}
    assert made["smoke gpu"]["variables"] == {"A": "1", "B": "2"}
    assert made["smoke gpu"]["timeout"] == "3 hours"
    assert "artifacts" not in made["smoke gpu"]
    # what is merged is what the job would inherit
    assert made["smoke default"]["retry"] == {"max": 0, "when": made["default"]["retry"]["when"]}
    assert made["deploy staging"]["id_tokens"] == {"VAULT": {"aud": "https://vault"}}
    assert "variables" not in made["deploy staging"]


def test_a_pattern_may_name_jobs_of_other_days_but_no_unknown_ones() -> None:
    child(with_(jobs={"smoke idle": {"timeout": "1h"}, "build api": {}, "images": {}}))
    with pytest.raises(ValueError, match=r"'smok \*' fits no job; did you mean 'smoke"):
        child(with_(jobs={"smok *": {}}))


def test_extra_jobs_can_hold_deploys_back() -> None:
    made = child(
        with_(
            stages=["plan", "build", "images", "scan", "smoke", "deploy", "after"],
            extra_jobs={
                "scan": {"stage": "scan", "script": ["scan"]},
                "tell": {"stage": "after", "script": ["tell"]},
                "e2e": {"script": ["e2e"]},
            },
            gates=["scan"],
        )
    )
    assert made["stages"][3] == "scan"
    assert made["e2e"]["stage"] == "smoke"
    assert made["deploy staging"]["needs"][-1] == "scan"
    with pytest.raises(ValueError, match="there is a job 'plan' already"):
        child(with_(extra_jobs={"plan": {"script": ["x"]}}))
    with pytest.raises(ValueError, match="must hold plan, build, images, smoke, deploy"):
        child(with_(stages=["build", "plan", "images", "smoke", "deploy"]))


def test_local_files_are_included_from_the_root() -> None:
    assert child(with_(include=["ci/more.yml"]))["include"] == [{"local": "/ci/more.yml"}]


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ({"jobs": {"smoke *": {"timeout": 3600}}}, "pipeline.jobs.'smoke *'"),
        ({"jobs": {"build": {"trigger": {"include": "x"}}}}, "pipeline.jobs.'build'"),
        ({"extra_jobs": {"scan": {"script": ["x"], "stage": "nope"}}}, "pipeline.extra_jobs.scan"),
        ({"defaults": {"colour": "red"}}, "pipeline.defaults"),
        ({"defaults": {"variables": 3}}, "pipeline.defaults"),
        ({"extra_jobs": {"image": {"script": ["x"]}}}, "pipeline.extra_jobs"),
        ({"gates": ["scan"]}, "pipeline.gates"),
    ],
)
def test_who_is_to_blame_for_what_gitlab_would_refuse(words: dict[str, Any], cause: str) -> None:
    made = with_(**words)
    found = findings(child_pipeline(made, {"plan.json": b""}))
    assert found
    assert blame(found[0], made.pipeline) == cause


def test_where_gpus_are_scarce_or_missing() -> None:
    gpu = GpuRunner(tags=("a100",), resource_group="a100", missing="manual")
    made = child(REPLACE(FULL, runners=Runners(gpu=gpu)))
    job = made["smoke gpu"]
    assert job["resource_group"] == "a100"
    assert (job["when"], job["allow_failure"]) == ("manual", False)
    assert "stuck_or_timeout_failure" not in job["retry"]["when"]
    assert "smoke gpu" in made["deploy staging"]["needs"]
    waived = REPLACE(FULL.deploys[0], may_be_missing=["gpu"])
    made = child(REPLACE(FULL, runners=Runners(gpu=gpu), deploys=[waived, FULL.deploys[1]]))
    assert "smoke gpu" not in made["deploy staging"]["needs"]
    assert "smoke gpu" in made["deploy production"]["needs"]
    # Without the policy a job that fails holds everything back, waived or not.
    made = child(REPLACE(FULL, deploys=[waived]))
    assert "smoke gpu" in made["deploy staging"]["needs"]
    assert "when" not in made["smoke gpu"]


def test_no_gpu_runner_at_all() -> None:
    suites = [REPLACE(s, runner_tags=[]) for s in FULL.smoke]
    job = child(REPLACE(FULL, smoke=suites, runners=Runners(default=Runner(tags=("x",)))))
    assert "nvidia-smi" not in job["smoke gpu"]["script"]
