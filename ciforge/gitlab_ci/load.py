"""Reads a CI file as GitLab does: libyaml's syntax, Psych's types, GitLab's limits.

GitLab cuts the text at lines that begin with `---` before anything parses it, and reads two
documents at most: a header with `spec`, and the configuration. Without a header the first
document counts. Source: lib/gitlab/config/loader in GitLab's code, and Psych's ToRuby.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from ciforge.gitlab_ci.nodes import Map, Position, Reference, Refused, Seq
from ciforge.gitlab_ci.scalars import RefusedClassError, plain
from ciforge.gitlab_ci.size import MAX_DEPTH, too_big

_LOADER: Any = getattr(yaml, "CLoader", yaml.Loader)
_DIVIDER = re.compile(r"^---[ \t\r\n\f\v]+", re.MULTILINE)
_DOCUMENTS = 2
_STR = "tag:yaml.org,2002:str"
_BINARY = ("!binary", "tag:yaml.org,2002:binary")
_FLOAT = ("!float", "tag:yaml.org,2002:float")
_RUBY = re.compile(
    r"!(?:map|seq):(?P<name>.+)"
    r"|!ruby/(?P<ruby>object|struct|exception|class|module|regexp|range|data):?(?P<other>.*)"
    r"|!ruby/(?:hash|array|marshalable):(?P<of>.+)"
)
_PLAIN_HASH = "!ruby/object:Hash"


@dataclass(frozen=True)
class Loaded:
    """`header` is the `spec` document before the configuration, when there is one."""

    content: Map
    header: Map | None


def load(text: str, name: str) -> Loaded:
    """The documents of `text`, which came from the file `name`.

    Raises Refused for anything that GitLab does not read.
    """
    documents = [
        document for part, line in _parts(text) if (document := _document(part, name, line))
    ]
    if not documents:
        return Loaded(Map(Position(name, 1, 1)), None)
    if len(documents) > 1 and "spec" in documents[0]:
        return Loaded(documents[-1], documents[0])
    return Loaded(documents[0], None)


def _malformed(at: Position) -> Refused:
    return Refused(
        "yaml-no-mapping",
        "invalid configuration format: the file is no mapping of keywords and jobs",
        at,
        "write jobs as `name:` with their keywords below",
    )


def _parts(text: str) -> Iterator[tuple[str, int]]:
    """The texts between the dividers that are not blank, each with the line it begins on."""
    text = text.removeprefix("\ufeff")
    start = 0
    for _ in range(_DOCUMENTS):
        divider = _DIVIDER.search(text, start)
        if divider is None:
            break
        if text[start : divider.start()].strip():
            yield text[start : divider.start()], text.count("\n", 0, start)
        start = divider.end()
    if text[start:].strip():
        yield text[start:], text.count("\n", 0, start)


def _document(text: str, name: str, line: int) -> Map | None:
    """One document; None when nothing is in it, not even an empty mapping's worth."""
    builder = _Builder(name, line)
    try:
        value = builder.build(text)
    except yaml.MarkedYAMLError as error:
        mark = error.context_mark or error.problem_mark
        at = Position(name, line + (mark.line if mark else 0) + 1, (mark.column if mark else 0) + 1)
        said = " ".join(part for part in (error.problem, error.context) if part)
        raise Refused(
            "yaml-syntax", f"no YAML: {said}", at, "quote the value, or mend the indentation"
        ) from None
    except (yaml.YAMLError, UnicodeError) as error:
        said = " ".join(str(error).split())
        raise Refused(
            "yaml-syntax", f"no YAML: {said}", Position(name, line + 1, 1), "save the file as UTF-8"
        ) from None
    except RecursionError:
        raise _too_deep(Position(name, line + 1, 1)) from None
    if value is None or value is False or value == [] or value == {} or value == "":
        return None
    if not isinstance(value, Map):
        raise _malformed(Position(name, line + 1, 1))
    if reason := too_big(value):
        raise Refused(
            "yaml-too-big",
            f"the parsed YAML is too big: {reason}",
            value.at,
            "split the file, or its pipeline into several children",
        )
    return value


def _too_deep(at: Position) -> Refused:
    return Refused(
        "yaml-too-big",
        f"the parsed YAML is too big: nested more than {MAX_DEPTH} deep",
        at,
        "nest less, and let no anchor contain itself",
    )


def _events(text: str) -> Iterator[Any]:
    """libyaml's events, with less around them than `yaml.parse`."""
    get = _LOADER(text).get_event
    while (event := get()) is not None:
        yield event


class _Builder:
    """Builds values from libyaml's events; anchors and aliases share what they name."""

    def __init__(self, name: str, line: int) -> None:
        self._name = name
        self._line = line + 1
        self._anchors: dict[str, Any] = {}
        self._open: set[int] = set()

    def build(self, text: str) -> Any:
        """The first document; libyaml stops at its end, and so does GitLab."""
        events = _events(text)
        for event in events:
            if isinstance(event, yaml.StreamEndEvent | yaml.DocumentEndEvent):
                return None
            if isinstance(event, yaml.NodeEvent):
                value = self._node(event, events)
                next(events, None)  # the document's end must parse too
                return value
        return None

    def _at(self, event: Any) -> Position:
        mark = event.start_mark
        return Position(self._name, self._line + mark.line, mark.column + 1)

    def _node(self, event: Any, events: Iterator[Any]) -> Any:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            value = self._scalar(event)
            if event.anchor is not None:
                self._anchors[event.anchor] = value
            return value
        if kind is yaml.AliasEvent:
            if event.anchor not in self._anchors:
                raise self._refused("yaml-alias", f"unknown alias: {event.anchor}", event)
            value = self._anchors[event.anchor]
            if id(value) in self._open:
                raise _too_deep(self._at(event))
            return value
        return self._collection(event, events, kind is yaml.MappingStartEvent)

    def _collection(self, event: Any, events: Iterator[Any], is_map: bool) -> Any:
        value = Map(self._at(event)) if is_map else Seq(self._at(event))
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        if len(self._open) > 2 * MAX_DEPTH:
            raise _too_deep(self._at(event))
        self._open.add(id(value))
        if isinstance(value, Map):
            self._fill(value, events)
        else:
            for item in events:
                if type(item) is yaml.SequenceEndEvent:
                    break
                value.put(self._node(item, events), self._at(item))
        self._open.discard(id(value))
        tag = event.tag
        if tag == "!reference":
            reference = _reference(value)
            if event.anchor is not None:
                self._anchors[event.anchor] = reference
            return reference
        if tag is not None and (refused := _class_of(tag)):
            raise self._refused("yaml-class", _unspecified(refused), event)
        return value

    def _fill(self, value: Map, events: Iterator[Any]) -> None:
        for event in events:
            if type(event) is yaml.MappingEndEvent:
                return
            key = _hashable(self._node(event, events))
            following = next(events)
            inner = self._node(following, events)
            if key == "<<" and self._merged(value, inner, following):
                continue
            value.put(key, inner, self._at(event))

    def _merged(self, value: Map, inner: Any, event: Any) -> bool:
        """`<<` as Psych has it: it overrides the keys before it; a list's first item wins."""
        if isinstance(inner, Map):
            _take(value, inner)
            return True
        is_list = type(event) is yaml.SequenceStartEvent and isinstance(inner, Seq)
        if is_list and all(isinstance(item, Map) for item in inner):
            for item in reversed(inner):
                _take(value, item)
            return True
        return False

    def _scalar(self, event: Any) -> Any:
        tag, text = event.tag, event.value
        if tag is None:
            return self._plain(text, event) if event.implicit[0] else text
        if tag == "!reference":
            return Reference(None, text, self._at(event))
        return self._tagged(tag, text, event)

    def _plain(self, text: str, event: Any) -> Any:
        try:
            return plain(text)
        except RefusedClassError as error:
            raise self._refused("yaml-class", str(error), event) from None

    def _tagged(self, tag: str, text: str, event: Any) -> Any:
        if tag == _STR or tag.startswith(("!str", "!ruby/string")):
            return text
        if tag in _BINARY:
            try:
                return base64.b64decode(text, validate=False).decode("utf-8", "replace")
            except binascii.Error:
                return text
        if refused := _class_of(tag):
            raise self._refused("yaml-class", _unspecified(refused), event)
        value = self._plain(text, event)
        if tag in _FLOAT:
            return float(value) if isinstance(value, int | float) else 0.0
        return value

    def _refused(self, rule: str, message: str, event: Any) -> Refused:
        return Refused(rule, message, self._at(event), "quote the value if it is meant as text")


def _take(value: Map, inner: Map) -> None:
    value.update(inner)
    value.marks.update(inner.marks)


def _reference(value: Any) -> Reference:
    words = list(value) if isinstance(value, Seq) else []
    is_path = bool(words) and all(type(word) is str for word in words)
    shown = "[" + ", ".join(f'"{w}"' if isinstance(w, str) else str(w) for w in words) + "]"
    return Reference(tuple(words) if is_path else None, shown, value.at)


def _hashable(key: Any) -> Any:
    """A key that is a list or mapping, as a tuple: it is no word, but one can look it up."""
    if isinstance(key, Map):
        return tuple((_hashable(name), _hashable(value)) for name, value in key.items())
    if isinstance(key, Seq):
        return tuple(_hashable(item) for item in key)
    return key


def _class_of(tag: str) -> str | None:
    """The Ruby class that a tag asks for; GitLab allows none but symbols."""
    if tag in ("!omap", "tag:yaml.org,2002:omap"):
        return "Psych::Omap"
    if tag in ("!set", "tag:yaml.org,2002:set"):
        return "Psych::Set"
    match = _RUBY.fullmatch(tag)
    if match is None or tag == _PLAIN_HASH:
        return None
    return match["name"] or match["of"] or match["other"] or str(match["ruby"]).capitalize()


def _unspecified(name: str) -> str:
    return f"Tried to load unspecified class: {name}"
