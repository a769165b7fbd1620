"""The door to Buildah: one image is built, then pushed under a tag of no meaning.

Buildah can't push an image without a tag, and only what was pushed has its final digest. So the
tag says `unchecked-`, and nobody deploys it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ciforge.doors.builder import Build, explain
from ciforge.doors.process import ProcessError, follow
from ciforge.errors import OutsideError


def build(
    what: Build,
    name: str,
    digest_file: Path,
    on_line: Callable[[str], None],
    env: Mapping[str, str | None],
    *,
    insecure: bool,
) -> str:
    """Builds and pushes as `name`, a repository:tag; the digest of the manifest it became there.

    `insecure`: over plain HTTP.

    Raises BuildError when the build fails, OutsideError when builder, registry or disk are at
    fault.
    """
    several = len(what.platforms) > 1
    verify = ["--tls-verify=false"] if insecure else []
    _follow(
        what,
        [
            *("buildah", "build", "--format=oci", "--timestamp=0", *verify),
            f"--platform={','.join(what.platforms)}",
            *(f"--build-arg={name}={value}" for name, value in what.args.items()),
            *(f"--build-context={name}={value}" for name, value in what.contexts.items()),
            f"--file={what.context / what.dockerfile}",
            *([f"--manifest={name}"] if several else [f"--tag={name}"]),
            str(what.context),
        ],
        on_line,
        env,
    )
    push = ["manifest", "push", "--all"] if several else ["push"]
    options = [f"--digestfile={digest_file}", *verify]
    place = f"docker://{name}"
    _follow(what, ["buildah", *push, *options, name, place], on_line, env)
    try:
        return digest_file.read_text().strip()
    except OSError as error:
        raise OutsideError(
            "buildah named no digest of what it pushed",
            where=what.service,
            hint="Buildah 1.28 or newer is needed",
        ) from error


def _follow(
    what: Build,
    argv: Sequence[str],
    on_line: Callable[[str], None],
    env: Mapping[str, str | None],
) -> None:
    try:
        follow(argv, on_line, env=env)
    except ProcessError as error:
        raise explain(error.stderr, {}, what.service) from error
