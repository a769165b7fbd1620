"""The programs of the Kubernetes half: from PATH, from the cache folder, or built once.

Kubernetes, etcd, kwok and Helm come from Go modules, pinned by kubernetes/go.mod and go.sum;
containerd, runc and the CNI plugins are Debian packages, unpacked and not installed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.infra.k8s_place import InfraError, locked, say

_MODULE = Path(__file__).parent / "kubernetes"
_PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "helm": "helm.sh/helm/v4/cmd/helm",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kubelet": "k8s.io/kubernetes/cmd/kubelet",
    "kwok": "sigs.k8s.io/kwok/cmd/kwok",
    "pause": "./pause",
}
_DEBIAN_PACKAGES = ("containerd", "runc", "containernetworking-plugins")
_PROGRESS_SECONDS = 15.0


@dataclass(frozen=True)
class Tools:
    """Where each program of `_PACKAGES` lies."""

    programs: Mapping[str, Path]

    def __getitem__(self, name: str) -> Path:
        return self.programs[name]


@dataclass(frozen=True)
class ContainerRuntime:
    """containerd, ctr, runc and the shim in `programs`; bridge and host-local in `cni`."""

    programs: Path
    cni: Path


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ciforge"


def kubernetes() -> Tools:
    """All programs of the cluster; builds those that are neither on PATH nor in the cache."""
    found = {name: path for name, path in _on_path().items() if path}
    folder = _build_folder()
    missing = [name for name in _PACKAGES if name not in found and not (folder / name).exists()]
    if missing:
        with locked(folder.with_name(f".{folder.name}.lock")):
            _build(folder, [name for name in missing if not (folder / name).exists()])
    return Tools({name: found.get(name, folder / name) for name in _PACKAGES})


def container_runtime() -> ContainerRuntime:
    """containerd and what it needs; unpacks Debian's packages where PATH has none."""
    folder = _debian_folder()
    on_path = _runtime_on_path()
    cni = _cni_from_environment()
    if (on_path is None or cni is None) and not folder.exists():
        with locked(folder.with_name(f".{folder.name}.lock")):
            if not folder.exists():
                _unpack_debian(folder)
    return ContainerRuntime(on_path or folder / "usr/bin", cni or folder / "usr/lib/cni")


# -- from PATH -----------------------------------------------------------------------------


def _on_path() -> dict[str, Path | None]:
    return {
        "helm": _suitable("helm", ["version", "--template", "{{.Version}}"], r"v4\."),
        "kubectl": _suitable(
            "kubectl", ["version", "--client", "--output=yaml"], r"gitVersion: v1\.36\."
        ),
    }


def _suitable(name: str, arguments: list[str], version: str) -> Path | None:
    path = shutil.which(name)
    if path is None:
        return None
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=20)
        if done.returncode == 0 and re.search(version, done.stdout):
            return Path(path)
    return None


def _runtime_on_path() -> Path | None:
    """The folder of containerd 1.6 or newer, if the other programs lie beside it."""
    path = _suitable("containerd", ["--version"], r"\sv?(1\.([6-9]|\d\d)|2)\.")
    if path is None:
        return None
    beside = ("ctr", "runc", "containerd-shim-runc-v2")
    return path.parent if all((path.parent / name).exists() for name in beside) else None


def _cni_from_environment() -> Path | None:
    for folder in os.environ.get("CNI_PATH", "").split(os.pathsep):
        if folder and (Path(folder) / "bridge").exists():
            return Path(folder)
    return None


# -- from Go modules -----------------------------------------------------------------------


def _build_folder() -> Path:
    digest = hashlib.sha256()
    for path in (_MODULE / "go.mod", _MODULE / "go.sum", _MODULE / "pause/main.go"):
        digest.update(path.read_bytes())
    return cache_folder() / f"kubernetes-{_version('k8s.io/kubernetes')}-{digest.hexdigest()[:12]}"


def _version(module: str) -> str:
    match = re.search(
        rf"^\s*{re.escape(module)} (v\S+)$", (_MODULE / "go.mod").read_text(), re.MULTILINE
    )
    if match is None:
        raise InfraError(f"{_MODULE / 'go.mod'} does not require {module}")
    return match[1]


def _build(folder: Path, names: list[str]) -> None:
    if not names:
        return
    from tests.infra.tools import go  # which needs this module

    started = time.monotonic()
    say(f"building {', '.join(names)}: about 8 minutes on 2 cores when nothing is cached")
    folder.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".building-") as fresh:
        _run_with_progress(
            [
                *(str(go()), "build", "-v", "-trimpath", "-mod=readonly", "-buildvcs=false"),
                *("-ldflags", _linker_flags(), "-o", f"{fresh}/"),
                *(_PACKAGES[name] for name in names),
            ],
            started,
        )
        for name in names:
            # Go names a program after its package's folder: etcd's is .../server/v3.
            built = Path(fresh) / ("server" if name == "etcd" else name)
            built.replace(folder / name)
    say(f"built {', '.join(names)}", started)


def _linker_flags() -> str:
    """Without a version, the API server calls itself v0.0.0 and refuses its own clients."""
    version = _version("k8s.io/kubernetes")
    major, minor, _ = version.removeprefix("v").split(".", 2)
    flags = [
        "-s",
        "-w",
        f"-X helm.sh/helm/v4/internal/version.version={_version('helm.sh/helm/v4')}",
    ]
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        flags += [
            f"-X {package}.gitVersion={version}",
            f"-X {package}.gitMajor={major}",
            f"-X {package}.gitMinor={minor}",
            f"-X {package}.gitTreeState=clean",
        ]
    return " ".join(flags)


def _run_with_progress(command: list[str], started: float) -> None:
    """`go build -v` names each package that it compiles: counted, that is the progress."""
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": ""}
    output: list[str] = []
    done = threading.Event()

    def report() -> None:
        while not done.wait(_PROGRESS_SECONDS):
            say(f"  {len(output)} packages fetched or compiled", started)

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        with subprocess.Popen(
            command, cwd=_MODULE, env=environment, stderr=subprocess.PIPE, text=True
        ) as process:
            output.extend(process.stderr or [])
    finally:
        done.set()
        reporter.join()
    if process.returncode != 0:
        raise InfraError("go build failed:\n" + "".join(output[-30:]))


def _remove_leftovers(folder: Path) -> None:
    """What a killed build left; the lock says that no other is at work."""
    for leftover in folder.glob(".building-*"):
        shutil.rmtree(leftover, ignore_errors=True)


# -- from Debian packages ------------------------------------------------------------------


def _debian_folder() -> Path:
    release: dict[str, str] = {}
    with suppress(OSError):
        release = platform.freedesktop_os_release()
    return cache_folder() / f"containerd-{release.get('ID')}-{release.get('VERSION_ID')}"


def _unpack_debian(folder: Path) -> None:
    unpack_debian_packages(_DEBIAN_PACKAGES, folder)


def unpack_debian_packages(packages: Iterable[str], folder: Path) -> None:
    """Unpacks the packages into `folder`, all or nothing, without installing them."""
    if shutil.which("apt-get") is None:
        raise InfraError(f"not on PATH, and no apt-get to fetch them: {', '.join(packages)}")
    started = time.monotonic()
    folder.parent.mkdir(parents=True, exist_ok=True)
    for leftover in folder.parent.glob(f".{folder.name}-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as fresh:
        # apt drops to its own user for downloads; it warns when that user can't write here.
        download = ["apt-get", "--option=APT::Sandbox::User=root", "download", *packages]
        if not _succeeds(download, Path(fresh)):
            _succeeds(["apt-get", "--quiet", "update"], Path(fresh))
            if not _succeeds(download, Path(fresh)):
                raise InfraError(f"apt-get could not download {', '.join(packages)}")
        unpacked = Path(fresh) / "root"
        for package in sorted(Path(fresh).glob("*.deb")):
            subprocess.run(["dpkg-deb", "--extract", package, unpacked], check=True)
        unpacked.replace(folder)
    say(f"unpacked {', '.join(packages)}", started)


def _succeeds(command: list[str], folder: Path) -> bool:
    return subprocess.run(command, cwd=folder, capture_output=True).returncode == 0
