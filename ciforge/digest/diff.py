"""The difference of two input manifests, entry by entry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ciforge.digest.manifest import Entry


@dataclass(frozen=True)
class EntryChange:
    """One entry that differs. `before` is None for an addition, `after` for a removal."""

    change: Literal["added", "removed", "changed"]
    kind: str
    name: str
    before: str | None
    after: str | None

    def describe(self) -> str:
        what = self.name if self.kind == "file" else f"{self.kind} {self.name}"
        return f"{what} {'was ' if self.change != 'changed' else ''}{self.change}"


def diff_entries(before: Iterable[Entry], after: Iterable[Entry]) -> list[EntryChange]:
    """Changes from `before` to `after`, sorted by kind and name."""
    old = {(e.kind, e.name): e.value for e in before}
    new = {(e.kind, e.name): e.value for e in after}
    changes = []
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key), new.get(key)
        if was != now:
            change: Literal["added", "removed", "changed"] = (
                "added" if was is None else "removed" if now is None else "changed"
            )
            changes.append(EntryChange(change, *key, was, now))
    return changes
