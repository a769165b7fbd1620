"""What is to be built, and how it may be had."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ciforge.doors.registry import Login, Registry, speaks_http
from ciforge.errors import InputError
from ciforge.plan.model import Plan, ServicePlan

# Fills a folder with a service's inputs and tells its pinned base images.
WriteContext = Callable[[ServicePlan, Path], Mapping[str, str]]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Order:
    """`plan_sha256` names the bytes of plan.json. `tags` are set on every image beside the tag of
    its inputs. Without `push` images stay in the engine. `builder` as in runners.build.

    `only`: the services of this part of a build; None: all of them. A part sets no tag.
    """

    plan: Plan
    plan_sha256: str
    push: bool
    tags: Sequence[str]
    login: Login | None
    env: Mapping[str, str]
    builder: str = "docker"
    only: Collection[str] | None = None

    @property
    def services(self) -> list[ServicePlan]:
        """Those with an image of ours, sorted by name."""
        ours = (s for s in self.plan.services if s.kind != "image")
        return [s for s in ours if self.only is None or s.name in self.only]

    @property
    def insecure(self) -> bool:
        """Whether plain HTTP is spoken to the registry."""
        registry = self.plan.registry
        return registry.host is not None and speaks_http(registry.host, registry.insecure)

    def repository(self, service: ServicePlan) -> str:
        """Where its image is, below the registry's host."""
        return service.image.removeprefix(f"{self.plan.registry.host}/")

    def tags_of(self, service: ServicePlan) -> list[str]:
        """The tag of its inputs first; none for a part."""
        if self.only is not None:
            return []
        return [t for t in (service.tag, *(self.tags if self.push else ())) if t]

    def registry(self) -> Registry | None:
        """Where to push, None when nothing is pushed. Raises InputError when there is none."""
        host = self.plan.registry.host
        if host is None and self.push:
            raise InputError(
                "there is no registry to push to",
                hint="name it in ciforge.yaml (registry.host), or set CI_REGISTRY; then plan anew",
            )
        if host is None or not self.push:
            return None
        return Registry(host, insecure=self.plan.registry.insecure, login=self.login)
