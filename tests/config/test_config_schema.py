"""The JSON Schema is valid, stable, and takes what the loader takes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any
from unittest import mock

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ciforge.config.load import parse_config
from ciforge.config.model import Config
from ciforge.config.schema import config_schema
from ciforge.errors import InputError

VALIDATOR = Draft202012Validator(config_schema())


def test_valid_and_named() -> None:
    schema = config_schema()
    Draft202012Validator.check_schema(schema)
    assert list(schema)[:2] == ["$schema", "$id"]
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == "https://ciforge.dev/schema/ciforge-1.json"
    assert schema["title"] == "ciforge.yaml"
    assert schema["description"]
    assert list(schema["$defs"]) == sorted(schema["$defs"])
    assert list(schema["properties"]) == list(Config.__struct_fields__)


def test_the_same_in_every_process() -> None:
    code = "import json; from ciforge.config.schema import *; print(json.dumps(config_schema()))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1
    assert json.loads(outputs.pop()) == config_schema()


def test_a_caller_may_change_it() -> None:
    config_schema()["properties"].clear()
    assert config_schema()["properties"]


def test_every_section_is_closed_and_shows_its_defaults() -> None:
    schema = config_schema()
    for section in (schema, *schema["$defs"].values()):
        assert section["additionalProperties"] is False
        assert section["type"] == ["object", "null"]
        assert all("default" in each for each in section["properties"].values())
        assert "required" not in section
    assert "anyOf" not in json.dumps(schema)


def test_what_an_editor_shows() -> None:
    schema = config_schema()
    service = schema["$defs"]["Service"]
    assert service["description"].startswith("One image.")
    assert service["properties"]["projects"] == {
        "type": ["array", "null"],
        "items": {"type": "string"},
        "minItems": 1,
        "description": "Nx projects whose output goes into the image; default: the project of "
        "the same name",
        "default": None,
    }
    assert schema["$defs"]["Environment"]["properties"]["when"] == {
        "enum": ["auto", "manual"],
        "description": "auto: after a green smoke; manual: on a click",
        "default": "manual",
    }
    for key in ("services", "smoke", "environments"):
        names = schema["properties"][key]["propertyNames"]
        assert names["pattern"].startswith("^[a-z0-9]+")
        assert names["maxLength"] == 128


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("", True),
        ("services:\n  web:\n  api: {gpu: true}\n", True),
        ("runners: {default: , gpu: {tags: }}", True),
        ("environments: {dev: {when: auto, namespace: , values: [a.yaml]}}", True),
        ("image: {platforms: [linux/arm64], root_dev_dependencies: }", True),
        ("smoke: {all: {compose: [a.yml], timeout: 86400}}", True),
        ("servces: {}", False),
        ("services: {web: {dockerfil: x}}", False),
        ("services: {Web: {}}", False),
        ("image: {build_args: {NODE_VERSION: 22}}", False),
        ("image: {dockerfile: ../x}", False),
        ("environments: {dev: {when: }}", False),
        ("smoke: {all: {timeout: 0}}", False),
        ("version: true", False),
        ("[]", False),
    ],
)
def test_sample(text: str, good: bool) -> None:
    assert accepted_by_loader(text) is good
    assert VALIDATOR.is_valid(yaml.safe_load(text)) is good


def accepted_by_loader(text: str) -> bool:
    """Whether its types and words are right; what they mean together is no schema's business."""
    try:
        with mock.patch("ciforge.config.load._contradictions", return_value=[]):
            parse_config(text, "ciforge.yaml")
    except InputError:
        return False
    return True


WORDS = st.sampled_from(
    ["web", "auth-service", "Web", "a b", "", "a\n", "a/../b", "/a", "a/b", "linux/amd64",
     "linux/arm/v7", "auto", "manual", "*", "a__b", "a..b", "-a", "x" * 129, "..", "a/..", "..a"]
)  # fmt: skip
TEXT = WORDS | st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=6)
SCALAR = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 90_000), st.sampled_from([0.5, 1e9 + 0.5]), TEXT
)


def value(schema: dict[str, Any], wrong: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly what the schema asks for, sometimes not."""
    if "$ref" in schema:
        schema = config_schema()["$defs"][schema["$ref"].rpartition("/")[2]]
    kinds = schema.get("type", "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    right: st.SearchStrategy[Any] = TEXT
    if kind == "object" and "properties" in schema:
        right = st.fixed_dictionaries(
            {}, optional={key: value(each, wrong) for key, each in schema["properties"].items()}
        )
    elif kind == "object":
        below = (
            value(schema["additionalProperties"], wrong)
            if "additionalProperties" in schema
            else SCALAR
        )
        right = st.dictionaries(TEXT, below, max_size=2)
    elif kind == "array":
        right = st.lists(value(schema["items"], wrong), max_size=3)
    elif kind == "boolean":
        right = st.booleans()
    elif kind == "integer":
        right = st.integers(-1, 2) | st.integers(86_390, 86_410)
    if "enum" in schema:
        right = st.sampled_from(schema["enum"])
    return st.integers(0, 30).flatmap(lambda roll: wrong if roll == 0 else right)


WRONG = st.one_of(SCALAR, st.lists(SCALAR, max_size=2), st.dictionaries(TEXT, SCALAR, max_size=2))


@settings(max_examples=200, deadline=None)
@given(value(config_schema(), WRONG))
def test_loader_and_schema_agree(config: Any) -> None:
    # JSON is YAML 1.2, and has no 1.1 words to quote
    text = json.dumps(config, ensure_ascii=False)
    assert accepted_by_loader(text) is VALIDATOR.is_valid(config)
