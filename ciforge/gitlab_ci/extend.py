"""`extends`, merged as GitLab merges it, and `!reference`, put in place of what it names.

Source: lib/gitlab/ci/config/extendable and lib/gitlab/ci/config/yaml/tags in GitLab's code.
Everything at the top of a file can extend everything else there, jobs or not.
"""

from __future__ import annotations

from typing import Any

from ciforge.gitlab_ci.nodes import Map, Reference, Refused, Seq, merge

MAX_EXTENDS = 10
"""Levels of `extends` above a job."""


def extend(root: Map) -> Map:
    """`root` with every `extends` merged; the keyword itself stays.

    Raises Refused for an unknown, circular or too deep `extends`.
    """
    extended = Map(root.at)
    extended.update(root)
    extended.marks.update(root.marks)
    for key in root:
        _extend(extended, key, ())
    return extended


def _extend(context: Map, key: Any, below: tuple[Any, ...]) -> Map:
    value: Map = context[key]
    if not isinstance(value, Map) or "extends" not in value:
        return value
    bases = _bases(value["extends"])
    at = value.where("extends")

    def refused(rule: str, message: str, hint: str) -> Refused:
        return Refused(rule, f"{key}: {message}", at, hint, job=str(key))

    if unknown := [base for base in bases if base not in context]:
        names = ", ".join(unknown)
        raise refused(
            "extends-unknown",
            f"unknown keys in `extends` ({names})",
            "name a job or a hidden job of this file or of what it includes",
        )
    if wrong := [base for base in bases if not isinstance(context[base], Map)]:
        names = ", ".join(wrong)
        raise refused(
            "extends-unknown",
            f"invalid base hashes in `extends` ({names})",
            "extend a job, which is a mapping",
        )
    if len(below) > MAX_EXTENDS:
        raise refused(
            "extends-depth", "nesting too deep in `extends`", "extend fewer levels, 11 at most"
        )
    if key in below:
        raise refused(
            "extends-circular",
            "circular dependency detected in `extends`",
            "let no job extend itself, not even through others",
        )
    merged = Map(value.at)
    for base in bases:
        merged = merge(merged, _extend(context, base, (*below, key)))
    merged = merge(merged, value)
    merged.at = value.at
    context[key] = merged
    return merged


def _bases(value: Any) -> list[str]:
    if value is None:
        return []
    items = value if isinstance(value, Seq) else [value]
    return [_word(item) for item in items]


def _word(item: Any) -> str:
    if item is None:
        return ""
    if isinstance(item, bool):
        return str(item).lower()
    return str(item)


def dereference(root: Map) -> Map:
    """`root` with every `!reference` replaced by the value it names.

    Raises Refused for one that is malformed, names nothing, or is part of a circle.
    """
    resolved: Map = _Resolver(root).inside(root)
    return resolved


class _Resolver:
    def __init__(self, root: Map) -> None:
        self._root = root
        self._done: dict[int, Any] = {}
        self._open: set[int] = set()

    def inside(self, value: Any) -> Any:
        """`value` with the references in it resolved; itself when there are none."""
        if isinstance(value, Reference):
            return self._resolved(value)
        if isinstance(value, Map):
            return self._in_map(value)
        if isinstance(value, Seq):
            items = [self.inside(item) for item in value]
            if all(new is old for new, old in zip(items, value, strict=True)):
                return value
            opened = Seq(value.at)
            for item, mark in zip(items, value.marks, strict=True):
                opened.put(item, mark)
            return opened
        return value

    def _in_map(self, value: Map) -> Map:
        replaced = {
            key: new
            for key, inner in value.items()
            if isinstance(inner, Map | Seq | Reference) and (new := self.inside(inner)) is not inner
        }
        if not replaced:
            return value
        opened = Map(value.at)
        for key, inner in value.items():
            opened.put(key, replaced.get(key, inner), value.where(key))
        return opened

    def _resolved(self, reference: Reference) -> Any:
        shown = f"!reference {reference.shown}"
        if reference.path is None:
            raise Refused(
                "reference-malformed",
                f"{shown} is not valid",
                reference.at,
                "write a list of words: !reference [job, keyword]",
            )
        if id(reference) in self._done:
            return self._done[id(reference)]
        if id(reference) in self._open:
            raise Refused(
                "reference-circular",
                f"{shown} is part of a circular chain",
                reference.at,
                "let no reference lead back to itself",
            )
        self._open.add(id(reference))
        value = self.inside(self._found(reference.path))
        self._open.discard(id(reference))
        if value is None or value is False:
            raise Refused(
                "reference-unknown",
                f"{shown} could not be found",
                reference.at,
                "name a job and a keyword that it has",
            )
        self._done[id(reference)] = value
        return value

    def _found(self, path: tuple[str, ...]) -> Any:
        value: Any = self._root
        for word in path:
            if isinstance(value, Reference):
                value = self._resolved(value)
            if not isinstance(value, Map):
                return None
            value = value.get(word)
        return value
