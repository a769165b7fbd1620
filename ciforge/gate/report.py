"""The decision in words and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ciforge.gate.decide import Decision, short
from ciforge.text import escape

Painter = Callable[[str, str], str]


def as_lines(decision: Decision, paint: Painter) -> Iterable[str]:
    """The verdict, each refusal with what to do, and what may be deployed."""
    name = escape(decision.environment)
    for warning in decision.warnings:
        yield paint(f"! {escape(warning)}", "yellow")
    if decision.open:
        count = len(decision.digests)
        images = "1 image" if count == 1 else f"{count} images"
        yield f"{paint('open', 'green')}: {name} may get {images}"
        width = max((len(s) for s in decision.digests), default=0)
        for service, (image, digest) in decision.digests.items():
            yield f"  {escape(service):{width}}  {escape(image)}@{short(digest)}"
        return
    count = len(decision.refusals)
    yield f"{paint('closed', 'red')}: {name} may not get these images, for {count} reason" + (
        "s" if count > 1 else ""
    )
    for refusal in decision.refusals:
        yield f"  {paint(escape(refusal.subject), 'bold')}: {escape(refusal.what)}"
        yield f"    {escape(refusal.hint)}"


def as_json(decision: Decision) -> dict[str, object]:
    return {
        "environment": decision.environment,
        "open": decision.open,
        "warnings": list(decision.warnings),
        "refusals": [
            {"subject": r.subject, "what": r.what, "hint": r.hint} for r in decision.refusals
        ],
        "digests": {
            service: {"image": image, "digest": digest}
            for service, (image, digest) in decision.digests.items()
        },
    }
