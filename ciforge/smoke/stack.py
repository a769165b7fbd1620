"""The containers of one run of a suite: made ready, started by whoever asks, taken away."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciforge.doors import docker, files
from ciforge.doors.process import start_time
from ciforge.errors import InputError, OutsideError
from ciforge.plan.model import Plan, SmokePlan
from ciforge.results.model import Images, TestedImage
from ciforge.smoke import model as models
from ciforge.smoke.override import Frame, override
from ciforge.smoke.owner import LABEL, Owner, project_name
from ciforge.smoke.recognise import Dependency, recognise
from ciforge.smoke.select import Subject, exact_images, subjects


@dataclass(frozen=True)
class Around:
    """What all suites share. `say`: shows progress. `logs`: where each container's log goes."""

    directory: Path
    environment: docker.Environment
    say: Callable[[str], None]
    host: str
    pid: int
    keep: bool = False
    logs: Path | None = None


@dataclass(frozen=True)
class Prepared:
    """A suite that is known to be startable: all that can be refused has been looked at.

    `references`: the exact images of the compose services that run ours.
    """

    suite: SmokePlan
    subjects: list[Subject]
    references: dict[str, str]
    files: list[Path]
    model: dict[str, Any]
    services: list[str]
    project: str

    @property
    def images(self) -> list[TestedImage]:
        known = models.services(self.model)
        return [s.tested(s.reference or str(known[s.name].get("image"))) for s in self.subjects]

    @property
    def dependencies(self) -> list[Dependency]:
        known = models.services(self.model)
        asked = {s.name for s in self.subjects if s.ready is not None}
        found = [recognise(name, known[name]) for name in self.services if name not in asked]
        return [dependency for dependency in found if dependency is not None]


def prepare(
    suite: SmokePlan, plan: Plan, images: Images | None, name: str, around: Around
) -> Prepared:
    """Reads the compose files and finds each image in images.json (`name`).

    Raises InputError for what is wrong or missing in one of them.
    """
    tested = subjects(suite, plan, images, name)
    paths = [around.directory / name for name in suite.compose]
    for path in paths:
        if files.read_bytes(path) is None:
            raise InputError(
                f"there is no such file, which the smoke suite {suite.suite!r} starts",
                where=str(path),
                hint="write it, or name another in ciforge.yaml: smoke, compose",
            )
    where = ", ".join(suite.compose)
    project = project_name(suite.suite, secrets.token_hex(4))
    absolute = [path.resolve() for path in paths]
    # Every profile: a service that a profile hides still has to be found by its name.
    found = docker.Compose(around.directory, absolute, project, ["*"], (), around.environment)
    model = found.model(where)
    services = models.closure(model, suite.services, where)
    ours = {service.name for service in plan.services if service.kind != "image"}
    owners = models.owners(model, services, ours)
    exact = exact_images(owners, plan, images, name)
    exact |= {s.name: s.reference for s in tested if s.reference}
    return Prepared(suite, tested, exact, absolute, model, services, project)


class Stack(docker.Compose):
    used = 0.0  # seconds from its start until everything was asked


@contextmanager
def stack(prepared: Prepared, around: Around) -> Iterator[Stack]:
    bind, _ = docker.published_at()
    until = 0 if around.keep else int(time.time()) + prepared.suite.timeout
    owner = Owner(around.host, around.pid, start_time(around.pid) or "", until)
    text = override(
        prepared.model,
        prepared.services,
        prepared.references,
        {s.name: s.port for s in prepared.subjects if s.ready},
        Frame(prepared.project, {LABEL: owner.label()}, bind),
    )
    with files.workplace("smoke") as folder:
        extra = folder / "override.yml"
        extra.write_text(text, encoding="utf-8")
        compose = Stack(
            around.directory,
            [*prepared.files, extra],
            prepared.project,
            ["gpu"] if prepared.suite.gpu else [],
            prepared.suite.services,
            around.environment,
        )
        try:
            yield compose
        finally:
            with docker.undisturbed():
                _take_away(compose, prepared, around)


def _take_away(compose: Stack, prepared: Prepared, around: Around) -> None:
    name = prepared.suite.suite
    compose.deadline = None
    try:
        if around.logs is not None:
            _save_logs(compose, prepared, around, around.logs)
        if around.keep:
            around.say(
                f"{name}: kept; remove it with: docker compose -p {prepared.project} down --volumes"
            )
            return
        around.say(f"{name}: cleaning up")
        docker.remove_project(prepared.project, around.environment)
    except (OutsideError, InputError) as error:
        # Not worth the verdict: the next run on this machine removes it.
        around.say(f"{name}: {prepared.project} may be left over: {error}")


def _save_logs(compose: Stack, prepared: Prepared, around: Around, folder: Path) -> None:
    hidden = models.secrets(prepared.model)
    for container in compose.containers():
        name = re.sub(r"[^\w.-]", "-", container.name.removeprefix(f"{prepared.project}-"))
        log = models.mask(docker.log_of(container, around.environment), hidden)
        files.write_atomically(
            folder / prepared.suite.suite / f"{name}.log", log.encode("utf-8", "backslashreplace")
        )
