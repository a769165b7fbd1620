"""What the rules of a file ask for and a simulation can't know.

Source: "Predefined CI/CD variables reference" in GitLab's documentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ciforge.gitlab_ci.document import Document
from ciforge.simulate.model import Event
from ciforge.simulate.rules import flat

_UNKNOWN = re.compile(
    r"\$\{?("
    r"CI_(?:PROJECT|SERVER|API|PAGES|REGISTRY|DEPENDENCY_PROXY|MERGE_REQUEST)_\w+|CI_REGISTRY"
    r"|CI_COMMIT_(?:AUTHOR|BEFORE_SHA|DESCRIPTION|MESSAGE|REF_PROTECTED|TIMESTAMP|TITLE)"
    r"|CI_CONFIG_PATH|CI_REPOSITORY_URL|GITLAB_USER_\w+)\b",
    re.ASCII,
)


def guessed(document: Document, event: Event) -> tuple[str, ...]:
    """Variables that rules ask for, and that GitLab sets, but nobody gave with the event."""
    of_pipeline = document.workflow or {}
    asked = {name for job in (of_pipeline, *document.jobs.values()) for name in _asked(job)}
    if not event.is_merge_request:
        asked = {name for name in asked if not name.startswith("CI_MERGE_REQUEST_")}
    return tuple(sorted(asked - event.variables.keys() - document.variables.keys()))


def _asked(holder: Mapping[str, Any]) -> Iterator[str]:
    for rule in flat(holder.get("rules")):
        yield from _UNKNOWN.findall(str(rule.get("if")))
    for key in ("only", "except"):
        policy = holder.get(key)
        if isinstance(policy, Mapping):
            yield from _UNKNOWN.findall(str(policy.get("variables")))
