"""Evaluates `only` and `except`.

Source: GitLab's lib/gitlab/ci/build/policy and lib/gitlab/ci/config/entry/policy.rb.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ciforge.gitlab_ci.expressions import pattern
from ciforge.gitlab_ci.globs import MAX_CHANGES, any_matches
from ciforge.simulate.model import Event
from ciforge.simulate.rules import expression_holds

DEFAULT_ONLY = {"refs": ["branches", "tags"]}
"""Of a job without rules: why it is missing in pipelines of merge requests."""

Specification = Mapping[str, Any]


def specification(section: object, default: Specification) -> Specification:
    """`only` or `except` as a mapping; a list means its refs. Nothing written: `default`."""
    if section is None:
        return default
    if isinstance(section, Mapping):
        written = {key: value for key, value in section.items() if value is not None}
        return {**default, **written}
    return {"refs": section if isinstance(section, list) else [section]}


def refused_by(
    only: Specification, unless: Specification, event: Event, variables: Mapping[str, str]
) -> str | None:
    """Why these policies leave a job out, or None. All of `only` must hold, none of `unless`."""
    for key, value in only.items():
        if not _satisfied(key, value, event, variables):
            return f"only:{key} ({_listed(value)}) does not hold for {_kind(event)}"
    for key, value in unless.items():
        if _satisfied(key, value, event, variables):
            return f"except:{key} ({_listed(value)}) holds for {_kind(event)}"
    return None


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _kind(event: Event) -> str:
    if event.is_tag:
        return f"the tag {event.ref}"
    return "a merge request" if event.is_merge_request else f"the branch {event.ref}".rstrip()


def _satisfied(key: str, value: Any, event: Event, variables: Mapping[str, str]) -> bool:
    values = [str(v) for v in value] if isinstance(value, list) else [str(value)]
    if key == "refs":
        return any(_ref(ref, event) for ref in values)
    if key == "variables":
        return any(expression_holds(text, variables) for text in values)
    if key == "changes":
        return event.changed is None or any_matches(values, event.changed, MAX_CHANGES)
    if key == "kubernetes":
        return event.has_cluster
    return True


def _ref(ref: str, event: Event) -> bool:
    name, _, path = ref.partition("@")
    if path and path != event.variables.get("CI_PROJECT_PATH"):
        return False
    if (name == "tags" and event.is_tag) or (name == "branches" and event.is_branch):
        return True
    source = event.source.removesuffix("_event")
    if name in (source, _plural(source)):
        return True
    if source == "external_pull_request" and name == "merge_requests":
        return True
    if not (event.is_branch or event.is_tag):
        return False
    wanted = pattern(name)
    return bool(wanted.regex.search(event.ref)) if wanted else name == event.ref


def _plural(word: str) -> str:
    """`pushes`, `schedules`, `apis`, ... as Rails forms them."""
    return word + "es" if re.search(r"(sh|ch|ss|x)$", word) else word + "s"
