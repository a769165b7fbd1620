"""Files that include what only GitLab can read: what that may hold is not held against them."""

from __future__ import annotations

import pytest

from ciforge.lint import lint

OUTSIDE = "include: {template: Go.gitlab-ci.yml}\n"


def rules(text: str) -> list[str]:
    return [finding.rule for finding in lint("ci.yml", text)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "j: {script: x, stage: q, needs: [unit]}",
        "j: {extends: .go}",
        ".h: {extends: .go}\nj: {extends: [.h]}",
        "j: {script: [!reference [.go, script], x]}",
        "j: {script: !reference [.go, script]}\nk: {script: !reference [j, script]}",
        "j: {script: x, rules: [!reference [.go, rules]], needs: [k]}\nk: {extends: .go}",
        "j: {script: x, environment: {name: a, on_stop: stop}}\nstop: {extends: .go}",
        "j: {script: x, stage: build, needs: [k]}\nk: {script: x}",
        "default: !reference [.go, default]\nj: {script: x}",
        # A job, hidden or not, over one that is included: GitLab merges them key by key.
        "j: {needs: [], rules: [{when: always}]}",
        "j: {tags: [a], retry: 1, image: {entrypoint: ['']}}",
        "j: {release: {tag_name: v1}, start_in: 1 day, publish: x}",
        "j: {artifacts: {expose_as: x}, cache: {key: {prefix: a}}, id_tokens: {A: {}}}",
        "j: {when: delayed, environment: {url: x, kubernetes: {namespace: a}}}",
        "j: {trigger: {strategy: depend}}",
        "j: {}",
        ".h: {}\nj: {extends: .h, variables: {A: b}}",
        "default: {image: {entrypoint: ['']}}\nvariables: {A: {options: [b]}}",
        "stages: [a, b]\nj: {needs: [k]}\nk: {script: x, stage: b}",
        "stages: [a, test, b]\nj: {script: x, stage: a, needs: [k]}\nk: {tags: [x]}",
        "j: {environment: {name: a, on_stop: s}}\ns: {tags: [a]}",
        "j: {environment: {on_stop: s}}\ns: {environment: {name: a, action: stop}}",
        "j: {environment: {name: a, on_stop: s}}\ns: {environment: {name: a}}",
    ],
)
def test_what_only_gitlab_can_include_may_hold_every_name(text: str) -> None:
    assert rules(OUTSIDE + text) == []
    assert rules(text or "{}") != []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("j: {script: x, tags: 1}", "wrong-type"),
        (
            "stages: [a, b]\nj: {script: x, stage: a, needs: [k]}\nk: {script: x, stage: b}",
            "later-need",
        ),
        ("j: {extends: j}", "extends-circular"),
        ("j: {script: !reference []}", "reference-malformed"),
        ("j: {script: x, needs: [j]}", "needs-circle"),
        ("j: {tags: a}", "wrong-type"),
        ("j: {taggs: [a]}", "unknown-key"),
        ("j: {script: }", "missing"),
        ("j: {trigger: }", "no-work"),
        ("j: text", "no-work"),
        ("j:", "no-work"),
        (".h:", "blank"),
        ("j: {when: manual, start_in: 1 day}", "exclusive-keys"),
        ("j: {rules: [], only: [main]}", "exclusive-keys"),
        ("j: {services: [{alias: a}]}", "missing"),
        ("j: {rules: [{when: delayed}]}", "missing"),
        ("j: {pages: false, publish: x}", "exclusive-keys"),
        ("j: {cache: {key: {files: [a], files_commits: [b]}}}", "exclusive-keys"),
    ],
)
def test_what_is_wrong_whatever_is_included(text: str, rule: str) -> None:
    assert rules(OUTSIDE + text) == [rule]
