"""A resolved document: includes, inputs, extends, references, defaults, and where all came from."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ciforge.gitlab_ci.document import Document, resolve
from ciforge.gitlab_ci.nodes import Map, Refused


class Repository(dict[str, str]):
    """Files by path."""

    def read(self, path: str) -> str | None:
        return self.get(path)

    def paths(self) -> list[str]:
        return list(self)


def document(text: str, **files: str) -> Document:
    repository = Repository({f"{name}.yml": content for name, content in files.items()})
    return resolve(text, "ci.yml", repository)


def document_in(repository: Repository, text: str) -> Map:
    return resolve(text, "ci.yml", repository).root


def refusal(text: str, **files: str) -> Refused:
    with pytest.raises(Refused) as caught:
        document(text, **files)
    return caught.value


def job(text: str, name: str = "j", **files: str) -> dict[str, Any]:
    return dict(document(text, **files).jobs[name])


def test_stages_get_their_edges_and_jobs_their_stage() -> None:
    found = document("stages: [one, .post, two]\nj: {script: x}\n.hidden: {script: y}")
    assert found.stages == (".pre", "one", "two", ".post")
    assert list(found.jobs) == ["j"]
    assert found.jobs["j"]["stage"] == "test"
    assert document("j: {script: x}").stages == (".pre", "build", "test", "deploy", ".post")


def test_default_reaches_jobs_that_inherit() -> None:
    text = (
        "image: old\ndefault: {image: new, tags: [a], retry: 1}\n"
        "j: {script: x, retry: 2}\n"
        "none: {script: x, inherit: {default: false}}\n"
        "some: {script: x, inherit: {default: [tags]}}\n"
        "child: {trigger: a/b}"
    )
    assert job(text) == {
        "script": "x",
        "retry": 2,
        "stage": "test",
        "image": "new",
        "tags": ["a"],
    }
    assert "image" not in job(text, "none")
    assert (job(text, "some").get("tags"), job(text, "some").get("image")) == (["a"], None)
    assert "tags" not in job(text, "child")


def test_extends_merges_mappings_and_replaces_lists() -> None:
    text = (
        ".a: {variables: {X: 1, Y: 1}, script: [a]}\n"
        ".b: {extends: .a, variables: {Y: 2}}\n"
        "j:\n  extends: [.b]\n  script: [j]"
    )
    assert job(text)["variables"] == {"X": 1, "Y": 2}
    assert job(text)["script"] == ["j"]


def test_keys_keep_the_place_that_they_came_from() -> None:
    found = document(
        "include: common.yml\nj:\n  extends: .a\n  stage: test", common=".a:\n  script: x"
    )
    assert str(found.where("j", "script")) == "common.yml:2"
    assert str(found.where("j", "stage")) == "ci.yml:4"
    assert str(found.where("j")) == "ci.yml:2"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("j: {extends: .x}", "extends-unknown"),
        ("j: {extends: j, script: x}", "extends-circular"),
        ("a: {extends: b}\nb: {extends: a}", "extends-circular"),
        ("n: 1\nj: {extends: n}", "extends-unknown"),
        ("j: {script: !reference [k, script]}", "reference-unknown"),
        ("j: {script: !reference k}", "reference-malformed"),
        ("j: {script: !reference [j, script]}", "reference-circular"),
        ("include: ci.txt", "include-invalid"),
        ("include: none.yml", "include-invalid"),
        ("include: {lokal: a.yml}", "include-invalid"),
        ("include: {local: a.yml, remote: 'https://a/b.yml'}", "include-invalid"),
        ("include: {local: empty.yml}", "include-invalid"),
        ("include: self.yml", "include-limit"),
        ("include: {project: a/b}", "include-invalid"),
        ("include: {project: a/b, file: c.txt}", "include-invalid"),
        ("include: {project: 1, file: c.yml}", "include-invalid"),
        ("include: {template: Go}", "include-invalid"),
        ("include: {remote: a.yml}", "include-invalid"),
        ("include: {remote: 'https://a/b.txt'}", "include-invalid"),
        ("include: {component: [a]}", "include-invalid"),
        ("include: {component: gitlab.com/a/b}", "include-invalid"),
        ("include: {local: ' '}", "include-invalid"),
        ("variables: {A: b}\ninclude: {local: '$A.yml'}", "include-invalid"),
        ("- a", "yaml-no-mapping"),
        ("a: [", "yaml-syntax"),
        ("a: &a [*a]", "yaml-too-big"),
        ("a: *b", "yaml-alias"),
        ("a: 2026-01-01", "yaml-class"),
    ],
)
def test_refused(text: str, rule: str) -> None:
    assert refusal(text, empty=" \n", self="include: self.yml").rule == rule


def test_eleven_levels_of_extends_are_the_limit() -> None:
    def chain(levels: int) -> str:
        hidden = "".join(f".h{i}: {{extends: .h{i + 1}}}\n" for i in range(levels - 1))
        return f"{hidden}.h{levels - 1}: {{script: x}}\nj: {{extends: .h0}}"

    assert job(chain(11))["script"] == "x"
    assert refusal(chain(13)).rule == "extends-depth"


def test_references_flatten_in_scripts_and_rules() -> None:
    text = (
        ".a: {script: [one, two], rules: [{if: $A}]}\n"
        "j:\n  script: [!reference [.a, script], three]\n"
        "  rules: [!reference [.a, rules], {when: never}]"
    )
    assert job(text)["script"] == ["one", "two", "three"]
    assert job(text)["rules"] == [{"if": "$A"}, {"when": "never"}]


def test_includes_merge_below_the_file_and_wildcards_stay_in_their_folder() -> None:
    files = Repository({"ci/a.yml": "j: {script: a, tags: [x]}", "ci/deep/b.yml": "k: {script: b}"})
    found = resolve("include: /ci/*.yml\nj: {script: j}", "ci.yml", files)
    assert found.jobs["j"] == {"script": "j", "tags": ["x"], "stage": "test"}
    assert "k" not in found.jobs
    assert "k" in resolve("include: 'ci/**.yml'", "ci.yml", files).jobs
    assert list(resolve("include: 'ci/**/*.yml'", "ci.yml", files).jobs) == ["k"]


_PATHS = st.text(alphabet="ab/", max_size=10)


@settings(max_examples=300)
@given(st.text(alphabet="ab/**", max_size=10), st.lists(_PATHS, max_size=20))
def test_wildcards_match_what_gitlabs_regular_expressions_match(
    glob: str, paths: list[str]
) -> None:
    """lib/repository.rb replaces `**`, then `*`; the paths are those that a pattern may be."""
    glob = f"a{glob}*.yml"
    files = Repository({f"{path}.yml": ".h: {}" for path in ["a", *paths] if path[-1:] != "/"})
    known = re.escape(glob).replace(r"\*\*", ".*?").replace(r"\*", "[^/]*?")
    expected = any(re.fullmatch(known, path) for path in files)
    assert (".h" in resolve(f"include: '{glob}'", "ci.yml", files).root) == expected


def test_a_wildcard_of_many_stars_ends() -> None:
    files = Repository({f"{'a' * 200}.yml": "", f"{'/a' * 200}.yml": ""})
    for stars in ("*" * 3000, "*a" * 1000, "**a" * 1000, "*/**" * 1000):
        assert document_in(files, f"include: {{local: '{stars}b.yml'}}") == {}
        exists = f"include: {{local: x.yml, rules: [{{exists: ['{stars}b']}}]}}"
        assert document_in(files, exists) == {}


def test_a_project_without_a_file_names_nothing() -> None:
    assert "k" in document("include: {local: a.yml, project: a/b}", a="k: {script: x}").jobs


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "{}",
        "a",
        "{if: $A ==}",
        "{if: 1}",
        "{if: $A, allow_failure: true}",
        "{when: manual}",
        "{changes: a}",
        "{changes: [1]}",
        "{changes: {compare_to: a}}",
        "{changes: {paths: [a], b: c}}",
        "{changes: {paths: [a], compare_to: 1}}",
        "{exists: 1}",
        "{exists: [1]}",
        "{exists: {project: a}}",
        "{exists: {paths: a}}",
        "{exists: {paths: [a], b: c}}",
        "{exists: {paths: [a], ref: b}}",
        "{exists: {paths: [a], project: 1}}",
        f"{{exists: {['a'] * 51}}}",
        f"{{exists: {{paths: {['a'] * 51}}}}}",
        f"{{changes: {['a'] * 51}}}",
    ],
)
def test_rules_of_an_include_that_are_none(rule: str) -> None:
    text = f"include: {{local: a.yml, rules: [{rule}]}}\nj: {{script: x}}"
    assert refusal(text, a="k: {script: x}").rule == "include-invalid"


@pytest.mark.parametrize(
    "rule",
    [
        "{when: always}",
        "{exists: a.yml}",
        "{exists: {paths: ['*.yml'], project: a/b, ref: c}}",
        "{changes: {paths: [a], compare_to: b}}",
        "{exists: ['{a,b}.yml']}",
    ],
)
def test_rules_of_an_include_that_let_it_in(rule: str) -> None:
    assert "k" in document(f"include: {{local: a.yml, rules: [{rule}]}}", a="k: {script: x}").jobs


def test_what_only_gitlab_can_read_is_named() -> None:
    found = document("include: [{project: a/b, file: c.yml}, {template: Go.gitlab-ci.yml}]")
    assert found.outside == ("project: a/b", "template: Go.gitlab-ci.yml")
    found = document("include: {project: [a/b, c/d], file: e.yml}")
    assert found.outside == ("project: a/b",)


def test_variables_of_the_project_are_left_to_gitlab() -> None:
    found = document("include: ci/$A.yml\nj: {script: x}")
    assert found.outside == ("local: ci/$A.yml",)


def test_include_rules_choose() -> None:
    text = "include: {local: a.yml, rules: [{if: '$X == \"1\"'}]}\nj: {script: x}"
    files = Repository({"a.yml": "k: {script: y}"})
    assert "k" not in resolve(text, "ci.yml", files).jobs
    assert "k" in resolve(text, "ci.yml", files, variables={"X": "1"}).jobs


SPEC = (
    "spec:\n  inputs:\n    name:\n    count: {type: number, default: 2}\n"
    "    flag: {type: boolean, default: true}\n    list: {type: array, default: [a, b]}\n---\n"
)


def test_inputs_keep_their_type_alone_and_become_text_inside_one() -> None:
    body = (
        "j:\n  parallel: $[[ inputs.count ]]\n  tags: $[[ inputs.list ]]\n"
        "  script: x $[[ inputs.count ]] $[[ inputs.name | truncate(0,1) ]]"
    )
    found = resolve(SPEC + body, "ci.yml", inputs={"name": "api"}).jobs["j"]
    assert (found["parallel"], found["tags"]) == (2, ["a", "b"])
    assert found["script"] == "x 2 a"


@pytest.mark.parametrize(
    ("inputs", "body", "rule"),
    [
        ({}, "j: {script: x}", "inputs-value"),
        ({"name": "a", "nope": 1}, "j: {script: x}", "inputs-unknown"),
        ({"name": "a", "count": "two"}, "j: {script: x}", "inputs-value"),
        ({"name": "a"}, "j: {script: '$[[ inputs.nope ]]'}", "interpolation"),
        ({"name": "a"}, "j: {script: '$[[ name ]]'}", "interpolation"),
        ({"name": "a"}, "j: {script: '$[[ inputs.name | shout ]]'}", "interpolation"),
        ({"name": "a"}, "j: {script: '$[[ inputs.count | posix_escape ]]'}", "interpolation"),
    ],
)
def test_wrong_inputs_are_refused(inputs: dict[str, Any], body: str, rule: str) -> None:
    with pytest.raises(Refused) as caught:
        resolve(SPEC + body, "ci.yml", inputs=inputs)
    assert caught.value.rule == rule


@pytest.mark.parametrize(
    "header",
    [
        "spec: {inputs: [a]}",
        "spec: {input: {}}",
        "spec: {inputs: {a: {typ: string}}}",
        "spec: {inputs: {a: {type: text}}}",
        "spec: {inputs: {a: {options: a}}}",
        "spec: {inputs: {a: {regex: 1, default: a}}}",
        "spec: {inputs: {a: {default: 1, type: boolean}}}",
        "spec: {inputs: {a: {default: a, options: [b]}}}",
        "spec: {inputs: {a: {default: a, regex: ^b$}}}",
        "spec: []\nother: 1",
        "spec: {inputs: {a: {options: [x], rules: [{options: [x]}]}}}",
        "spec: {inputs: {a: {default: x, rules: [{options: [x]}]}}}",
        "spec: {inputs: {a: {rules: {options: [x]}}}}",
        "spec: {inputs: {a: {rules: [{}]}}}",
        "spec: {inputs: {a: {rules: [{if: 1, options: [x]}]}}}",
        "spec: {inputs: {a: {rules: [{default: x}]}}}",
        "spec: {inputs: {a: {rules: [{if: '$[[ inputs.a ]]'}]}}}",
        "spec: {inputs: {a: {rules: [{options: [x], then: y}]}}}",
        "spec: {inputs: {a: {type: null, default: x}}}",
        "spec: {inputs: {a: {description: [x], default: x}}}",
        "spec: {inputs: {a: {options: [null], default: x}}}",
        "spec: {component: [colour]}",
        "spec: {component: name}",
    ],
)
def test_wrong_headers_are_refused(header: str) -> None:
    refusal(f"{header}\n---\nj: {{script: x}}")


def test_input_rules_give_the_default() -> None:
    header = (
        "spec:\n  inputs:\n    size: {default: small}\n    cpus:\n      rules:\n"
        "        - {if: '$[[ inputs.size ]] == \"big\"', default: '8', options: ['8', '4']}\n"
        "        - {options: ['1', '2'], default: '1'}\n---\n"
    )
    body = "j:\n  script: $[[ inputs.cpus ]]"
    assert resolve(header + body, "ci.yml").jobs["j"]["script"] == "1"
    big = resolve(header + body, "ci.yml", inputs={"size": "big"})
    assert big.jobs["j"]["script"] == "8"
