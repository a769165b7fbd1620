"""The JSON Schema of ciforge.yaml, for editors; derived from `ciforge.config.model`."""

from __future__ import annotations

from typing import Any

import msgspec

from ciforge.config.model import Config

SCHEMA_ID = "https://ciforge.dev/schema/ciforge-1.json"


def config_schema() -> dict[str, Any]:
    """A JSON Schema 2020-12 (https://json-schema.org/draft/2020-12), the same at every call.

    It takes what `parse_config` takes, with two exceptions: to JSON Schema 600.0 is an
    integer and a control character is text, to `parse_config` they aren't. What only
    `parse_config` checks is in its docstring.
    """
    # Once through JSON, as defaults come as tuples.
    definitions = msgspec.json.decode(msgspec.json.encode(msgspec.json.schema(Config)))["$defs"]
    root = _section(definitions.pop("Config"))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **root,
        "title": "ciforge.yaml",
        "description": "What ciforge can't detect about an Nx monorepo; every key is optional",
        "$defs": {name: _section(definitions[name]) for name in sorted(definitions)},
    }


def _section(schema: dict[str, Any]) -> dict[str, Any]:
    properties = {key: _property(each) for key, each in schema["properties"].items()}
    schema = {key: value for key, value in schema.items() if key != "required" or value}
    return {**schema, "type": ["object", "null"], "properties": properties}


def _property(schema: dict[str, Any]) -> dict[str, Any]:
    """One type with null in place of `anyOf`, of which editors only say that nothing matches.

    A list or mapping may be null, as `services:` with nothing below it is.
    """
    if "anyOf" in schema:
        one, _null = schema["anyOf"]
        outer = {key: value for key, value in schema.items() if key != "anyOf"}
        if "enum" in one:
            return {**one, **outer, "enum": [*one["enum"], None]}
        return {**one, **outer, "type": [one["type"], "null"]}
    if schema.get("type") in ("array", "object"):
        schema = {**schema, "type": [schema["type"], "null"]}
        if schema.get("additionalProperties", {}).get("type") == "object":
            schema["additionalProperties"] = _property(schema["additionalProperties"])
        return schema
    return schema
