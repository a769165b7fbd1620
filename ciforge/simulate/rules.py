"""Evaluates `rules` and `workflow:rules`.

Source: GitLab's lib/gitlab/ci/build/rules and lib/gitlab/ci/build/rules/rule/clause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ciforge.gitlab_ci.expressions import ExpressionError, holds, parse
from ciforge.gitlab_ci.globs import MAX_CHANGES, MAX_EXISTS, any_matches
from ciforge.simulate.model import Event
from ciforge.simulate.variables import expand


@dataclass(frozen=True)
class Outcome:
    """What the rules say. `why` is for people; `attributes` are the matching rule's keywords."""

    when: str
    why: str
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passes(self) -> bool:
        return self.when != "never"


def evaluate(
    rules: object, event: Event, variables: Mapping[str, str], default_when: str
) -> Outcome:
    """The outcome of the first rule that matches; nothing matches: never.

    `rules` may nest lists, and None means that there are no rules at all.
    """
    if rules is None:
        return Outcome(default_when, "no rules")
    number = 0
    for number, rule in enumerate(flat(rules), 1):
        if all(_holds(clause, rule[clause], event, variables) for clause in CLAUSES & rule.keys()):
            when = str(rule.get("when") or default_when)
            return Outcome(when, f"rule {number} ({describe(rule)}): {when}", rule)
    return Outcome("never", "no rule matches" if number else "its list of rules is empty")


def flat(rules: object) -> Iterator[Mapping[str, Any]]:
    """The rules without the nesting that anchors and references leave."""
    if isinstance(rules, Mapping):
        yield rules
    elif isinstance(rules, Iterable) and not isinstance(rules, str):
        for rule in rules:
            yield from flat(rule)


def describe(rule: Mapping[str, Any]) -> str:
    """The conditions of a rule on one line."""
    parts = [f"if: {rule['if']}"] if rule.get("if") is not None else []
    parts += [
        f"{clause}: {', '.join(map(str, _globs(rule[clause]))) or 'nothing'}"
        for clause in ("changes", "exists")
        if rule.get(clause) is not None
    ]
    return "; ".join(parts) or "always"


def _globs(clause: object) -> list[Any]:
    paths = clause.get("paths", []) if isinstance(clause, Mapping) else clause
    return list(paths) if isinstance(paths, list | tuple) else [paths]


def _holds(clause: str, value: Any, event: Event, variables: Mapping[str, str]) -> bool:
    return value is None or CLAUSE[clause](value, event, variables)


def expression_holds(text: object, variables: Mapping[str, str]) -> bool:
    """Whether `text` is true of `variables`; what is no expression is not."""
    try:
        return holds(parse(str(text)), variables)
    except ExpressionError:
        return False


def _if(text: Any, _: Event, variables: Mapping[str, str]) -> bool:
    return expression_holds(text, variables)


def _changes(clause: Any, event: Event, variables: Mapping[str, str]) -> bool:
    if event.changed is None:
        return True
    globs = list(dict.fromkeys(expand(str(glob), variables) for glob in _globs(clause)))
    return any_matches(globs, event.changed, MAX_CHANGES)


def _exists(clause: Any, event: Event, variables: Mapping[str, str]) -> bool:
    written = [str(glob) for glob in _globs(clause)]
    files = event.files
    # GitLab looks at what is written: `$FILE` finds nothing in a folder, whatever it stands for.
    if all("/" not in glob and "**" not in glob for glob in written):
        files = tuple(path for path in files if "/" not in path)
    globs = [expand(glob, variables) for glob in written]
    return any_matches(globs, files, MAX_EXISTS)


CLAUSE: dict[str, Callable[[Any, Event, Mapping[str, str]], bool]] = {
    "if": _if,
    "changes": _changes,
    "exists": _exists,
}
CLAUSES = CLAUSE.keys()
