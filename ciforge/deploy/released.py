"""What an environment runs now, as Helm's history tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ciforge.doors.helm import Helm, Revision


@dataclass(frozen=True)
class Released:
    """`good`: the last revision that was whole, None before the first; `last`: the newest one."""

    last: Revision | None = None
    good: Revision | None = None
    digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether the cluster stands as the last good revision says."""
        return self.good is not None and self.last == self.good


def ask(helm: Helm) -> Released:
    """Asks Helm. Raises OutsideError when the cluster does not answer."""
    history = helm.history()
    if not history:
        return Released()
    good = last_good(history)
    digests = digests_of(helm.values(good.revision)) if good else {}
    return Released(history[-1], good, digests)


def last_good(history: Sequence[Revision]) -> Revision | None:
    """The newest revision that was rolled out wholly.

    `helm rollback` without a revision takes the one before, even a failed one: it must be named.
    """
    whole = [r for r in history if r.status in ("deployed", "superseded")]
    return next((r for r in reversed(whole) if " failed: " not in r.description), None)


def digests_of(values: object) -> dict[str, str]:
    """Service → digest, from values as `deploy` gives them to the chart."""
    services = values.get("services") if isinstance(values, Mapping) else None
    found = {}
    for name, service in services.items() if isinstance(services, Mapping) else ():
        image = service.get("image") if isinstance(service, Mapping) else None
        digest = image.get("digest") if isinstance(image, Mapping) else None
        if isinstance(digest, str) and digest:
            found[str(name)] = digest
    return dict(sorted(found.items()))
