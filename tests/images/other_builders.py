"""BuildKit without Docker, and Buildah, as a runner has them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from ctypes.util import find_library
from pathlib import Path

from tests.infra import buildkit, images, mirror
from tests.infra.base import CACHE, Place, cached, run
from tests.infra.k8s_tools import unpack_debian_packages
from tests.infra.tools import GoProgram, debian, go, program

_BUILDCTL = GoProgram("buildkit", "github.com/moby/buildkit/cmd/buildctl")
_BUILDKITD = GoProgram("buildkit", "github.com/moby/buildkit/cmd/buildkitd")
_SCRIPT = "examples/buildctl-daemonless/buildctl-daemonless.sh"


def buildctl(place: Place) -> dict[str, str]:
    """`buildctl` on PATH, and a daemon that it asks."""
    found = program("buildctl") or _BUILDCTL.path()
    return {"BUILDKIT_HOST": buildkit.address(place), "PATH": _path(found.parent)}


def daemonless(place: Place, folder: Path) -> dict[str, str]:
    """`buildctl-daemonless.sh` of BuildKit's own source: a daemon for each build."""
    bin_folder = folder / "bin"
    bin_folder.mkdir(parents=True)
    known = (("buildctl", _BUILDCTL), ("buildkitd", _BUILDKITD))
    for name, built in known:
        (bin_folder / name).symlink_to(program(name) or built.path())
    debian("runc", "runc")
    script = bin_folder / "buildctl-daemonless.sh"
    shutil.copy(program(script.name) or _source() / _SCRIPT, script)
    script.chmod(0o755)
    configuration = folder / "buildkitd.toml"
    shared = (place.folder / "buildkitd.toml").read_text()
    # Its cgroup is the daemon's, which removes it when it ends.
    configuration.write_text("\n".join(x for x in shared.splitlines() if "Cgroup" not in x))
    flags = f"--config={configuration} --root={folder / 'root'} --oci-worker-net=host"
    return {"PATH": _path(bin_folder), "BUILDKITD_FLAGS": flags, "BUILDKIT_HOST": ""}


def _source() -> Path:
    """BuildKit's source, of the version that the programs are built from."""
    download = [go(), "mod", "download", "-json", "github.com/moby/buildkit"]
    answer = run(download, folder=Path(buildkit.__file__).parent / "buildkit")
    return Path(json.loads(answer)["Dir"])


def buildah(place: Place, folder: Path) -> dict[str, str]:
    """Debian's Buildah, with storage of its own, and base images from the mirror."""
    path = os.environ.get("PATH", "")
    if program("buildah") is None:
        if find_library("gpgme") is None:  # the one library that it needs and few machines have
            run(["apt-get", "install", "--yes", "--no-install-recommends", "libgpgme11"])
        root = cached(
            CACHE / "debian" / "buildah",
            lambda made: unpack_debian_packages(["buildah"], made / "root"),
        )
        path = _path(root / "root/usr/bin")
    settings = folder / ".config/containers"
    settings.mkdir(parents=True)
    (settings / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    mirrored = json.dumps(f"{mirror.address(place)}/{images.mirror_path()}")
    (settings / "registries.conf").write_text(
        'unqualified-search-registries = ["docker.io"]\n'
        '[[registry]]\nlocation = "docker.io"\n'
        f"[[registry.mirror]]\nlocation = {mirrored}\ninsecure = true\n"
    )
    (settings / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\nrunroot = "{folder}/run"\ngraphroot = "{folder}/storage"\n'
    )
    return {
        "PATH": path,
        "HOME": str(folder),
        "CONTAINERS_REGISTRIES_CONF": str(settings / "registries.conf"),
        "CONTAINERS_STORAGE_CONF": str(settings / "storage.conf"),
        "BUILDAH_ISOLATION": "chroot",
        "STORAGE_DRIVER": "vfs",
    }


def without_engine(environment: Mapping[str, str]) -> dict[str, str]:
    """The login stays, the engine goes: these builders must not need one."""
    return {**environment, "DOCKER_HOST": "unix:///nonexistent.sock"}


def _path(folder: Path) -> str:
    return f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"
