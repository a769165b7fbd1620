"""The door to BuildKit without Docker: buildctl, rootless and without a daemon of its own.

`buildctl-daemonless.sh` (of the image moby/buildkit) starts buildkitd for one build; with
BUILDKIT_HOST set, `buildctl` asks that daemon instead. Both read registry logins from
DOCKER_CONFIG and flags from BUILDKITD_FLAGS.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from ciforge.doors.builder import Build, explain
from ciforge.doors.process import ProcessError, follow
from ciforge.errors import OutsideError


def build(
    what: Build,
    output: str,
    metadata: Path,
    on_line: Callable[[str], None],
    env: Mapping[str, str | None],
) -> str:
    """Builds and pushes; the digest of the manifest, as BuildKit wrote it to `metadata`.

    `output`: as BuildKit's --output has it.

    Raises BuildError when the build fails, OutsideError when builder, registry or disk are at
    fault.
    """
    program = "buildctl" if env.get("BUILDKIT_HOST") else "buildctl-daemonless.sh"
    dockerfile = what.context / what.dockerfile
    options = {
        "filename": dockerfile.name,
        "platform": ",".join(what.platforms),
        **{f"build-arg:{name}": value for name, value in what.args.items()},
        **{f"context:{name}": value for name, value in what.contexts.items()},
    }
    argv = [
        *(program, "build", "--progress=plain", "--frontend=dockerfile.v0"),
        *(f"--local=context={what.context}", f"--local=dockerfile={dockerfile.parent}"),
        *(f"--opt={name}={value}" for name, value in options.items()),
        *(f"--output={output}", f"--metadata-file={metadata}"),
    ]
    try:
        follow(argv, on_line, env=env)
    except ProcessError as error:
        raise explain(error.stderr, {}, what.service) from error
    try:
        return str(json.loads(metadata.read_bytes())["containerimage.digest"])
    except (OSError, ValueError, KeyError) as error:
        raise OutsideError(
            f"{program} named no digest of what it pushed",
            where=what.service,
            hint="BuildKit 0.12 or newer is needed",
        ) from error
