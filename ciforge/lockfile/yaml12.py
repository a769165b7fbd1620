"""YAML as pnpm and Nx read it: core schema of YAML 1.2, on libyaml's event stream.

PyYAML's own loaders follow YAML 1.1, where package names such as `on` and `no` are booleans
and a hash such as `12e45` is a number. Here only null, true/false, integers and plain
decimals (`lockfileVersion: 5.4`) are no strings. Building values straight from the events
is also about twice as fast as PyYAML's node tree.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from ciforge.lockfile.common import LockfileError, reading

# A lockfile is at most five levels deep and has no aliases; a hand-written
# pnpm-workspace.yaml may have some. The limits stop "billion laughs".
MAX_DEPTH = 64
MAX_ALIASED = 100_000

_SPECIAL = re.compile(
    r"(?P<null>|~|null|Null|NULL)"
    r"|(?P<true>true|True|TRUE)|(?P<false>false|False|FALSE)"
    r"|(?P<int>[-+]?[0-9]{1,15})|(?P<float>[-+]?[0-9]{1,15}\.[0-9]{1,15})"
)
_STR = ("!", "tag:yaml.org,2002:str")
_DOCUMENT_START = "---\n"
_DOCUMENT_SEPARATOR = "\n---\n"


def split_documents(text: str) -> tuple[str | None, str]:
    """The package-manager document of a pnpm lockfile, if any, and the workspace's.

    pnpm 11 may put a document of its own before the lockfile. As in pnpm and Nx the split
    goes by position: a text that starts a document but never a second one holds no lockfile.
    """
    text = text.replace("\r\n", "\n")
    if not text.startswith(_DOCUMENT_START):
        return None, text
    environment, separator, main = text[len(_DOCUMENT_START) :].partition(_DOCUMENT_SEPARATOR)
    return (environment, main) if separator else (None, "")


def join_documents(environment: str | None, main: str) -> str:
    """The inverse of `split_documents`."""
    if environment is None:
        return main
    return f"{_DOCUMENT_START}{environment}{_DOCUMENT_SEPARATOR}{main}"


def _scalar(text: str) -> str | int | float | bool | None:
    match = _SPECIAL.fullmatch(text)
    if match is None:
        return text
    match match.lastgroup:
        case "null":
            return None
        case "int":
            return int(text)
        case "float":
            return float(text)
        case kind:
            return kind == "true"


def load(text: str, *, strings_only: bool = False, last_key_wins: bool = False) -> Any:
    """The one document of `text`: dicts with string keys, lists, scalars; None when empty.

    `strings_only` is js-yaml's failsafe schema, in which yarn's berry lockfiles are read;
    `last_key_wins` accepts a key twice. Raises `LockfileError` on anything else than one
    well-formed document, on tags, merge keys, and more depth or aliases than anyone writes.
    """
    with reading("YAML"):
        return _Builder(strings_only, last_key_wins).build(yaml.CSafeLoader(text))


class _Builder:
    def __init__(self, strings_only: bool, last_key_wins: bool) -> None:
        self.strings_only = strings_only
        self.last_key_wins = last_key_wins
        self.root: Any = None
        # Open collections, each with its anchor and the count of nodes before it.
        self.stack: list[tuple[dict[str, Any] | list[Any], str | None, int]] = []
        self.container: dict[str, Any] | list[Any] | None = None
        self.key: str | None = None
        self.count = 0
        self.aliased = 0
        self.anchors: dict[str, tuple[Any, int]] = {}

    def build(self, parser: Any) -> Any:
        documents = 0
        next_event = parser.get_event
        while True:
            event = next_event()
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._scalar(event)
            elif kind is yaml.MappingStartEvent:
                self._open({}, event)
            elif kind is yaml.SequenceStartEvent:
                self._open([], event)
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._close()
            elif kind is yaml.AliasEvent:
                self._alias(event)
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise LockfileError("YAML does not parse: expected a single document")
            elif kind is yaml.StreamEndEvent:
                return self.root

    def _put(self, value: Any) -> None:
        container = self.container
        if container is None:
            self.root = value
        elif isinstance(container, list):
            container.append(value)
        else:
            assert self.key is not None  # noqa: S101  a mapping's values follow their keys
            container[self.key] = value
            self.key = None

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self.count += 1
        text: str = event.value
        if isinstance(self.container, dict) and self.key is None:
            if text == "<<" and event.implicit[0]:
                raise LockfileError("YAML does not parse: merge keys (<<) are not supported")
            if text in self.container and not self.last_key_wins:
                raise LockfileError(f"YAML does not parse: duplicated mapping key {text!r}")
            self.key = text
            return
        if event.tag is not None and event.tag not in _STR:
            raise LockfileError(f"YAML does not parse: unknown tag {event.tag}")
        plain = event.implicit[0]
        value = _scalar(text) if plain and not self.strings_only else text
        if plain and not text:
            value = None
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, 1)
        self._put(value)

    def _open(self, value: dict[str, Any] | list[Any], event: Any) -> None:
        if event.tag is not None:
            raise LockfileError(f"YAML does not parse: unknown tag {event.tag}")
        if isinstance(self.container, dict) and self.key is None:
            raise LockfileError("YAML does not parse: a mapping key must be a string")
        if len(self.stack) >= MAX_DEPTH:
            raise LockfileError("YAML does not parse: it is nested too deeply")
        self._put(value)
        self.count += 1
        self.stack.append((value, event.anchor, self.count))
        self.container = value

    def _close(self) -> None:
        value, anchor, start = self.stack.pop()
        if anchor is not None:
            self.anchors[anchor] = (value, self.count - start + 1)
        self.container = self.stack[-1][0] if self.stack else None

    def _alias(self, event: yaml.AliasEvent) -> None:
        if event.anchor not in self.anchors:
            raise LockfileError(f"YAML does not parse: unidentified alias {event.anchor!r}")
        if isinstance(self.container, dict) and self.key is None:
            raise LockfileError("YAML does not parse: a mapping key must be a string")
        value, size = self.anchors[event.anchor]
        self.count += size
        self.aliased += size
        if self.aliased > MAX_ALIASED:
            raise LockfileError("YAML does not parse: its aliases expand to too much")
        self._put(value)
