"""Reads what one command left for the next: plan.json, images.json, smoke.json."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ciforge.errors import InputError

if TYPE_CHECKING:
    from ciforge.plan.model import Plan
    from ciforge.results.model import Images, Smoke

_T = TypeVar("_T")


def read_plan(path: Path) -> tuple[Plan, str]:
    """The plan and the sha256 of its bytes. Raises InputError when it is none."""
    from ciforge.plan.encode import decode_plan

    return _read(path, decode_plan, "ciforge plan --format json -o plan.json")


def read_images(path: Path) -> tuple[Images, str]:
    """images.json and the sha256 of its bytes. Raises InputError when it is none."""
    from ciforge.results.encode import decode_images

    return _read(path, decode_images, "ciforge build --push -o images.json")


def read_smoke(path: Path) -> tuple[Smoke, str]:
    """smoke.json and the sha256 of its bytes. Raises InputError when it is none."""
    from ciforge.results.encode import decode_smoke

    return _read(path, decode_smoke, "ciforge smoke -o smoke.json")


def _read(path: Path, decode: Callable[[bytes, str], _T], command: str) -> tuple[_T, str]:
    from ciforge.doors.files import read_bytes
    from ciforge.results.encode import sha256_of

    data = read_bytes(path, pipe=True)
    if data is None:
        raise InputError("there is no such file", where=str(path), hint=f"make it: {command}")
    return decode(data, str(path)), sha256_of(data)
