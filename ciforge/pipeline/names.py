"""Names that GitLab and a shell take, whatever a workspace calls its things."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from ciforge.gitlab_ci.limits import MAX_NAME

Job = dict[str, Any]

_ODD = re.compile(r"[^A-Za-z0-9._/@+-]+")
_SAFE = re.compile(r"[a-z0-9._-]+")


def job_name(kind: str, name: str) -> str:
    """`kind name`, in characters that need no quoting anywhere, 255 at most.

    What had to be changed ends with a hash of what it was, so different names stay different.
    """
    plain = _ODD.sub("_", name)
    if plain == name and len(kind) + 1 + len(name) <= MAX_NAME:
        return f"{kind} {name}"
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{kind} {plain[: MAX_NAME - len(kind) - 14]}-{digest}"


def safe(name: str) -> str:
    """A name that goes into a script. Raises ValueError: a plan that was edited by hand."""
    if not _SAFE.fullmatch(name) or name.startswith("-") or len(name) > 128:
        raise ValueError(f"{name!r} is no name of a suite or an environment")
    return name


def literal(value: str) -> Job:
    """A variable in which GitLab leaves a '$' alone.

    Raises ValueError for what no variable can hold: a plan that was edited by hand.
    """
    if re.search("[\x00\ud800-\udfff]", value):
        raise ValueError(f"{value!r} holds what no variable of a job can")
    return {"value": value, "expand": False}
