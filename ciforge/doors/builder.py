"""What all builders have in common: what they build, and how a failure is told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ciforge.errors import EXIT_VERDICT_NO, CiforgeError, OutsideError

_FULL = "make room: docker buildx prune, docker system prune, or the builder's own"
_OUTSIDE = (
    (
        r"connection refused|cannot connect|failed to dial|no such host|i/o timeout",
        "is the builder running (docker buildx inspect --bootstrap), and the registry?",
    ),
    (
        r"unauthorized|access denied|\b401\b|\b403\b|insufficient_scope",
        "may the login push to this repository? docker login, or CI_REGISTRY_PASSWORD",
    ),
    (
        r"rootlesskit|newuidmap|could not connect to unix:|operation not permitted",
        "what a runner must allow this builder is told in the documentation, one page for each",
    ),
)
_ABSENT = re.compile(r"not found|no such file|cannot find|ENOENT", re.IGNORECASE)
_MISSING = (
    "a file that the build reads may be no input of it: `ciforge digest SERVICE` lists them, "
    "image.inputs in ciforge.yaml adds one"
)
_ABOVE = "the lines above say what the build did"
_ERROR = re.compile(r"^(?:ERROR|[Ee]rror): ")


@dataclass(frozen=True)
class Build:
    """One image to build. `context`: its folder, `dockerfile`: a path in it; `contexts`:
    references of base images → what is taken for them."""

    service: str
    context: Path
    dockerfile: str
    args: Mapping[str, str]
    platforms: list[str]
    contexts: Mapping[str, str]


class BuildError(CiforgeError):
    """An image can't be built, or does not start: a verdict on the commit, not on the machine."""

    code = EXIT_VERDICT_NO


def explain(output: str, services: Mapping[str, str], where: str | None = None) -> CiforgeError:
    """A BuildError, or an OutsideError when builder, registry or disk are at fault.

    `output` are the builder's last lines; `services`: the service of each target that they may
    name; `where`: the service when there is only one.
    """
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    last = next((line for line in reversed(lines) if _ERROR.match(line)), "")
    last = _ERROR.sub("", last or (lines[-1] if lines else "it said nothing"))
    found = re.match(r"target (\S+): ", last)
    where = services.get(found[1]) if found else where
    message = last.removeprefix(found[0]) if found else last
    if "no space left on device" in output:
        return OutsideError("the disk is full", where=where, hint=_FULL)
    for pattern, hint in _OUTSIDE:
        # Not in what the build itself printed: a "403" there is no answer of ours.
        if re.search(pattern, last, re.IGNORECASE):
            return OutsideError(message, where=where, hint=hint)
    return BuildError(message, where=where, hint=_MISSING if _ABSENT.search(output) else _ABOVE)
