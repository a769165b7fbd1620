"""The door to BuildKit: `docker buildx bake`, its progress line by line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from ciforge.doors.builder import explain
from ciforge.doors.process import ProcessError, follow, run
from ciforge.errors import OutsideError


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
        raise explain(error.stderr, services) from error
    answer = json.loads(metadata.read_bytes())
    return {
        name: values.get("containerimage.digest", "")
        for name, values in answer.items()
        if isinstance(values, dict)
    }
