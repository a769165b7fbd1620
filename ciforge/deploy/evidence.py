"""Reads the files of the earlier stations, asks the registry, and hands all to the gate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ciforge.doors.files import matching
from ciforge.doors.handover import read_images, read_plan, read_smoke
from ciforge.gate.decide import Decision, Refusal, decide
from ciforge.plan.model import Plan
from ciforge.results.model import Images, Smoke


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
    named = matching(["smoke*.json"] if smokes is None else smokes, "--smoke")
    return Evidence(
        *read_plan(plan), *read_images(images), {str(path): read_smoke(path) for path in named}
    )


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
                "its clean-up may have removed it; build anew, with --push",
            )
