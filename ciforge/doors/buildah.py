"""The door to Buildah: one image is built, then pushed under a tag of no meaning.

Buildah can't push an image without a tag, and only what was pushed has its final digest. So the
tag says `unchecked-`, and nobody deploys it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ciforge.doors.builder import explain
from ciforge.doors.process import ProcessError, follow
from ciforge.errors import OutsideError


@dataclass(frozen=True)
class Build:
    """One image. `context`: its folder, `dockerfile`: a path in it; `contexts`: references of
    base images → what is taken for them; `name`: repository:tag; `insecure`: plain HTTP."""

    service: str
    context: Path
    dockerfile: str
    args: Mapping[str, str]
    platforms: list[str]
    contexts: Mapping[str, str]
    name: str
    insecure: bool


def build(
    what: Build, digest_file: Path, on_line: Callable[[str], None], env: Mapping[str, str | None]
) -> str:
    """Builds and pushes; the digest of the manifest that the registry got.

    Raises BuildError when the build fails, OutsideError when builder, registry or disk are at
    fault.
    """
    several = len(what.platforms) > 1
    verify = ["--tls-verify=false"] if what.insecure else []
    _follow(
        what,
        [
            *("buildah", "build", "--format=oci", "--timestamp=0", *verify),
            f"--platform={','.join(what.platforms)}",
            *(f"--build-arg={name}={value}" for name, value in what.args.items()),
            *(f"--build-context={name}={value}" for name, value in what.contexts.items()),
            f"--file={what.context / what.dockerfile}",
            *([f"--manifest={what.name}"] if several else [f"--tag={what.name}"]),
            str(what.context),
        ],
        on_line,
        env,
    )
    push = ["manifest", "push", "--all"] if several else ["push"]
    options = [f"--digestfile={digest_file}", *verify]
    place = f"docker://{what.name}"
    _follow(what, ["buildah", *push, *options, what.name, place], on_line, env)
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
