"""What every lockfile parser here shares: the one error, stable hashes, semver."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
import yaml

# Gives the parsed package.json of an installed folder ("node_modules/x"), or None.
Installed = Callable[[str], Mapping[str, Any] | None]


class LockfileError(ValueError):
    """A lockfile (or a manifest beside it) that cannot be read; the message says why.

    Nx marks every project as affected in that case, and so should a caller.
    """


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn what the decoders raise on malformed text into `LockfileError`."""
    try:
        yield
    except (msgspec.MsgspecError, yaml.YAMLError, UnicodeError) as error:
        reason = " ".join(str(error).split())
        raise LockfileError(f"{name} does not parse: {reason}") from error
    except RecursionError as error:
        raise LockfileError(f"{name} does not parse: it is nested too deeply") from error


def stable_hash(*parts: str) -> str:
    """A hash of a list of strings, where Nx uses its native `hashArray`: only equality counts."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@functools.lru_cache(maxsize=65536)
def satisfies(version: str, version_range: str) -> bool:
    """Node semver's `satisfies`: false for a version or a range that is not one."""
    import nodesemver  # type: ignore[import-untyped]

    try:
        return bool(nodesemver.satisfies(version, version_range, False))
    except ValueError:
        return False


def is_range(text: str) -> bool:
    """Whether node semver reads `text` as a version range."""
    import nodesemver

    try:
        return nodesemver.valid_range(text, False) is not None
    except ValueError:
        return False


def compare(left: str, right: str) -> int:
    """Order of two semver versions; `LockfileError` when one is none, where Nx throws."""
    import nodesemver

    try:
        return int(nodesemver.compare(left, right, False))
    except ValueError as error:
        raise LockfileError(f"not a semver version: {left!r} or {right!r}") from error
