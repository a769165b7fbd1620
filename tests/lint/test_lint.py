"""One fault each: the rule that finds it, the line, the job, and what to do."""

from __future__ import annotations

import pytest

from ciforge.lint import Finding, lint
from tests.gitlab_ci.verdicts import Fixtures


def found(text: str, **files: str) -> list[Finding]:
    fixtures = Fixtures({f"{name}.yml": content for name, content in files.items()})
    return lint("ci.yml", text, fixtures)


def rules(text: str) -> list[str]:
    return [finding.rule for finding in found(text)]


def job(keywords: str, more: str = "") -> str:
    return f"stages: [a, b]\n{more}j:\n  stage: b\n  script: [x]\n  {keywords}\n"


FAULTS = {
    # keywords and types
    "scirpt: [y]": "unknown-key",
    "secrets: {A: {vault: b}}": "unknown-key",
    "tags: docker": "wrong-type",
    "tags: [1]": "wrong-type",
    f"tags: [{', '.join(f't{i}' for i in range(50))}]": "too-many",
    "before_script: [{a: b}]": "wrong-type",
    "timeout: 3600": "bad-duration",
    "timeout: 31 days": "bad-duration",
    "timeout: soon": "bad-duration",
    "coverage: 'x'": "bad-regexp",
    "coverage: '/(?=x)/'": "bad-regexp",
    "interruptible: 'yes'": "wrong-type",
    "when: sometimes": "unknown-value",
    "when: delayed": "bad-duration",
    "start_in: 1 hour": "exclusive-keys",
    "retry: 3": "out-of-range",
    "retry: {when: often}": "unknown-value",
    "allow_failure: 1": "wrong-type",
    "resource_group: 1": "wrong-type",
    "publish: x": "exclusive-keys",
    "image: {entrypoint: [a]}": "missing",
    "image: {name: a, docker: {user: null}}": "blank",
    "image: 1.5": "wrong-type",
    "services: [{name: a, alias: 1}]": "wrong-type",
    "services: [{name: a, variables: {A: {value: b}}}]": "wrong-type",
    "id_tokens: {T: }": "missing",
    "inherit: {default: [script]}": "unknown-value",
    "inputs: {a: {type: string}}": "spec-invalid",
    "inputs: {a: }": "spec-invalid",
    "inputs: {a: {default: x, rules: []}}": "spec-invalid",
    "inputs: {a: {default: x, type: number}}": "inputs-value",
    "inputs: [a]": "wrong-type",
    # storing
    "artifacts: [a]": "wrong-type",
    "artifacts: {expire_in: a week or so}": "bad-duration",
    "artifacts: {public: true, access: all}": "exclusive-keys",
    "artifacts: {expose_as: x, paths: ['*']}": "bad-format",
    "artifacts: {reports: {pytest: x}}": "unknown-key",
    "artifacts: {reports: {coverage_report: {coverage_format: lcov, path: x}}}": "unknown-value",
    "cache: [{}, {}, {}, {}, {}]": "too-many",
    "cache: {key: a/b}": "bad-format",
    "cache: {key: {files: []}}": "too-short",
    "cache: {key: {prefix: a}}": "exclusive-keys",
    "release: {tag_name: v1}": "missing",
    "release: {tag_name: v1, description: d, ref: 'a b'}": "bad-format",
    "release: {tag_name: v1, description: d, assets: {links: []}}": "blank",
    "release: {tag_name: v1, description: d, assets: {links: [a]}}": "wrong-type",
    "release: {tag_name: v1, description: d, assets: {}}": "missing",
    "pages: public": "wrong-type",
    # flow
    "rules: {if: $A}": "wrong-type",
    "rules: [{if: A}]": "bad-expression",
    "rules: [{if: '$A =~ /x/'}]": "bad-expression",
    "rules: [{when: delayed}]": "missing",
    "rules: [{start_in: 1 hour}]": "exclusive-keys",
    "rules: [{changes: a}]": "wrong-type",
    "rules: [{exists: {paths: [a], ref: b}}]": "missing",
    "rules: [{variables: {A: {value: b}}}]": "wrong-type",
    "rules: [{needs: [{pipeline: $P, job: b}]}]": "wrong-type",
    "rules: [{if: $A}]\n  only: [main]": "exclusive-keys",
    "only: main": "wrong-type",
    "except: {refs: ['/(/']}": "wrong-type",
    "needs: a": "wrong-type",
    "needs: [{job: }]": "missing",
    "needs: [{project: a, job: b, ref: c}]": "wrong-type",
    "variables: {A: [b]}": "wrong-type",
    "variables: {A: {value: b, description: c}}": "unknown-key",
    "parallel: 201": "out-of-range",
    "parallel: '2'": "wrong-type",
    "parallel: {matrix: [{A: [1.5]}]}": "wrong-type",
    f"parallel: {{matrix: [{{A: [{', '.join(map(str, range(201)))}]}}]}}": "too-many",
    # deploying
    "environment: a/": "bad-format",
    "environment: {url: x}": "missing",
    "environment: {name: a, action: go}": "unknown-value",
    "environment: {name: a, kubernetes: {flux_resource_path: x, namespace: y}}": "missing",
    # relations
    "stage: c": "unknown-stage",
    "needs: [ghost]": "unknown-need",
    "needs: [j]": "needs-circle",
    "dependencies: [ghost]": "unknown-dependency",
    "environment: {name: a, on_stop: ghost}": "bad-on-stop",
    "variables: {A: $B, B: $A}": "variables-circle",
    "rules: [{needs: [ghost]}]": "unknown-need",
}


@pytest.mark.parametrize("keywords", FAULTS)
def test_a_fault_in_a_job(keywords: str) -> None:
    text = job(keywords)
    if keywords.startswith("stage:"):
        text = text.replace("  stage: b\n", "")
    findings = found(text)
    assert [finding.rule for finding in findings] == [FAULTS[keywords]]
    assert findings[0].job == "j"
    assert findings[0].hint
    line = next(n for n, row in enumerate(text.split("\n"), 1) if keywords.split("\n")[0] in row)
    missing = keywords == "when: delayed"  # what is not there stands nowhere: the job's line
    assert missing or findings[0].line in range(line, line + 1 + keywords.count("\n"))


BRIDGES = {
    "tags: [a]": "unknown-key",
    "when: delayed": "unknown-value",
    "parallel: 2": "bad-parallel",
    "trigger: {project: a/b, strategy: wait}": "unknown-value",
    "trigger: {include: {local: a.yml}}": "wrong-type",
    "trigger: {include: [a.yml, b.yml, c.yml, d.yml]}": "too-many",
    "trigger: {include: [{artifact: a.yml}]}": "missing",
    "trigger: {include: [{project: a/b}]}": "missing",
    "trigger: {include: [{local: a.yml, integrity: sha256-YQ==}]}": "bad-format",
    "trigger: {include: [{remote: 'https://a/b.yml', integrity: sha256-*}]}": "bad-format",
    "trigger: {include: [{local: a.yml, rules: {if: $A}}]}": "wrong-type",
    "trigger: {include: [{local: a.yml, rules: [{when: manual}]}]}": "include-invalid",
    "trigger: {include: [1]}": "wrong-type",
    "trigger: {include: [{artifact: a.yml, job: ghost}]}": "unknown-dependency",
    "trigger: {branch: main}": "missing",
    "trigger: {include: a.yml, inputs: {a: b}}": "unknown-key",
    "trigger: {project: a, forward: {yaml_variables: 1}}": "wrong-type",
    "allow_failure: {exit_codes: 1}": "wrong-type",
    "needs: [{pipeline: $P, job: a}]": "wrong-type",
    "trigger:": "no-work",
}


@pytest.mark.parametrize("keywords", BRIDGES)
def test_a_fault_in_a_trigger_job(keywords: str) -> None:
    trigger = "" if keywords.startswith("trigger") else "trigger: a/b\n  "
    assert rules(f"j:\n  stage: test\n  {trigger}{keywords}\n") == [BRIDGES[keywords]]


TOP = {
    ".h: {script: x}": "no-jobs",
    "j: {stage: test}": "no-work",
    "j: just text": "no-work",
    "42: {script: x}": "bad-name",
    "true: {script: x}": "bad-name",
    "? [a, b]\n: {script: x}": "bad-name",
    f"{'n' * 256}: {{script: x}}": "bad-name",
    "j: {script: x}\n.h: {}": "blank",
    "j: {script: x}\nstages: [1]": "wrong-type",
    "j: {script: x}\ndefault: {variables: {}}": "unknown-key",
    "j: {script: x}\nworkflow: {rules: [{when: manual}]}": "unknown-value",
    "j: {script: x}\nworkflow: {auto_cancel: {on_new_commit: yes}}": "unknown-value",
    "j: {script: x}\nimage: a\ndefault: {image: b}": "defined-twice",
    "j: {script: x}\nvariables: {A: {value: a, options: [b]}}": "unknown-value",
    "j: {script: x}\nvariables: {A: $B, B: '${C}', C: x%A%}": "variables-circle",
    "j: {script: x, needs: [k]}\nk: {script: x, parallel: 51}": "too-many-needs",
    "j: {script: x, rules: [{needs: [k]}]}\nk: {script: x, parallel: 2}": "unknown-need",
    "j: {script: x, stage: build, needs: [k]}\nk: {script: x}": "later-need",
    "j: {script: x, needs: [k, k]}\nk: {script: x}": "duplicate-need",
    "j: {script: x, needs: [k], dependencies: [l]}\nk: {script: x}\nl: {script: x}": (
        "dependency-not-needed"
    ),
    "a: {script: x, needs: [b]}\nb: {script: x, needs: [c]}\nc: {script: x, needs: [a]}": (
        "needs-circle"
    ),
    "j: {script: x, run: [{name: a, script: b}]}": "exclusive-keys",
    "j: {before_script: x, run: [{name: a, script: b}]}": "exclusive-keys",
    "   \n": "empty",
}


@pytest.mark.parametrize("text", TOP)
def test_a_fault_at_the_top(text: str) -> None:
    assert rules(text) == [TOP[text]]


def test_all_faults_of_a_kind_are_found_in_the_order_of_lines() -> None:
    findings = found("j:\n  script: x\n  tags: a\n  when: b\nk:\n  script: x\n  retry: 9\n")
    assert [(f.line, f.job, f.rule) for f in findings] == [
        (3, "j", "wrong-type"),
        (4, "j", "unknown-value"),
        (7, "k", "out-of-range"),
    ]


def test_a_fault_of_an_included_file_stands_there() -> None:
    (finding,) = found(
        "include: a.yml\nj: {extends: .h}", a="# hidden\n.h:\n  script: x\n  tags: 1\n"
    )
    assert (finding.file, finding.line, finding.job) == ("a.yml", 4, "j")


def test_a_symbol_is_a_word_but_no_string() -> None:
    assert rules(job("tags:\n    - :a\n  before_script: :b")) == []
    assert rules(job("rules:\n    - when: :never")) == []
    assert rules(job("when: :manual")) == ["unknown-value"]
    assert rules(job("resource_group: :x")) == ["wrong-type"]


def test_a_misspelt_word_is_answered_with_the_nearest() -> None:
    assert found(job("artefacts: {}"))[0].hint == "did you mean artifacts?"
    assert found(job("when: on_sucess"))[0].hint == "did you mean on_success?"


def test_a_scalar_that_yaml_types_is_to_be_quoted() -> None:
    (finding,) = found(job("image: {name: 1.10}"))
    assert finding.hint.startswith('quote the value: "1.1" is a float')
    (finding,) = found(job("tags: [a, yes]"))
    assert finding.hint.startswith('quote the value: "true" is a bool')


def test_needs_of_a_matrix() -> None:
    matrix = "b:\n  script: x\n  parallel: {matrix: [{A: [x, y], B: [z]}]}\n"
    assert rules(f"{matrix}j: {{script: x, needs: ['b: [x, z]']}}") == []
    assert rules(f"{matrix}j: {{script: x, needs: ['b: [z, x]']}}") == ["unknown-need"]
    chosen = "{job: b, parallel: {matrix: [{A: x, B: z}]}}"
    assert rules(f"{matrix}j: {{script: x, needs: [{chosen}]}}") == []
    own = "parallel: {matrix: [{V: [x, y]}]}, needs: ['b: [$[[ matrix.V ]], z]']"
    assert rules(f"{matrix}j: {{script: x, {own}}}") == []


def test_a_circle_of_variables_counts_where_it_is_inherited() -> None:
    top = "variables: {A: $B, B: $A}\n"
    assert rules(f"{top}j: {{script: x}}\nk: {{script: x}}") == ["variables-circle"]
    assert rules(f"{top}j: {{script: x, inherit: {{variables: false}}}}") == []
    assert rules(f"{top}j: {{script: x, inherit: {{variables: [A]}}}}") == []
    assert rules(f"{top}j: {{script: x, variables: {{A: c}}}}") == []


@pytest.mark.parametrize(
    "text",
    [
        f"j: {{script: x, timeout: '{'9' * 5000} one'}}",
        "j: {script: x, timeout: '² one hour'}",
        f"j: {{script: x, retry: {{max: '{'9' * 5000}'}}}}",
        f"j: {{script: x, retry: {'9' * 5000}}}",
        f"j: {{script: x, retry: {'9' * 5000}:30}}",
        f"j: {{script: x, tags: 0x{'f' * 3990}}}",
        f"j: {{script: x, parallel: {'9' * 3000}}}",
        "".join(f".r{i}: {{k: !reference [.r{i + 1}, k]}}\n" for i in range(2000))
        + "j: {script: x}",
        "j: {script: x}\n" + "a: " + "[" * 3000,
    ],
)
def test_what_is_far_too_much_is_a_finding_too(text: str) -> None:
    assert found(text) != []


def test_a_need_of_chosen_instances_of_a_job_without_parallel_is_the_job() -> None:
    chosen = "needs: [{job: a, parallel: {matrix: [{A: x}]}}]"
    assert rules(f"a: {{script: x}}\nj: {{script: x, {chosen}}}") == []


def test_a_thousand_jobs_are_not_too_many() -> None:
    jobs = "".join(
        f"b{i}: {{stage: a, script: [x], rules: [{{if: '$A =~ /^v{i}/'}}], tags: [t]}}\n"
        f"j{i}: {{stage: b, script: [x], needs: [b{i}], variables: {{A: $B, C: d}}}}\n"
        for i in range(500)
    )
    assert rules(f"stages: [a, b]\n{jobs}") == []


@pytest.mark.parametrize(
    "keywords",
    [
        f"parallel: {{matrix: [{{A: [{', '.join(map(str, range(200)))}]}}]}}",
        f"tags: [{', '.join(f't{i}' for i in range(49))}]",
        "parallel: 200",
        "inputs: {a: {default: x, options: [x, y]}, b: {default: 2, type: number}}",
        "cache: [{}, {}, {}, {}]",
        "timeout: 30 days",
        "when: delayed\n  start_in: 1 week",
        f"rules: [{{changes: [{', '.join('x' * 50)}]}}]",
        "artifacts: {expose_as: a-b c_d, paths: [x]}",
        f"environment: {{name: a, url: {'u' * 255}}}",
        "release: {tag_name: a, description: d, assets: {links: [{url: $A/b}, {c: 1}, {}]}}",
    ],
)
def test_a_limit_itself_is_allowed(keywords: str) -> None:
    assert rules(job(keywords)) == []
