"""Deploy jobs: who is deployed to when, and what takes it away again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from ciforge.config.delivery import Pipeline
from ciforge.pipeline.child import child_pipeline
from ciforge.pipeline.verify import findings
from ciforge.plan.encode import encode_plan
from ciforge.plan.model import DeployPlan
from tests.cli.conftest import ciforge
from tests.pipeline.plans import child, deploy, jobs_of, plan, suite

REPLACE = msgspec.structs.replace


def of(*deploys: DeployPlan) -> Any:
    made = plan(build=["api"], suites=[suite("default")], deploys=list(deploys))
    content = child_pipeline(made, {"plan.json": encode_plan(made)})
    assert findings(content) == []
    return child(made)


def test_an_environment_says_where_it_is() -> None:
    made = of(REPLACE(deploy("staging", "auto", []), url="https://staging.example.com", stop=True))
    assert made["deploy staging"]["environment"] == {
        "name": "staging",
        "deployment_tier": "staging",
        "url": "https://staging.example.com",
        "on_stop": "stop staging",
    }
    stop = made["stop staging"]
    assert stop["environment"] == {"name": "staging", "action": "stop"}
    assert {rule["if"] for rule in stop["rules"]} == {
        rule["if"] for rule in made["deploy staging"]["rules"]
    }
    assert all(r["when"] == "manual" and r["allow_failure"] is True for r in stop["rules"])
    assert stop["needs"] == []
    assert stop["variables"]["GIT_STRATEGY"] == "none"


def test_a_review_is_one_for_each_merge_request() -> None:
    review = REPLACE(
        deploy("review", "auto", []),
        review=True,
        stop=True,
        on=["merge-request"],
        auto_stop_in="2 days",
        namespace="reviews",
    )
    made = of(review)
    job, stop = made["deploy review"], made["stop review"]
    assert job["rules"] == [{"if": "$CI_MERGE_REQUEST_IID"}]
    assert job["environment"]["name"] == "review/$CI_MERGE_REQUEST_IID"
    assert job["environment"]["auto_stop_in"] == "2 days"
    assert job["environment"]["deployment_tier"] == "development"
    assert job["resource_group"] == stop["resource_group"] == "review/$CI_MERGE_REQUEST_IID"
    assert '--instance "$CI_ENVIRONMENT_SLUG"' in job["script"][0]
    (line,) = stop["script"]
    assert line == (
        'ciforge deploy review --instance "$CI_ENVIRONMENT_SLUG" --uninstall '
        '--release "$CIFORGE_RELEASE" --namespace "$CIFORGE_NAMESPACE"'
    )
    assert stop["variables"]["CIFORGE_NAMESPACE"] == {"value": "reviews", "expand": False}


def test_an_environment_may_be_for_tags_alone() -> None:
    made = of(REPLACE(deploy("production", "manual", []), on=["tag"]))
    assert made["deploy production"]["rules"] == [
        {"if": "$CI_COMMIT_TAG", "when": "manual", "allow_failure": False}
    ]


def test_the_gate_holds_with_more_suites_than_needs() -> None:
    suites = [suite(f"s{i}") for i in range(60)]
    made = plan(build=["api"], suites=suites, deploys=[deploy("staging", "auto", [])])
    job = child(made)["deploy staging"]
    assert "needs" not in job  # the whole stage smoke is what it waits for
    assert child(made)["stages"].index("smoke") < child(made)["stages"].index(job["stage"])
    few = plan(build=["api"], suites=suites[:48], deploys=[deploy("staging", "auto", [])])
    assert len(child(few)["deploy staging"]["needs"]) == 50


@pytest.mark.parametrize(
    ("event", "created"),
    [
        ("main_child", {"deploy staging", "stop staging", "deploy production"}),
        ("tag", {"deploy staging", "stop staging", "deploy production"}),
        ("mr_child", {"deploy review", "stop review"}),
        ("push_branch", set()),
    ],
)
def test_who_deploys_in_which_pipeline(tmp_path: Path, event: str, created: set[str]) -> None:
    review = REPLACE(deploy("review", "auto", []), review=True, stop=True, on=["merge-request"])
    staging = REPLACE(deploy("staging", "auto", []), stop=True)
    deploys = [staging, deploy("production", "manual", []), review]
    made = plan(build=["api"], suites=[suite("default")], deploys=deploys)
    child = tmp_path / "child.yml"
    child.write_bytes(child_pipeline(made, {"plan.json": encode_plan(made)}))
    told = ciforge("simulate", str(child), "--as", event, "--format", "json").json
    jobs = {job["name"]: job for job in told["jobs"]}
    assert set(jobs) == {"plan", "build", "smoke default"} | created


def test_more_suites_than_jobs_are_allowed_share_jobs() -> None:
    suites = [suite(f"s{i:02}", gpu=i % 10 == 0) for i in range(60)]
    made = plan(build=["api"], suites=suites, deploys=[deploy("staging", "auto", [])])
    made = REPLACE(made, pipeline=Pipeline(max_jobs=20))
    jobs = jobs_of(child(made))
    assert len(jobs) <= 20
    smoke = {name: job for name, job in jobs.items() if name.startswith("smoke ")}
    tested = [word for job in smoke.values() for word in job["script"][-1].split()]
    assert sorted(w for w in tested if w.startswith("s") and w[1:].isdigit()) == [
        s.suite for s in suites
    ]
    assert {job["tags"][0] for name, job in smoke.items() if "gpu" in name} == {"gpu"}
    assert set(smoke) <= set(jobs["deploy staging"]["needs"])
    seconds = len([w for w in smoke["smoke part 1"]["script"][-1].split() if w == "--suite"]) * 600
    assert smoke["smoke part 1"]["timeout"] == f"{seconds // 60 + 15} minutes"


def test_more_deploys_than_jobs_are_allowed_is_an_error() -> None:
    deploys = [deploy(f"e{i}", "auto", []) for i in range(12)]
    made = REPLACE(plan(build=["api"], deploys=deploys), pipeline=Pipeline(max_jobs=10))
    with pytest.raises(ValueError, match="12 deploys and extra jobs leave no room"):
        child(made)
