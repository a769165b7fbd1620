"""plan.json: written in one canonical form, read back with every doubt turned into an error."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from ciforge.errors import InputError
from ciforge.plan.model import PLAN_VERSION, Plan
from ciforge.text import json_bytes

_T = TypeVar("_T")


def encode_plan(plan: Plan) -> bytes:
    """The plan as indented JSON with a newline at its end; equal plans are equal bytes."""
    return json_bytes(msgspec.to_builtins(plan))


def decode_plan(data: bytes, name: str) -> Plan:
    """Reads plan.json. Raises InputError for another version, and for what is no whole plan."""
    hint = "make it anew: ciforge plan --format json -o plan.json"
    return decode_versioned(data, Plan, PLAN_VERSION, "a plan", name, hint)


class _Version(msgspec.Struct):
    version: int


def decode_versioned(
    data: bytes, kind: type[_T], version: int, what: str, name: str, hint: str
) -> _T:
    """A file that ciforge wrote; `what` it should be, in words, `name` for messages.

    Raises InputError for another version, and for what is no whole one.
    """
    try:
        found = msgspec.json.decode(data, type=_Version).version
        if found != version:
            raise InputError(
                f"is {what} of version {found}; this ciforge reads version {version}",
                where=name,
                hint=hint,
            )
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise InputError(f"is not {what}: {error}", where=name, hint=hint) from error
