"""YAML as plain values, each with its place in the text.

Reads the part of YAML that a configuration needs: one document, mappings with text keys,
lists, scalars, anchors, aliases and merge keys. Scalars are typed by YAML 1.2's core schema
(https://yaml.org/spec/1.2.2/#103-core-schema), not by PyYAML's 1.1, in which `on` and `no`
are booleans and `2024-01-01` is a date. Built from PyYAML's events, because its composer
recurses without a limit and drops the first of two equal keys silently.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from ciforge.errors import InputError

if TYPE_CHECKING:
    from yaml import Event

MAX_BYTES = 1024 * 1024
MAX_NODES = 20_000
MAX_DEPTH = 32

Path: TypeAlias = tuple[str | int, ...]
Place: TypeAlias = tuple[int, int]

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# PyYAML's words (a part of "context problem"), ours, and what to do.
_FAULTS = (
    ("'\\t' that cannot", "a tab where YAML takes only spaces", "put spaces in place of the tab"),
    ("cannot start any token", "a text can't begin with this character", "quote the text"),
    ("an alias", "'*' begins an alias here", "quote a text that begins with '*'"),
    ("an anchor", "'&' begins an anchor here", "quote a text that begins with '&'"),
    (" a tag", "'!' begins a tag here", "quote a text that begins with '!'"),
    ("tag handle", "'!' begins a tag here", "quote a text that begins with '!'"),
    ("unknown escape", "an unknown escape after '\\'", "double the '\\', or use single quotes"),
    ("a quoted scalar", "a quote without its end", "close the quote, on the same indentation"),
    (
        "mapping values are not allowed",
        "a ':' where no key can be",
        "check the indentation, or quote a text that holds ': '",
    ),
    (
        "could not find expected ':'",
        "a line that is neither 'key: value' nor '- item'",
        "check for a forgotten ':' in the line above",
    ),
    (
        "expected <block end>",
        "this doesn't fit what stands above it",
        "check the indentation, or quote the whole text if it holds '{', '[' or quotes",
    ),
    (
        "parsing a flow",
        "a '[' or '{' without its end, or an item without its ','",
        "close it, or quote a text that holds '{', '[' or ','",
    ),
    ("the node content", "no value can begin like this", "quote the text"),
)
_AT_START = ("an alias", "an anchor", " a tag", "a quoted scalar")


@dataclass(slots=True)
class Problem:
    """One thing wrong in a file: where (line and column from 1), what, and what to do."""

    place: Place
    message: str
    hint: str | None = None


@dataclass(slots=True)
class Node:
    """A value at its place; `keys` has the places of a mapping's keys.

    `source` is a plain (unquoted) scalar as it was written. `size` and `height` count what
    is below, aliases expanded.
    """

    value: dict[str, Node] | list[Node] | str | int | float | bool | None
    place: Place
    source: str = ""
    keys: dict[str, Place] = field(default_factory=dict)
    size: int = 1
    height: int = 0

    @property
    def entries(self) -> dict[str, Node]:
        """A mapping's values; none for any other value."""
        return self.value if isinstance(self.value, dict) else {}

    def find(self, path: Path) -> Place:
        """Where the key or item at `path` is, or the last one on the way that is there."""
        node, place = self, self.place
        for part in path:
            if isinstance(part, str) and part in node.entries:
                place, node = node.keys[part], node.entries[part]
            elif isinstance(part, int) and isinstance(node.value, list):
                node = node.value[part]
                place = node.place
        return place

    def described(self) -> str:
        """What the value is: `the integer 22`, `a list`."""
        if isinstance(self.value, str):
            return f"the string {shown(self.value)}"
        if isinstance(self.value, int | float):
            kind = {bool: "boolean", int: "integer", float: "number"}[type(self.value)]
            return f"the {kind} {self.source[:60]}"
        if self.value is None:
            return "nothing"
        return "a list" if isinstance(self.value, list) else "a mapping"


def dotted(path: Path) -> str:
    """The path as a person would say it: `services.web.projects[1]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            plain = re.fullmatch(r"[\w@/-]{1,60}", part)
            text += f"{'.' if text else ''}{part if plain else shown(part)}"
    return text


def shown(text: str) -> str:
    """The text in quotes, on one line, shortened."""
    return json.dumps(text if len(text) <= 60 else text[:59] + "…", ensure_ascii=False)


def read_yaml(text: str | bytes, name: str) -> tuple[Node | None, list[Problem]]:
    """The only document of a YAML text (None: there is none), and the faults in its keys.

    Raises InputError, with `name` and the line in `where`, for what can't be read at all:
    not YAML or not UTF-8, over 1 MiB, over 20,000 values with aliases expanded, nested over
    32 levels, tags other than !!str, a second document.
    """
    if len(text) > MAX_BYTES:
        raise InputError("larger than 1 MiB", where=name, hint="is this the right file?")
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise InputError(
                f"not UTF-8: the byte 0x{error.object[error.start]:02x}",
                where=f"{name}:{line}",
                hint="save the file as UTF-8",
            ) from error
    reader = _Reader(text, name)
    return reader.document(), reader.problems


class _Reader:
    def __init__(self, text: str, name: str) -> None:
        import yaml  # late: 10 ms that a workspace without a configuration doesn't pay

        self.yaml = yaml
        self.name = name
        self.problems: list[Problem] = []
        self.anchors: dict[str, Node | None] = {}
        self.count = 0
        try:
            self.loader = yaml.SafeLoader(text)
        except yaml.reader.ReaderError as error:
            start = text.rfind("\n", 0, error.position) + 1
            place = (text.count("\n", 0, start) + 1, error.position - start + 1)
            self.fail(place, _no_character(text[error.position]), "remove it")

    def fail(self, place: Place, message: str, hint: str | None = None) -> NoReturn:
        raise InputError(message, where=f"{self.name}:{place[0]}:{place[1]}", hint=hint) from None

    def next(self) -> Event:
        try:
            event: Event = self.loader.get_event()  # type: ignore[no-untyped-call]
        except self.yaml.MarkedYAMLError as error:
            words = f"{error.context} {error.problem}"
            for theirs, ours, hint in _FAULTS:
                if theirs in words:
                    mark = error.context_mark if theirs in _AT_START else error.problem_mark
                    self.fail(_place(mark), ours, hint)
            self.fail(_place(error.problem_mark), f"not YAML: {error.problem}")
        except (ValueError, OverflowError):
            # PyYAML trusts \U escapes and %YAML versions to be small (chr and int in scanner.py).
            self.fail(_place(self.loader.get_mark()), "a number too large for YAML")
        return event

    def document(self) -> Node | None:
        events = self.yaml.events
        self.next()
        if isinstance(self.next(), events.StreamEndEvent):
            return None
        node = self.node(self.next(), (), 0)
        self.next()
        after = self.next()
        if not isinstance(after, events.StreamEndEvent):
            hint = "keep one document, without a '---' after it"
            self.fail(_place(after.start_mark), "a second document", hint)
        return node

    def node(self, event: Event, path: Path, depth: int) -> Node:
        place = _place(event.start_mark)
        anchor: str | None = event.anchor  # type: ignore[attr-defined]
        known = isinstance(event, self.yaml.AliasEvent)
        node = self.alias(str(anchor), place) if known else Node(None, place)
        self.count += node.size
        if self.count > MAX_NODES:
            self.fail(place, f"more than {MAX_NODES:,} values, those of aliases included")
        if depth + node.height > MAX_DEPTH:
            self.fail(place, f"nested deeper than {MAX_DEPTH} levels")
        if not known:
            if anchor:
                self.anchors[anchor] = None
            self.fill(node, event, path, depth)
            if anchor:
                self.anchors[anchor] = node
        return node

    def alias(self, anchor: str, place: Place) -> Node:
        node = self.anchors.get(anchor)
        if node is None:
            inside = anchor in self.anchors
            what = "stands inside what it names" if inside else "is an alias of nothing above it"
            hint = None if inside else "quote a text that begins with '*'"
            self.fail(place, f"'*{anchor}' {what}", hint)
        return node

    def fill(self, node: Node, event: Event, path: Path, depth: int) -> None:
        tag: str | None = event.tag  # type: ignore[attr-defined]
        scalar = isinstance(event, self.yaml.ScalarEvent)
        if tag is not None and not (scalar and tag == "tag:yaml.org,2002:str"):
            hint = "remove it, or quote a text that begins with '!'; only !!str is known"
            tag = tag.replace("tag:yaml.org,2002:", "!!")
            self.fail(node.place, f"the tag {shown(tag)} is unknown", hint)
        if isinstance(event, self.yaml.ScalarEvent):
            if control := _CONTROL.search(event.value):
                self.fail(node.place, _no_character(control[0]), "remove it")
            plain = event.style is None and tag is None
            node.value = _typed(event.value) if plain else event.value
            node.source = event.value if plain else ""
            return
        if isinstance(event, self.yaml.SequenceStartEvent):
            below: list[Node] = []
            node.value = below
            while not isinstance(event := self.next(), self.yaml.SequenceEndEvent):
                below.append(self.node(event, (*path, len(below)), depth + 1))
        else:
            node.value = entries = self.entries(node.keys, path, depth)
            below = list(entries.values())
        node.size += sum(item.size for item in below)
        node.height = 1 + max((item.height for item in below), default=0)

    def entries(self, keys: dict[str, Place], path: Path, depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        merged: list[Node] = []
        while not isinstance(event := self.next(), self.yaml.MappingEndEvent):
            place = _place(event.start_mark)
            key = self.node(event, path, depth + 1)
            if isinstance(key.value, dict | list):
                self.fail(place, "a list or mapping as a key", "quote a text with '{' or '['")
            name = key.value if isinstance(key.value, str) else key.source
            value = self.node(self.next(), (*path, name), depth + 1)
            if name == "<<" == key.source:
                merged += self.sources(value)
            elif name in keys:
                message = f"{dotted((*path, name))}: a second time, first on line {keys[name][0]}"
                self.problems.append(Problem(place, message, "keep one of the two"))
            else:
                keys[name], entries[name] = place, value
                if not isinstance(key.value, str):
                    message = f"{dotted((*path, name))}: expected a text as key"
                    self.problems.append(Problem(place, message, f"quote it: {shown(name)}"))
        # Own keys win, then those of the first source: https://yaml.org/type/merge.html
        for source in merged:
            for name, value in source.entries.items():
                keys.setdefault(name, source.keys[name])
                entries.setdefault(name, value)
        return entries

    def sources(self, node: Node) -> list[Node]:
        sources = node.value if isinstance(node.value, list) else [node]
        for source in sources:
            if not isinstance(source.value, dict):
                self.fail(source.place, "'<<' takes a mapping, or a list of mappings")
        return sources


def _place(mark: Any) -> Place:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _no_character(character: str) -> str:
    return f"the character U+{ord(character):04X} can't be in a configuration"


def _typed(text: str) -> str | int | float | bool | None:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text) and len(text) <= 300:  # int() refuses over 4,300 digits
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return float(text.replace(".", "")) if _INFINITE.fullmatch(text) else text
