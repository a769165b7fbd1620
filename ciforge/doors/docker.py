"""The door to Compose: brings a suite's containers up, looks at them, takes all of it away.

Goes through the Docker client, so that it finds the engine as the user does (DOCKER_HOST or
his context). Import this module late: testcontainers takes a fifth of a second.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from testcontainers.compose import DockerCompose

from ciforge.doors.files import workplace
from ciforge.doors.process import ProcessError, run
from ciforge.errors import InputError, OutsideError

_QUICK = 30  # seconds for a question to the engine
_OLDEST = (2, 25)  # understands !override
_DOWN = 120  # seconds for taking a project away
_PROJECT = "com.docker.compose.project"
Environment = Mapping[str, str | None]


@dataclass(frozen=True)
class Container:
    """One container of a project. `health`: "" without a health check."""

    id: str
    name: str
    service: str
    state: str
    health: str
    exit_code: int
    ports: Mapping[int, int]
    detail: str = ""


class Compose(DockerCompose):
    """testcontainers' compose support, through our own door: named project, time limit, login."""

    def __init__(
        self,
        directory: Path,
        files: Sequence[Path],
        project: str,
        profiles: Sequence[str] = (),
        services: Sequence[str] = (),
        environment: Environment | None = None,
    ) -> None:
        super().__init__(
            context=directory,
            compose_file_name=[str(file) for file in files],
            profiles=list(profiles),
            services=list(services),
            docker_command_path="docker",
        )
        self.project = project
        self.deadline: float | None = None  # as time.monotonic() counts
        self._environment = {**(environment or {}), "COMPOSE_PROJECT_NAME": project}

    def _run_command(
        self, cmd: str | list[str], context: str | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        argv = cmd.split() if isinstance(cmd, str) else cmd
        left = None if self.deadline is None else max(0.1, self.deadline - time.monotonic())
        out = run(
            argv, cwd=Path(context or self.context), env=self._environment, timeout=left or _QUICK
        )
        return subprocess.CompletedProcess(argv, 0, out, b"")

    def model(self, where: str) -> dict[str, Any]:
        """The merged files as Compose understands them.

        Raises InputError for what is wrong in them (`where`: their names).
        """
        argv = [*self.docker_compose_command(), "config", "--format", "json"]
        try:
            found = json.loads(self._run_command(argv).stdout)
        except ProcessError as error:
            raise InputError(
                f"Compose can't use it: {last_line(error.stderr)}",
                where=where,
                hint="docker compose config shows it; variables come from .env beside the file",
            ) from error
        return dict(found)

    def containers(self) -> list[Container]:
        """All containers of the project, ended ones too, by service."""
        found = [
            Container(
                id=c.ID or "",
                name=c.Name or "",
                service=c.Service or "",
                state=c.State or "",
                health=c.Health or "",
                exit_code=c.ExitCode or 0,
                ports={
                    p.TargetPort: p.PublishedPort
                    for p in c.Publishers
                    if p.TargetPort and p.PublishedPort
                },
            )
            for c in self.get_containers(include_all=True)
        ]
        return sorted(found, key=lambda c: (c.service, c.name))


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1].strip() if text.strip() else "no reason given"


def check_compose(environment: Environment) -> None:
    """Raises OutsideError when Compose is missing, or too old for the override's tags."""
    hint = "install the Compose plugin: docs.docker.com/compose/install"
    try:
        argv = ["docker", "compose", "version", "--short"]
        version = run(argv, env=environment, timeout=_QUICK).decode().strip().removeprefix("v")
    except ProcessError as error:
        raise OutsideError("docker compose is missing", hint=hint) from error
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers < _OLDEST:
        oldest = ".".join(str(part) for part in _OLDEST)
        raise OutsideError(f"docker compose {version} is older than {oldest}", hint=hint)


def check_engine(environment: Environment) -> None:
    """Raises OutsideError when the engine gives no answer."""
    try:
        argv = ["docker", "version", "--format", "{{.Server.Version}}"]
        run(argv, env=environment, timeout=_QUICK)
    except ProcessError as error:
        raise OutsideError(
            f"the Docker engine gives no answer: {last_line(error.stderr)}",
            hint="start it, or name it in DOCKER_HOST (in GitLab: the docker:dind service)",
        ) from error


def without_gpu(environment: Environment) -> str | None:
    """Why the engine can give containers no GPU; None when it can."""
    argv = ["docker", "info", "--format", "{{json .}}"]
    info = json.loads(run(argv, env=environment, timeout=_QUICK))
    devices = json.dumps(info.get("DiscoveredDevices"))
    if "nvidia" in (info.get("Runtimes") or {}) or "nvidia.com/gpu" in devices:
        return None
    with suppress(OutsideError):
        run(["nvidia-smi", "-L"], timeout=_QUICK)
        return None
    return "no GPU here: the engine has no nvidia runtime, and nvidia-smi finds none"


def published_at() -> tuple[str, str]:
    """The address that ports are published on, and the host that they are then reached at."""
    found = urlsplit(os.environ.get("DOCKER_HOST", ""))
    if found.scheme in ("tcp", "http", "https", "ssh") and found.hostname:
        return "0.0.0.0", found.hostname  # noqa: S104 - the engine's machine is another one
    return "127.0.0.1", "127.0.0.1"


def detail(container: Container, environment: Environment) -> str:
    """What the engine knows beyond the state: the last health answer, a lack of memory."""
    with suppress(OutsideError, ValueError):
        argv = ["docker", "inspect", "--format", "{{json .State}}", container.id]
        state = json.loads(run(argv, env=environment, timeout=_QUICK))
        probes = (state.get("Health") or {}).get("Log") or []
        answer = last_line(str(probes[-1].get("Output") or "")) if probes else ""
        parts = [
            "out of memory" if state.get("OOMKilled") else "",
            str(state.get("Error") or ""),
            "" if answer == "no reason given" or not container.health else answer,
        ]
        return "; ".join(part for part in parts if part)
    return ""


def log_of(container: Container, environment: Environment) -> str:
    """What a container said, on both streams."""
    with suppress(OutsideError):
        argv = ["docker", "logs", "--tail", "20000", container.id]
        said = run(argv, env=environment, timeout=_QUICK, with_stderr=True)
        return said.decode("utf-8", "replace")
    return ""


def remove_project(project: str, environment: Environment) -> None:
    """Takes away a project's containers, networks and volumes; needs no compose file of it."""
    argv = ["docker", "compose", "down", "--volumes", "--remove-orphans", "--timeout", "5"]
    changes = {**environment, "COMPOSE_PROJECT_NAME": project, "COMPOSE_FILE": None}
    with workplace("smoke") as empty:
        run(argv, cwd=empty, env=changes, timeout=_DOWN)


def labelled(label: str, environment: Environment) -> list[tuple[str, str]]:
    """The project and the value of `label` of each container, volume and network that has it."""
    found = []
    form = f'{{{{.Label "{_PROJECT}"}}}}\t{{{{.Label "{label}"}}}}'
    for listing in (["ps", "--all"], ["volume", "ls"], ["network", "ls"]):
        argv = ["docker", *listing, "--filter", f"label={label}", "--format", form]
        for line in run(argv, env=environment, timeout=_QUICK).decode().splitlines():
            project, _, value = line.partition("\t")
            found.append((project, value))
    return found


@contextmanager
def undisturbed() -> Iterator[None]:
    """Signals wait until the end: a second Ctrl-C doesn't interrupt the cleaning up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    kept = {
        n: signal.signal(n, lambda number, _: came.append(number))
        for n in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def pull_problem(said: str, references: Iterable[str]) -> OutsideError | None:
    """The error of a start that failed before any container ran; None when it is none of these."""
    lower = said.lower()
    line = last_line(said)
    named = next((r for r in references if r in said), None)
    if any(word in lower for word in ("cannot connect to the docker daemon", "docker api at")):
        return OutsideError(f"the Docker engine is gone: {line}", hint="start it, and run again")
    if any(w in lower for w in ("unauthorized", "denied", "authentication", "no basic auth")):
        return OutsideError(
            f"the registry refuses to give an image: {line}",
            where=named,
            hint="docker login, or set CI_REGISTRY, CI_REGISTRY_USER and CI_REGISTRY_PASSWORD",
        )
    if any(w in lower for w in ("manifest unknown", "not found", "no such image")):
        return OutsideError(
            f"an image is nowhere: {line}",
            where=named,
            hint="push it (ciforge build --push), or mend its name in the compose file",
        )
    if any(w in lower for w in ("no such host", "connection refused", "i/o timeout", "no space")):
        return OutsideError(
            f"an image can't be had: {line}", where=named, hint="mend it; run again"
        )
    return None
