"""deploy.json: what a deploy did, and why."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from ciforge.deploy.watch import Trouble

DEPLOY_VERSION = 1

Outcome = Literal["deployed", "nothing to do", "would deploy", "refused", "rolled back", "failed"]


class Change(Struct, frozen=True, kw_only=True):
    service: str
    old: Annotated[str | None, Meta(description="digest that ran before; null: none known")]
    new: Annotated[str, Meta(description="digest that was to be deployed")]


class Deployment(Struct, frozen=True, kw_only=True):
    """deploy.json"""

    version: int = DEPLOY_VERSION
    ciforge: str
    environment: str
    release: str
    namespace: Annotated[str | None, Meta(description="null: the one of the kube context")]
    outcome: Outcome
    reason: str
    revision: Annotated[int | None, Meta(description="the release's newest revision now")]
    services: list[Change]
    trouble: Annotated[list[Trouble], Meta(description="pods that failed, the telling first")] = []
    warnings: list[str] = []
    seconds: float = 0.0

    @property
    def well(self) -> bool:
        return self.outcome in ("deployed", "nothing to do", "would deploy")
