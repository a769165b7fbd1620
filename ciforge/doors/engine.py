"""The door to the Docker engine: is an image there, does it start."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ciforge.doors.process import innermost, lives, start_time
from ciforge.doors.registry import Login
from ciforge.errors import OutsideError

if TYPE_CHECKING:
    from docker import DockerClient

_LABEL = "ciforge.start-check"
_SECOND = 1_000_000_000  # the engine's durations are in nanoseconds
_OFTEN = {"interval": 3 * _SECOND // 10}  # the image's own is made for hours
_DEFAULT_INTERVAL, _DEFAULT_RETRIES = 30, 3  # of Docker, for an image that doesn't say
_GRACE = 3.0  # seconds that an image without a health check has to stay up


class StartError(Exception):
    """A container did not start. `lines`: the last that it said."""

    def __init__(self, reason: str, lines: list[str]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.lines = lines


class Engine:
    """A Docker engine, found as the Docker client finds it (DOCKER_HOST, its context)."""

    def __init__(self) -> None:
        import docker
        from docker.errors import DockerException

        try:
            self._client: DockerClient = docker.from_env(use_ssh_client=True)
            self._client.ping()
        except DockerException as error:
            raise OutsideError(
                f"the Docker engine can't be reached ({innermost(error)})",
                hint="start it (systemctl start docker), or name it in DOCKER_HOST",
            ) from error

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def image_id(self, name: str) -> str | None:
        """The id of an image in the engine, None when it isn't there."""
        from docker.errors import ImageNotFound

        try:
            return str(self._client.images.get(name).id)
        except ImageNotFound:
            return None

    def rename(self, old: str, new: str) -> str:
        """Moves an image from one `repository:tag` to another; its id."""
        image = self._client.images.get(old)
        image.tag(*new.rsplit(":", 1))
        self._client.images.remove(old, noprune=True)
        return str(image.id)

    def pull(self, reference: str, login: Login | None) -> None:
        """Raises OutsideError when it can't be had."""
        from docker.errors import DockerException

        auth = {"username": login.user, "password": login.password} if login else None
        try:
            self._client.images.pull(reference, auth_config=auth)
        except DockerException as error:
            raise OutsideError(
                f"cannot be pulled: {innermost(error)}",
                where=reference,
                hint="look at the engine's way to the registry, and at its disk: docker system df",
            ) from error

    def start_once(self, image: str, variables: Mapping[str, str], *, timeout: float = 60) -> None:
        """Starts the image alone: no network, read-only, no rights, as a cluster would at worst.

        It passes when its health check does, in the time that the image itself gives it (at most
        `timeout` seconds), or, without one, when it stays up. Raises StartError otherwise. The
        container is gone afterwards.
        """
        from docker.errors import DockerException

        try:
            container = self._client.containers.create(
                image,
                environment=dict(variables),
                network_mode="none",
                read_only=True,
                tmpfs={"/tmp": ""},  # noqa: S108 - inside the container
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                healthcheck=_OFTEN,
                labels={_LABEL: _owner()},
            )
            try:
                container.start()
                own = self._client.images.get(image).attrs["Config"].get("Healthcheck") or {}
                self._wait(container, min(_patience(own), timeout))
            finally:
                container.remove(force=True, v=True)
        except DockerException as error:
            raise StartError(innermost(error), []) from error

    def _wait(self, container: Any, patience: float) -> None:
        started = time.monotonic()
        while True:
            container.reload()
            state = container.attrs["State"]
            health = (state.get("Health") or {}).get("Status")
            waited = time.monotonic() - started
            if not state["Running"]:
                reason = f"it ended with exit code {state['ExitCode']}"
            elif health == "healthy" or (health is None and waited > _GRACE):
                return
            elif waited > patience:
                probes = (state.get("Health") or {}).get("Log") or [{}]
                answer = str(probes[-1].get("Output", "")).strip()
                reason = f"it is not healthy after {patience:g} s{f': {answer}' if answer else ''}"
            else:
                time.sleep(0.1)
                continue
            said = container.logs(tail=20).decode("utf-8", "replace")
            raise StartError(reason, said.splitlines())

    def remove_remains(self) -> int:
        """Removes containers that a killed run of this machine left; how many."""
        found = self._client.containers.list(all=True, filters={"label": _LABEL})
        dead = [c for c in found if not _lives(c.labels[_LABEL])]
        for container in dead:
            with contextlib.suppress(Exception):
                container.remove(force=True, v=True)
        return len(dead)


def _patience(health: Mapping[str, Any]) -> float:
    """Seconds after which the image's own health check would have failed, as its config has it."""
    interval = (health.get("Interval") or _DEFAULT_INTERVAL * _SECOND) / _SECOND
    retries = health.get("Retries") or _DEFAULT_RETRIES
    return float((health.get("StartPeriod") or 0) / _SECOND + interval * retries)


def _owner() -> str:
    """This process, as a label: machine, pid and start time."""
    return f"{os.uname().nodename} {os.getpid()} {start_time(os.getpid())}"


def _lives(owner: str) -> bool:
    machine, _, rest = owner.partition(" ")
    if machine != os.uname().nodename:
        return True  # nothing is known of processes elsewhere
    pid, _, start = rest.partition(" ")
    return pid.isdigit() and lives(int(pid), start)
