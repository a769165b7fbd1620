"""Which jobs there are, which are left out and why, beyond what GitLab's own answers cover."""

from __future__ import annotations

from typing import Any

import pytest

from ciforge.errors import InputError
from ciforge.gitlab_ci.document import resolve
from ciforge.simulate.creation import create
from ciforge.simulate.events import PRESETS, completed
from ciforge.simulate.model import Event, Job, Pipeline


def made(text: str, event: str = "push_main", **more: Any) -> Pipeline:
    variables = completed({**PRESETS[event], **more.pop("variables", {})})
    return create(resolve(text, "ci.yml"), Event(variables, **more))


def names(pipeline: Pipeline) -> list[str]:
    return [job.name for job in pipeline.jobs]


def only(pipeline: Pipeline) -> Job:
    (job,) = pipeline.jobs
    return job


def one_job(keys: str) -> str:
    return f"job: {{script: [x], {keys}}}"


@pytest.mark.parametrize(
    ("keys", "event", "there"),
    [
        ("only: [main]", "push_main", True),
        ("only: [main]", "push_branch", False),
        ("only: [/^fea/]", "push_branch", True),
        ("only: [/^FEA/i]", "push_branch", True),
        ("only: [/^v/]", "tag", True),
        ("only: [tags]", "tag", True),
        ("only: [tags]", "push_main", False),
        ("only: [branches]", "push_main", True),
        ("only: [branches]", "mr", False),
        ("only: [merge_requests]", "mr", True),
        ("only: [feature]", "mr", False),
        ("only: [pushes]", "push_main", True),
        ("only: [schedules]", "schedule", True),
        ("only: [web]", "web", True),
        ("only: [web]", "push_main", False),
        ("only: [branches@group/project]", "push_main", False),
        ("only: {variables: [$CI_COMMIT_TAG]}", "push_main", False),
        ("only: {variables: ['$CI_COMMIT_BRANCH == \"main\"']}", "push_main", True),
        ("only: {refs: [merge_requests], variables: [$CI_COMMIT_TAG]}", "mr", False),
        ("except: [main]", "push_main", False),
        ("except: [main]", "push_branch", True),
        ("except: [main]", "mr", False),
        ("except: {variables: [$CI_COMMIT_TAG]}", "tag", False),
        ("only: [main], except: {changes: [docs/*]}", "push_main", False),
    ],
)
def test_only_and_except(keys: str, event: str, there: bool) -> None:
    assert bool(made(one_job(keys), event).jobs) is there


def test_a_project_path_in_a_ref() -> None:
    text = one_job("only: [branches@group/project]")
    assert names(made(text, variables={"CI_PROJECT_PATH": "group/project"})) == ["job"]


def test_a_cluster_is_taken_to_be_connected_unless_told_otherwise() -> None:
    text = one_job("only: {kubernetes: active}")
    assert names(made(text)) == ["job"]
    assert names(made(text, has_cluster=False)) == []


@pytest.mark.parametrize(
    ("clause", "changed", "there"),
    [
        ("[docs/**/*]", None, True),
        ("[docs/**/*]", (), False),
        ("[docs/**/*]", ("docs/a/b.md",), True),
        ("[docs/**/*]", ("src/x",), False),
        ("{paths: ['$DIR/*']}", ("docs/x",), True),
        ("{paths: []}", ("docs/x",), False),
    ],
)
def test_changes(clause: str, changed: tuple[str, ...] | None, there: bool) -> None:
    text = f"variables: {{TOP: docs, DIR: $TOP}}\n{one_job(f'rules: [{{changes: {clause}}}]')}"
    assert bool(made(text, changed=changed).jobs) is there


@pytest.mark.parametrize(
    ("clause", "there"),
    [
        ("[Dockerfile]", True),
        ("[main.py]", False),
        ("['*.py']", False),
        ("['**/*.py']", True),
        ("{paths: [apps/api/main.py]}", True),
        ("[apps]", False),
        ("['$DIR/api/*']", True),
        ("[$DEEP]", False),
    ],
)
def test_exists(clause: str, there: bool) -> None:
    text = "variables: {DIR: apps, DEEP: apps/api/main.py}\n"
    text += one_job(f"rules: [{{exists: {clause}}}]")
    files = ("Dockerfile", "apps/api/main.py")
    assert bool(made(text, files=files).jobs) is there


def test_the_first_rule_that_matches_decides_all() -> None:
    pipeline = made(
        """
job:
  script: [x]
  variables: {A: job}
  when: manual
  needs: [other]
  rules:
    - if: $CI_COMMIT_TAG
      when: never
    - if: $CI_COMMIT_BRANCH
      allow_failure: false
      variables: {A: rule, B: more}
      needs: []
    - when: always
other: {script: [x], stage: build}
"""
    )
    job = pipeline.jobs[1]
    assert (job.name, job.when, job.allow_failure) == ("job", "manual", False)
    assert job.variables == {"A": "rule", "B": "more"}
    assert job.rule == "rule 2 (if: $CI_COMMIT_BRANCH): manual"
    # An empty list in a rule takes nothing away.
    assert [need.job for need in job.needs or ()] == ["other"]


def test_a_rule_replaces_the_needs_but_gitlab_checks_those_of_the_job() -> None:
    text = """
a: {script: [x], stage: build, rules: [{if: $CI_COMMIT_TAG}]}
b: {script: [x], stage: build}
job: {script: [x], needs: [a], rules: [{needs: [b]}]}
"""
    assert [need.job for need in made(text, "tag").jobs[2].needs or ()] == ["b"]
    refused = made(text)
    assert refused.status == "error"
    assert "'job' job needs 'a' job" in refused.errors[0]


def test_a_delay() -> None:
    job = only(made(one_job("when: delayed, start_in: 90 minutes")))
    assert (job.when, job.start_in) == ("delayed", 5400)
    job = only(made(one_job("rules: [{when: delayed, start_in: 1 day}]")))
    assert job.start_in == 86400


def test_workflow_rules_give_variables_to_the_rules_of_jobs() -> None:
    text = """
workflow:
  auto_cancel: {on_new_commit: interruptible}
  rules:
    - if: $CI_COMMIT_TAG
      variables: {KIND: release}
      auto_cancel: {on_new_commit: none}
    - if: $CI_COMMIT_BRANCH
job: {script: [x], rules: [{if: $KIND == "release"}]}
other: {script: [x]}
"""
    released = made(text, "tag")
    assert names(released) == ["job", "other"]
    assert released.auto_cancel == {"on_new_commit": "none"}
    pushed = made(text)
    assert names(pushed) == ["other"]
    assert pushed.auto_cancel == {"on_new_commit": "interruptible"}
    assert [(left.name, left.reason) for left in pushed.left_out] == [
        ("job", "rules: no rule matches")
    ]
    filtered = made(text, "mr")
    assert filtered.status == "no_pipeline_workflow"
    assert filtered.reason == "workflow: no rule matches"


def test_given_variables_win_over_the_file_and_the_file_over_gitlab() -> None:
    text = "variables: {A: file, CI_COMMIT_BRANCH: mine}\n" + one_job(
        "rules: [{if: $A == 'given' && $CI_COMMIT_BRANCH == 'mine'}]"
    )
    assert names(made(text, variables={"A": "given"})) == ["job"]
    assert names(made(text)) == []


def test_gitlabs_own_variables_of_a_job() -> None:
    text = one_job("parallel: 3, rules: [{if: $CI_JOB_NAME =~ /2.3/}, {if: $CI_NODE_INDEX == '3'}]")
    assert names(made(text)) == ["job 2/3", "job 3/3"]


def test_values_are_compared_as_they_are_written() -> None:
    text = "variables: {A: x, B: $A}\n" + one_job("rules: [{if: $B == '$A'}]")
    assert names(made(text)) == ["job"]


@pytest.mark.parametrize(("inherit", "there"), [("false", False), ("[A]", True), ("[B]", False)])
def test_inherited_variables(inherit: str, there: bool) -> None:
    text = "variables: {A: x, B: y}\n" + one_job(
        f"inherit: {{variables: {inherit}}}, rules: [{{if: $A}}]"
    )
    assert bool(made(text).jobs) is there


def test_matrix_values_fill_needs_tags_and_resource_groups() -> None:
    pipeline = made(
        """
build: {stage: build, script: [x], parallel: {matrix: [{APP: [api, web]}]}}
test:
  script: [x]
  parallel: {matrix: [{APP: [api, web]}]}
  tags: [linux, $APP]
  resource_group: test-$APP
  needs: [{job: build, parallel: {matrix: [{APP: ["$[[ matrix.APP ]]"]}]}}]
all: {script: [x], needs: [build]}
"""
    )
    test = next(job for job in pipeline.jobs if job.name == "test: [web]")
    assert (test.base, test.tags, test.resource_group) == ("test", ("linux", "web"), "test-web")
    assert [need.job for need in test.needs or ()] == ["build: [web]"]
    every = next(job for job in pipeline.jobs if job.name == "all")
    assert [need.job for need in every.needs or ()] == ["build: [api]", "build: [web]"]


def test_variables_that_contain_each_other() -> None:
    text = "variables: {A: $B, B: $C, C: $A, D: $D, E: $A}\n" + one_job("stage: test")
    assert made(text).errors == ('job: circular variable reference detected: ["A", "B", "C"]',)
    raw = "variables: {A: $B, B: {value: $A, expand: false}}\n" + one_job("stage: test")
    assert made(raw).errors == ()


@pytest.mark.parametrize("value", ["$A{0}$A{0}", "$A{0}$A{0}$X", "$A{0}"])
def test_variables_that_grow_without_end(value: str) -> None:
    chain = ", ".join(f"A{i}: {value.format(i + 1)}" for i in range(2000))
    text = f"variables: {{{chain}, A2000: ''}}\n" + one_job("tags: [$A0]")
    with pytest.raises(InputError, match="too often"):
        made(text)


def test_variables_within_variables_within_variables() -> None:
    chain = ", ".join(f"A{i}: $A{i + 1}" for i in range(50))
    assert only(made(f"variables: {{{chain}, A50: x}}\n" + one_job("tags: [$A0]"))).tags == ("x",)


def test_a_doubled_sign_names_no_variable() -> None:
    text = "variables: {A: a, B: $$A}\n" + one_job('tags: [$A, $$A, "%A%", "%%A%", $B]')
    assert only(made(text)).tags == ("a", "$$A", "a", "%%A%", "$$A")
    assert made("variables: {A: $$B, B: $$A}\n" + one_job("stage: test")).errors == ()


def test_triggers() -> None:
    pipeline = made(
        """
a: {trigger: {include: [{local: x.yml}], strategy: depend}}
b: {trigger: {project: g/p}}
"""
    )
    assert [(j.is_trigger, j.waits_for_child) for j in pipeline.jobs] == [
        (True, True),
        (True, False),
    ]


def test_a_thousand_jobs_that_need_one_are_no_matter() -> None:
    jobs = "".join(f"j{i}: {{script: [x], needs: [root]}}\n" for i in range(1000))
    pipeline = made(f"root: {{script: [x], stage: build}}\n{jobs}")
    assert len(pipeline.jobs) == 1001
