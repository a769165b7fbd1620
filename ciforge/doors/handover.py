"""Reads what one station left for the next: plan.json, images.json, smoke.json."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ciforge.doors.files import read_bytes
from ciforge.errors import InputError
from ciforge.plan.encode import decode_plan
from ciforge.plan.model import Plan
from ciforge.results.encode import decode_images, decode_smoke, sha256_of
from ciforge.results.model import Images, Smoke

_T = TypeVar("_T")


def read_plan(path: Path) -> tuple[Plan, str]:
    """The plan and the sha256 of its bytes. Raises InputError when it is none."""
    return _read(path, decode_plan, "ciforge plan --format json -o plan.json")


def read_images(path: Path) -> tuple[Images, str]:
    """images.json and the sha256 of its bytes. Raises InputError when it is none."""
    return _read(path, decode_images, "ciforge build --plan plan.json --push -o images.json")


def read_smoke(path: Path) -> Smoke:
    """smoke.json. Raises InputError when it is none."""
    return _read(path, decode_smoke, "ciforge smoke -o smoke.json")[0]


def _read(path: Path, decode: Callable[[bytes, str], _T], command: str) -> tuple[_T, str]:
    data = read_bytes(path, pipe=True)
    if data is None:
        raise InputError("there is no such file", where=str(path), hint=f"make it: {command}")
    return decode(data, str(path)), sha256_of(data)
