"""Reads the files of the earlier stations, asks the registry, and hands all to the gate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from ciforge.doors.files import read_bytes
from ciforge.errors import InputError
from ciforge.gate.decide import Decision, Refusal, decide
from ciforge.plan.encode import decode_plan
from ciforge.plan.model import Plan
from ciforge.results.encode import decode_images, decode_smoke, sha256_of
from ciforge.results.model import Images, Smoke

_T = TypeVar("_T")


@dataclass(frozen=True)
class Evidence:
    """What the stations before say, and the sha256 of the bytes in which they say it."""

    plan: Plan
    plan_sha: str
    images: Images
    images_sha: str
    smokes: Mapping[str, Smoke]

    def decide(
        self,
        environment: str,
        released: Mapping[str, str] | None,
        allow_not_run: Iterable[str],
        env: Mapping[str, str] | None,
    ) -> Decision:
        """The gate's decision; `env` (None: offline) holds the login to ask the registry with."""
        decision = decide(
            self.plan,
            self.plan_sha,
            self.images,
            self.images_sha,
            self.smokes,
            environment,
            released,
            allow_not_run,
        )
        if env is None or not decision.open:
            return decision  # closed already: no need to ask anybody
        return replace(decision, refusals=tuple(_gone(self.plan, decision, env)))


def read_evidence(plan: Path, images: Path, smokes: Sequence[str] | None) -> Evidence:
    """Reads them, from the current folder on. `smokes` are names or globs; None: smoke*.json.

    Raises InputError for a file that is missing, of another version, or broken.
    """
    plan_bytes = _read(plan, "ciforge plan --format json -o plan.json")
    images_bytes = _read(images, "ciforge build --push -o images.json")
    named = _named(["smoke*.json"] if smokes is None else smokes)
    return Evidence(
        decode_plan(plan_bytes, str(plan)),
        sha256_of(plan_bytes),
        decode_images(images_bytes, str(images)),
        sha256_of(images_bytes),
        {str(path): _decoded(path, decode_smoke) for path in named},
    )


def _decoded(path: Path, decode: Callable[[bytes, str], _T]) -> _T:
    return decode(_read(path, "ciforge smoke -o smoke.json"), str(path))


def _named(patterns: Sequence[str]) -> list[Path]:
    found: set[Path] = set()
    for pattern in patterns:
        if not any(c in pattern for c in "*?["):
            found.add(Path(pattern))
            continue
        folder = Path("/") if pattern.startswith("/") else Path()
        try:
            found.update(folder.glob(pattern.lstrip("/")))
        except ValueError as error:
            raise InputError(
                f"{pattern!r} (--smoke) is no glob: {error}", hint="'smoke*.json' is one"
            ) from error
    return sorted(found)


def _read(path: Path, command: str) -> bytes:
    data = read_bytes(path, pipe=True)
    if data is None:
        raise InputError("no such file", where=str(path), hint=f"make it: {command}")
    return data


def _gone(plan: Plan, decision: Decision, env: Mapping[str, str]) -> Iterable[Refusal]:
    """A refusal for each image that the registry doesn't hold any more."""
    from ciforge.doors.registry import Registry, find_login

    host = plan.registry.host
    if host is None:
        return
    registry = Registry(host, insecure=plan.registry.insecure, login=find_login(host, env))
    wanted = {
        service: (image.removeprefix(f"{host}/"), digest)
        for service, (image, digest) in decision.digests.items()
    }
    answers = registry.digests(wanted.values())
    for service, (repository, digest) in sorted(wanted.items()):
        if answers[repository, digest] != digest:
            yield Refusal(
                service,
                f"the registry has no {host}/{repository}@{digest}",
                "its clean-up may have removed it; build anew: ciforge build --push",
            )
