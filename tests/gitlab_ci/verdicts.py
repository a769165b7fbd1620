"""What GitLab itself said to 591 CI documents written for this purpose (release line 18.11).

`data/verdicts.json.gz` holds the documents, the local files that some of them include, and for
each the verdict of GitLab's parser and, for some, the jobs that a pipeline would have.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_DATA = Path(__file__).with_name("data") / "verdicts.json.gz"


@dataclass(frozen=True)
class Fixtures:
    """The repository in which local includes are looked up; empty for most documents."""

    texts: Mapping[str, str]

    def read(self, path: str) -> str | None:
        return self.texts.get(path)

    def paths(self) -> Iterable[str]:
        return self.texts


@dataclass(frozen=True)
class Case:
    """One document. `text`: bytes that are no UTF-8 are surrogates (`surrogateescape`)."""

    name: str
    text: str
    files: Fixtures
    is_valid: bool
    refused_at_creation: bool
    messages: tuple[str, ...]
    simulate: Mapping[str, Any]

    def answer(self, event: str) -> Any:
        """What GitLab would create for one of the four sets of variables; None: not recorded."""
        answer = self.simulate.get(event)
        while isinstance(answer, str) and answer.startswith("="):
            answer = self.simulate[answer[1:]]
        return None if answer == "gap" else answer


@cache
def cases() -> tuple[Case, ...]:
    """All documents, by name."""
    recorded = json.loads(gzip.decompress(_DATA.read_bytes()))
    files = recorded["files"]
    fixtures = {
        path.removeprefix("fixtures/"): text
        for path, text in files.items()
        if path.startswith("fixtures/")
    }
    return tuple(
        Case(
            name=name,
            text=files[f"cases/{name}"],
            files=Fixtures(fixtures if verdict.get("include_root") else {}),
            is_valid=verdict["verdict"] == "valid",
            refused_at_creation=verdict.get("refused_at_creation", False),
            messages=tuple(verdict.get("messages", ())),
            simulate=verdict.get("simulate", {}),
        )
        for name, verdict in sorted(recorded["verdicts"].items())
    )
