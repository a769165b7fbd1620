"""images.json and smoke.json: written in one canonical form, read with every doubt an error."""

from __future__ import annotations

import hashlib
from typing import TypeVar

import msgspec

from ciforge.errors import InputError
from ciforge.results.model import IMAGES_VERSION, SMOKE_VERSION, Images, Smoke
from ciforge.text import json_bytes

_T = TypeVar("_T", Images, Smoke)


def sha256_of(data: bytes) -> str:
    """`sha256:` and the hexadecimal digest: how one file names another's bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def encode(result: Images | Smoke) -> bytes:
    """Indented JSON with a newline at its end; equal results are equal bytes."""
    return json_bytes(msgspec.to_builtins(result))


def decode_images(data: bytes, name: str) -> Images:
    """Reads images.json. Raises InputError for another version, and for what is no whole one."""
    return _decode(data, name, Images, IMAGES_VERSION, "ciforge build --push -o images.json")


def decode_smoke(data: bytes, name: str) -> Smoke:
    """Reads smoke.json. Raises InputError for another version, and for what is no whole one."""
    return _decode(data, name, Smoke, SMOKE_VERSION, "ciforge smoke -o smoke.json")


class _Version(msgspec.Struct):
    version: int


def _decode(data: bytes, name: str, kind: type[_T], version: int, command: str) -> _T:
    hint = f"make it anew: {command}"
    what = kind.__name__.lower()
    try:
        found = msgspec.json.decode(data, type=_Version).version
        if found != version:
            raise InputError(
                f"is a {what} file of version {found}; this ciforge reads version {version}",
                where=name,
                hint=hint,
            )
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise InputError(f"is no {what} file: {error}", where=name, hint=hint) from error
