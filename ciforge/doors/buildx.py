"""The door to BuildKit: `docker buildx bake`, its progress line by line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from ciforge.doors.process import ProcessError, follow, run
from ciforge.errors import EXIT_VERDICT_NO, CiforgeError, OutsideError

_FULL = "make room: docker buildx prune, docker system prune"
_OUTSIDE = (
    (
        r"connection refused|cannot connect|failed to dial|no such host|i/o timeout",
        "is the builder running (docker buildx inspect --bootstrap), and the registry?",
    ),
    (
        r"unauthorized|access denied|\b401\b|\b403\b|insufficient_scope",
        "may the login push to this repository? docker login, or CI_REGISTRY_PASSWORD",
    ),
)
_ABSENT = re.compile(r"not found|no such file|cannot find|ENOENT", re.IGNORECASE)
_MISSING = (
    "a file that the build reads may be no input of it: `ciforge digest SERVICE` lists them, "
    "image.inputs in ciforge.yaml adds one"
)
_ABOVE = "the lines above say what the build did"


class BuildError(CiforgeError):
    """An image can't be built, or does not start: a verdict on the commit, not on the machine."""

    code = EXIT_VERDICT_NO


def driver(env: Mapping[str, str | None]) -> str:
    """The driver of the current builder. Raises OutsideError when there is no buildx."""
    try:
        said = run(["docker", "buildx", "inspect"], env=env, timeout=60).decode("utf-8", "replace")
    except ProcessError as error:
        raise OutsideError(
            f"docker buildx has no builder to use: {error.stderr.splitlines()[-1:] or error}",
            hint="docker buildx create --use --driver docker-container; is the engine running?",
        ) from error
    found = re.search(r"^Driver:\s*(\S+)", said, re.MULTILINE)
    return found[1] if found else ""


def bake(
    definition: Path,
    metadata: Path,
    context_root: Path,
    on_line: Callable[[str], None],
    env: Mapping[str, str | None],
    services: Mapping[str, str],
) -> dict[str, str]:
    """Builds all targets; the manifest digest of each, by target name.

    `services` names the service of each target. Raises BuildError when a build fails,
    OutsideError when the builder, the registry or the disk is at fault.
    """
    argv = [
        *("docker", "buildx", "bake", "--progress=plain", "--provenance=false", "--sbom=false"),
        *(f"--allow=fs.read={context_root}", f"--metadata-file={metadata}"),
        *("--file", str(definition)),
    ]
    try:
        follow(argv, on_line, env=env)
    except ProcessError as error:
        raise _explain(error.stderr, services) from error
    answer = json.loads(metadata.read_bytes())
    return {
        name: values.get("containerimage.digest", "")
        for name, values in answer.items()
        if isinstance(values, dict)
    }


def _explain(output: str, services: Mapping[str, str]) -> CiforgeError:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    last = next((line for line in reversed(lines) if line.startswith("ERROR:")), "")
    last = (last or (lines[-1] if lines else "it said nothing")).removeprefix("ERROR: ")
    found = re.match(r"target (\S+): ", last)
    where = services.get(found[1]) if found else None
    message = last.removeprefix(found[0]) if found else last
    if "no space left on device" in output:
        return OutsideError("the disk is full", where=where, hint=_FULL)
    for pattern, hint in _OUTSIDE:
        # Not in what the build itself printed: a "403" there is no answer of ours.
        if re.search(pattern, last, re.IGNORECASE):
            return OutsideError(message, where=where, hint=hint)
    return BuildError(message, where=where, hint=_MISSING if _ABSENT.search(output) else _ABOVE)
