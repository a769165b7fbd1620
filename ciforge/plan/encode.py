"""plan.json: written in one canonical form, read back with every doubt turned into an error."""

from __future__ import annotations

import msgspec

from ciforge.errors import InputError
from ciforge.plan.model import PLAN_VERSION, Plan
from ciforge.text import json_bytes


def encode_plan(plan: Plan) -> bytes:
    """The plan as indented JSON with a newline at its end; equal plans are equal bytes."""
    return json_bytes(msgspec.to_builtins(plan))


def decode_plan(data: bytes, name: str) -> Plan:
    """Reads plan.json. Raises InputError for another version, and for what is no whole plan."""

    class Version(msgspec.Struct):
        version: int

    hint = "make it anew: ciforge plan --format json -o plan.json"
    try:
        version = msgspec.json.decode(data, type=Version).version
        if version != PLAN_VERSION:
            raise InputError(
                f"is a plan of version {version}; this ciforge reads version {PLAN_VERSION}",
                where=name,
                hint=hint,
            )
        return msgspec.json.decode(data, type=Plan)
    except msgspec.MsgspecError as error:
        raise InputError(f"is not a plan: {error}", where=name, hint=hint) from error
