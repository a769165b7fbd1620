"""images.json and smoke.json: written in one canonical form, read with every doubt an error."""

from __future__ import annotations

import hashlib

import msgspec

from ciforge.plan.encode import decode_versioned
from ciforge.results.model import IMAGES_VERSION, SMOKE_VERSION, Images, Smoke
from ciforge.text import json_bytes


def sha256_of(data: bytes) -> str:
    """`sha256:` and the hexadecimal digest: how one file names another's bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def encode(result: Images | Smoke) -> bytes:
    """Indented JSON with a newline at its end; equal results are equal bytes."""
    return json_bytes(msgspec.to_builtins(result))


def decode_images(data: bytes, name: str) -> Images:
    """Reads images.json. Raises InputError for another version, and for what is no whole one."""
    hint = "make it anew: ciforge build --plan plan.json --push -o images.json"
    return decode_versioned(data, Images, IMAGES_VERSION, "an images file", name, hint)


def decode_smoke(data: bytes, name: str) -> Smoke:
    """Reads smoke.json. Raises InputError for another version, and for what is no whole one."""
    hint = "make it anew: ciforge smoke -o smoke.json"
    return decode_versioned(data, Smoke, SMOKE_VERSION, "a smoke file", name, hint)
