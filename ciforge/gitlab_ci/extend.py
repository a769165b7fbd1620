"""`extends`, merged as GitLab merges it, and `!reference`, put in place of what it names.

Source: lib/gitlab/ci/config/extendable and lib/gitlab/ci/config/yaml/tags in GitLab's code.
Everything at the top of a file can extend everything else there, jobs or not.

Where a file includes what only GitLab can read, names may be missing: both then leave out what
they do not find, and say which keys at the top are `partial` for that.
"""

from __future__ import annotations

from typing import Any

from ciforge.gitlab_ci.nodes import Map, Reference, Refused, Seq, merge

MAX_EXTENDS = 10
"""Levels of `extends` above a job."""


def extend(root: Map, partial: set[Any] | None = None) -> Map:
    """`root` with every `extends` merged; the keyword itself stays.

    `partial` gathers the keys that extend what is not there; without it that is refused.

    Raises Refused for an unknown, circular or too deep `extends`.
    """
    extended = Map(root.at)
    extended.update(root)
    extended.marks.update(root.marks)
    for key in root:
        _extend(extended, key, (), partial)
    return extended


def _extend(context: Map, key: Any, below: tuple[Any, ...], partial: set[Any] | None) -> Map:
    value: Map = context[key]
    if not isinstance(value, Map) or "extends" not in value:
        return value
    bases = _bases(value["extends"])
    at = value.where("extends")

    def refused(rule: str, message: str, hint: str) -> Refused:
        return Refused(rule, f"{key}: {message}", at, hint, job=str(key))

    unknown = [base for base in bases if base not in context]
    if unknown and partial is not None:
        partial.add(key)
        bases = [base for base in bases if base in context]
    elif unknown:
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
        merged = merge(merged, _extend(context, base, (*below, key), partial))
        if partial is not None and base in partial:
            partial.add(key)
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


def dereference(root: Map, partial: set[Any] | None = None) -> Map:
    """`root` with every `!reference` replaced by the value it names.

    `partial` gathers the keys with references to what is not there, which are left out; without
    it that is refused.

    Raises Refused for one that is malformed, names nothing, or is part of a circle.
    """
    resolver = _Resolver(root, lenient=partial is not None)
    resolved = Map(root.at)
    for key, value in root.items():
        before = resolver.missed
        new = resolver.inside(value)
        if partial is not None and resolver.missed > before:
            partial.add(key)
        if new is not _MISSING:
            resolved.put(key, new, root.where(key))
    return resolved


_MISSING = object()


class _Resolver:
    """`missed` counts the uses of references that lead nowhere."""

    def __init__(self, root: Map, *, lenient: bool) -> None:
        self._root = root
        self._lenient = lenient
        self._done: dict[int, tuple[Any, bool]] = {}
        self._open: set[int] = set()
        self.missed = 0

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
                if item is not _MISSING:
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
            if (new := replaced.get(key, inner)) is not _MISSING:
                opened.put(key, new, value.where(key))
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
            value, missed = self._done[id(reference)]
            self.missed += missed
            return value
        if id(reference) in self._open:
            raise Refused(
                "reference-circular",
                f"{shown} is part of a circular chain",
                reference.at,
                "let no reference lead back to itself",
            )
        self._open.add(id(reference))
        before = self.missed
        value = self.inside(self._found(reference.path))
        self._open.discard(id(reference))
        if (value is None or value is False) and self._lenient:
            self.missed += 1
            value = _MISSING
        elif value is None or value is False:
            raise Refused(
                "reference-unknown",
                f"{shown} could not be found",
                reference.at,
                "name a job and a keyword that it has",
            )
        self._done[id(reference)] = (value, self.missed > before)
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
