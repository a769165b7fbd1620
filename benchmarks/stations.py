"""`ciforge build` beside plain `docker buildx build`: nothing changed, and one source changed;
then a smoke of what was built.

Both use the same builder, warm, and the example's own workspace, as a repository whose images
go to the registry of CI_REGISTRY under a name that only benchmarks use.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Command, CommandFailedError, Run, Runs, environment, ratio, run_once
from benchmarks.program import ciforge
from benchmarks.smoke import Smokes, measure_smoke

OURS = "ciforge"
PLAIN = "docker"
UNCHANGED_BUDGET = 3.0  # seconds
CHANGED_BUDGET = 1.15  # times the plain build

_DEMO = Path(__file__).parent.parent / "examples" / "demo.py"
_HOST = "registry.all-erp.local"
_REGISTRY = ("CI_REGISTRY", "CI_REGISTRY_IMAGE", "CI_REGISTRY_USER", "CI_REGISTRY_PASSWORD")
_PREFIX = "bench"
_PLAIN_NAME = "ciforge-bench-plain"
_CHANGED = "auth-service"
_SOURCE = f"apps/{_CHANGED}/src/main.ts"


class NoEngineError(Exception):
    """There is no Docker with buildx, or no registry to push to: nothing can be measured."""


class BuildDiffersError(Exception):
    """ciforge built another set of images than the change asks for."""


@dataclass(frozen=True)
class Stations:
    """`unchanged`: all services; `changed`: a new source in one of them; `smoke`: of all."""

    services: int
    unchanged: dict[str, Runs]
    changed: dict[str, Runs]
    smoke: Smokes

    @property
    def unchanged_met(self) -> bool:
        return self.unchanged[OURS].median < UNCHANGED_BUDGET

    @property
    def changed_ratio(self) -> float:
        """ciforge's time as a multiple of the plain build's, round by round."""
        return ratio(self.changed[OURS], self.changed[PLAIN])

    @property
    def changed_met(self) -> bool:
        return self.changed_ratio <= CHANGED_BUDGET

    def as_json(self) -> dict[str, object]:
        return {
            "services": self.services,
            "unchanged": {name: runs.as_json() for name, runs in self.unchanged.items()},
            "changed": {name: runs.as_json() for name, runs in self.changed.items()},
            "changed_ratio": round(self.changed_ratio, 3),
            "smoke": self.smoke.as_json(),
        }


def measure_stations(rounds: int, say: Callable[[str], None]) -> Stations:
    """Raises NoEngineError, and BuildDiffersError when ciforge builds too much or too little.

    `say` shows progress.
    """
    _find_engine()
    with (
        tempfile.TemporaryDirectory(prefix="ciforge-bench-") as folder,
        contextlib.ExitStack() as stack,
    ):
        bench = _Bench(Path(folder))
        stack.callback(bench.remove_images)
        say("stations, the first build of all services, both ways")
        services = bench.build("first", push=True, built=None)[1]
        for service in services:
            bench.plain(service)
        say("stations, nothing changed")
        unchanged = _alternate(
            {
                OURS: lambda: bench.build(OURS, push=True, built=[])[0],
                PLAIN: lambda: _sum([bench.plain(service) for service in services]),
            },
            rounds,
        )
        plan = bench.plan()
        bench.build("for the smoke", push=True, built=[], plan=plan)
        say("stations, smoke")
        smoke = measure_smoke(bench.path, bench.env, plan, bench.images, rounds)
        changes: dict[str, Callable[[], Run]] = {
            OURS: lambda: bench.build(OURS, push=False, built=[_CHANGED])[0],
            PLAIN: lambda: bench.plain(_CHANGED),
        }
        say("stations, one source changed")
        # Unpushed, ciforge reuses what the engine holds, not the registry.
        bench.build("local", push=False, built=None)
        for change in changes.values():  # once uncounted
            bench.edit()
            change()
        changed = _alternate(changes, rounds, before=bench.edit)
    return Stations(len(services), unchanged, changed, smoke)


class _Bench:
    """The workspace. `edit` is another one each time, also in another benchmark's run."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "all-erp"
        self.images = folder / "images.json"
        self.run = uuid.uuid4().hex
        self.edits = 0
        kept = {name: os.environ[name] for name in _REGISTRY if name in os.environ}
        self.env = environment(**kept)
        _copy_example(self.path)
        self._git("init", "--quiet", "--initial-branch=main")
        settings = self.path / "ciforge.yaml"
        prefix = os.environ["CI_REGISTRY_IMAGE"].partition("/")[2]
        text = settings.read_text("utf-8").replace(_HOST, f'"{os.environ["CI_REGISTRY"]}"', 1)
        text = text.replace("prefix: all-erp\n", f"prefix: {prefix}/{_PREFIX}\n", 1)
        settings.write_text(text, "utf-8")
        self._commit()

    def plan(self) -> Path:
        path = self.images.with_name("plan.json")
        ours = ciforge(
            "plan", self.path, "plan", "--graph", "project-graph.json",
            *("--format", "json", "-o", str(path)),
        )  # fmt: skip
        run_once(Command("plan", ours.argv, self.path, self.env))
        return path

    def build(
        self, name: str, *, push: bool, built: list[str] | None, plan: Path | None = None
    ) -> tuple[Run, list[str]]:
        """The run, and all of its services. `built` says what it should have built."""
        ours = ciforge(
            name, self.path, "build", "--graph", "project-graph.json",
            *(["--push"] if push else []), *(["--plan", str(plan)] if plan else []),
            *("-o", str(self.images)),
        )  # fmt: skip
        run = run_once(Command(name, ours.argv, self.path, self.env))
        images = json.loads(self.images.read_bytes())["images"]
        found = [image["service"] for image in images if image["action"] == "built"]
        if built is not None and found != built:
            raise BuildDiffersError(f"ciforge build built {found}, not {built}")
        return run, [image["service"] for image in images]

    def plain(self, service: str) -> Run:
        """From the whole workspace into the engine, as a pipeline without ciforge would."""
        argv = ["docker", "buildx", "build", "--load", "--build-arg", f"SERVICE={service}"]
        argv += ["--tag", f"{_PLAIN_NAME}/{service}", "."]
        return run_once(Command(f"docker buildx build of {service}", argv, self.path, self.env))

    def remove_images(self) -> None:
        """What was loaded into the engine; the registry's own clean-up knows the rest."""
        listed = self._docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").splitlines()
        ours = [n for n in listed if n.startswith(f"{_PLAIN_NAME}/") or f"/{_PREFIX}/" in n]
        if ours:
            self._docker("image", "rm", "--force", *ours)

    def _docker(self, *arguments: str) -> str:
        command = ["docker", *arguments]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)
        return done.stdout

    def edit(self) -> None:
        self.edits += 1
        with (self.path / _SOURCE).open("a", encoding="utf-8") as source:
            source.write(f"\nexport const edit{self.edits} = '{self.run}';\n")
        self._commit()

    def _commit(self) -> None:
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", "A change")

    def _git(self, *arguments: str) -> None:
        identity = ["-c", "user.name=Bench", "-c", "user.email=bench@example.com"]
        settings = ["-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null"]
        command = ["git", *identity, *settings, *arguments]
        subprocess.run(command, cwd=self.path, env=self.env, check=True)


def _find_engine() -> None:
    missing = [name for name in _REGISTRY[:2] if not os.environ.get(name)]
    if missing:
        raise NoEngineError(f"no registry to push to: {' and '.join(missing)} not set")
    if shutil.which("docker") is None:
        raise NoEngineError("there is no docker")
    for command in (["docker", "info"], ["docker", "buildx", "inspect"]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        except subprocess.TimeoutExpired:
            raise NoEngineError(f"{' '.join(command)}: no answer in 30 s") from None
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["it failed"])[-1]
            raise NoEngineError(f"{' '.join(command)}: {reason}")


def _copy_example(target: Path) -> None:
    spec = importlib.util.spec_from_file_location("demo", _DEMO)
    if spec is None or spec.loader is None:
        raise CommandFailedError(f"{_DEMO} cannot be loaded")
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    demo.copy_tracked(target)


def _alternate(
    ways: dict[str, Callable[[], Run]], rounds: int, before: Callable[[], None] = lambda: None
) -> dict[str, Runs]:
    """Rounds of both ways, each round starting with the other one; `before` isn't counted."""
    results = {name: Runs(name) for name in ways}
    for number in range(rounds):
        for name in sorted(ways, reverse=number % 2 == 1):
            before()
            results[name].runs.append(ways[name]())
    return results


def _sum(runs: Sequence[Run]) -> Run:
    """Runs one after another as if they were one."""
    seconds, cpu = sum(run.seconds for run in runs), sum(run.cpu for run in runs)
    return Run(seconds, cpu, max(run.peak for run in runs), b"")
