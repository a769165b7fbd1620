"""`include:rules`, at the top of a file and of a trigger's `include`: whether to include at all.

Source: lib/gitlab/ci/config/entry/include/rules in GitLab's code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ciforge.gitlab_ci.expressions import ExpressionError, holds, parse
from ciforge.gitlab_ci.globs import MAX_EXISTS, any_matches
from ciforge.gitlab_ci.nodes import Map, Position, Refused, Seq

MAX_PATHS = 50
_KEYS = ("if", "exists", "when", "changes")


def applies(
    rules: Any, at: Position, variables: Mapping[str, str], paths: Callable[[], Iterable[str]]
) -> bool:
    """Whether `rules`, or none, let a file in; `paths` gives those of the repository.

    Raises Refused for rules that are none.
    """
    if rules is None:
        return True
    check(rules, at)
    found = next((rule for rule in rules if _holds(rule, variables, paths)), None)
    return found is not None and found.get("when") != "never"


def _holds(rule: Map, variables: Mapping[str, str], paths: Callable[[], Iterable[str]]) -> bool:
    condition, exists = rule.get("if"), rule.get("exists")
    if condition is not None and not holds(parse(condition), variables):
        return False
    if exists is None:
        return True
    globs = exists.get("paths") if isinstance(exists, Map) else exists
    globs = [globs] if isinstance(globs, str) else globs or []
    return any_matches(globs, tuple(paths()), MAX_EXISTS)


def check(rules: Any, at: Position) -> None:
    """Whether `rules` are well formed.

    Raises Refused.
    """
    if not isinstance(rules, Seq) or not all(isinstance(rule, Map) for rule in rules):
        raise _refused("should be an array of hashes", at)
    if not rules:
        raise _refused("can't be blank", at)
    for rule in rules:
        _check_rule(rule)


def _check_rule(rule: Map) -> None:
    if not rule:
        raise _refused(":rule can't be blank", rule.at)
    _check_keys(rule, _KEYS, "", rule.at)
    condition, when = rule.get("if"), rule.get("when")
    if condition is not None:
        try:
            parse(condition if type(condition) is str else "")
        except ExpressionError:
            raise _refused(":rule:if invalid expression syntax", rule.where("if")) from None
    if when is not None and str(when) not in ("always", "never"):
        raise _refused(f":rule:when unknown value: {when}", rule.where("when"))
    changes, exists = rule.get("changes"), rule.get("exists")
    if changes is not None:
        _check_changes(changes, rule.where("changes"))
    if exists is not None and not isinstance(exists, str):
        _check_exists(exists, rule.where("exists"))


def _check_changes(changes: Any, at: Position) -> None:
    if isinstance(changes, Map):
        _check_keys(changes, ("paths", "compare_to"), ":changes", at)
        _check_strings(changes, ("compare_to",), ":changes", at)
        changes = changes.get("paths")
    _check_paths(changes, ":changes", at)


def _check_exists(exists: Any, at: Position) -> None:
    if not isinstance(exists, Map):
        _check_paths(exists, ":exists", at)
        return
    _check_keys(exists, ("paths", "project", "ref"), ":exists", at)
    _check_strings(exists, ("project", "ref"), ":exists", at)
    if "paths" not in exists:
        raise _refused(":rule:exists misses the required key: paths", at)
    if exists.get("ref") is not None and exists.get("project") is None:
        raise _refused(":rule:exists misses the required key: project", at)
    if exists["paths"] is not None:
        _check_paths(exists["paths"], ":exists", at)


def _check_keys(value: Map, known: tuple[str, ...], key: str, at: Position) -> None:
    if unknown := [str(word) for word in value if word not in known]:
        raise _refused(f":rule{key} contains unknown keys: {', '.join(unknown)}", at)


def _check_strings(value: Map, names: tuple[str, ...], key: str, at: Position) -> None:
    for name in names:
        if value.get(name) is not None and type(value[name]) is not str:
            raise _refused(f":rule{key}:{name} should be a string", at)


def _check_paths(paths: Any, key: str, at: Position) -> None:
    if not isinstance(paths, Seq) or not all(isinstance(path, str) for path in paths):
        raise _refused(f":rule{key} should be an array of strings", at)
    if len(paths) > MAX_PATHS:
        raise _refused(f":rule{key} has too many entries (maximum {MAX_PATHS})", at)


def _refused(message: str, at: Position) -> Refused:
    text = f"include:rules{'' if message.startswith(':') else ' '}{message}"
    hint = "a rule has `if`, `changes`, `exists` and `when: always` or `when: never`"
    return Refused("include-invalid", text, at, hint)
