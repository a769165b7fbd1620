"""A deploy in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ciforge.deploy.model import Deployment
from ciforge.gate.decide import short
from ciforge.text import escape

Painter = Callable[[str, str], str]
_COLOURS = {"deployed": "green", "nothing to do": "green", "would deploy": "yellow"}


def as_lines(result: Deployment, paint: Painter) -> Iterable[str]:
    """A table of digests, old and new, and the outcome below it."""
    yield from changes(result)
    place = f"{result.environment} (release {result.release}"
    place += f", revision {result.revision})" if result.revision is not None else ")"
    outcome = paint(result.outcome, _COLOURS.get(result.outcome, "red"))
    yield f"{outcome}: {escape(place)}, {result.seconds:.1f} s"
    yield f"  {escape(result.reason)}"


def changes(result: Deployment) -> Iterable[str]:
    width = max((len(c.service) for c in result.services), default=0)
    for change in result.services:
        old, new = short(change.old), short(change.new)
        what = f"{new}  unchanged" if change.old == change.new else f"{old} → {new}"
        yield f"  {escape(change.service):{width}}  {what}"


def headline(result: Deployment) -> str:
    """The error in one line: with the pod that failed and its reason, when one is known."""
    cause = result.trouble[0].describe() if result.trouble else result.reason
    return escape(f"{result.environment} was not deployed: {cause}")


def hint(result: Deployment) -> str:
    """What to do now."""
    if "conflict with" in result.reason:
        return escape(
            "somebody changed this field by hand: undo that (helm rollback"
            f" {result.release} REVISION --force-conflicts), then deploy again"
        )
    return "mend the service or its settings, and let the pipeline run again"


def why(result: Deployment, *, pods: int = 3) -> Iterable[str]:
    """The last log lines of the pod in the headline, then the other pods that failed."""
    for number, trouble in enumerate(result.trouble[:pods]):
        if number:
            yield escape(trouble.describe())
        for line in trouble.log[-10:]:
            yield f"  | {escape(line)}"
    more = len(result.trouble) - pods
    if more > 0:
        yield f"and {more} more (all are in deploy.json: -o deploy.json)"
