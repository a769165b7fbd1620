"""What Nx reads of a source file: its imports, in a form that can be compared.

Nx (19 to 24) does not parse: it walks over the tokens, and starts to look for a string at each
`import`, `export` and `require`, whatever these words stand for. Two files have equal
fingerprints only where that walk provably ends with the same specifiers of the same kinds:

- a statement `import … from "x"` or `export … from "x"` gives "x" by itself, wherever it stands;
- a call, `import("x")` or `require("x")`, is static or dynamic by the tokens around it, back to
  the start of its top-level statement: the text of that statement is part of the fingerprint;
- where the walk could run out of a statement, or lose the beat of the tokens, there is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING

from ciforge.workspace.entries import parse

if TYPE_CHECKING:
    from tree_sitter import Node

_WORD = re.compile(rb"(?<![\w$])(?:import|export|require)(?![\w$])")
# What would open a string or a comment for a lexer that takes a regular expression for a division.
_OPENER = re.compile(rb"`|/\*")
# What would put it out of step in counting braces and brackets: only calls depend on these.
_BRACKET = re.compile(rb"[\"'\[\](){}/]")
_IGNORE = b"nx-ignore-next-line"
_NO_TOKEN = frozenset({"comment", "string_fragment", "template_string", "hash_bang_line"})
_NO_CODE = frozenset({"regex", "regex_pattern", "jsx_text"})
_REQUIRE = re.compile(rb"require(?:\s*\.\s*[\w$]+)?\s*\(")
# What decides of which kind the first brace of a statement is: without it, the statement before.
_OPENS_BLOCK = re.compile(rb"\S\s*(?:[(:\[]|(?<![=!<>])=(?![=>]))|\b(?:function|class|try)\b")
# After a property of that name, what makes Nx look no further.
_PROPERTY_ENDS = {b"import": b":;,.)=?!}", b"export": b":;,.)=?!}(<"}
# `import type, {…}` and `import type = …`, which Nx gives up.
_TYPE_AS_NAME = re.compile(rb"import\s+type\s*[,=]")
# Words at which Nx stops to read an export list; `default` is none of them.
_RESERVED = frozenset(
    b"await break case catch class const continue debugger delete do else enum export extends "
    b"false finally for function if import in instanceof let new null return static super switch "
    b"this throw true try typeof var void while with yield".split()
)


class _DoubtError(Exception):
    """Nx's walk over this file can't be told from its syntax."""


def fingerprint(path: str, data: bytes) -> str | None:
    """32 hex digits for what Nx finds in the file; None where that can't be told. Never raises."""
    try:
        static, calls = _read(path, data)
    except _DoubtError:
        return None
    hashed = sha256()
    for group in (sorted(static), calls):
        for text in group:
            hashed.update(b"%d:%s" % (len(text), text))
        hashed.update(b"|")
    return hashed.hexdigest()[:32]


def _read(path: str, data: bytes) -> tuple[set[bytes], list[bytes]]:
    """The specifiers of import and export statements, and the statements with calls."""
    try:
        data.decode()
    except UnicodeDecodeError:
        raise _DoubtError from None
    words = list(_WORD.finditer(data))
    if not words:
        return set(), []
    root = parse(path, data)
    if root is None or root.has_error or _IGNORE in data:
        raise _DoubtError
    static: set[bytes] = set()
    calls: dict[int, Node] = {}
    for match in words:
        node = root.descendant_for_byte_range(*match.span())
        if node is None:
            raise _DoubtError
        parent = node.parent
        if node.type in _NO_TOKEN or "meta_property" in (node.type, parent and parent.type):
            continue
        if parent is not None and parent.type == "import_require_clause":
            continue
        if parent is not None and parent.type == "import_statement":
            if _TYPE_AS_NAME.match(parent.text or b""):
                raise _DoubtError
            static.add(_first_string(parent))
        elif parent is not None and parent.type == "export_statement":
            if node.type == "export":
                static.update(_export(parent, root))
            elif node.type == "identifier":
                raise _DoubtError  # `export default require`
        elif not _is_property(node, match.group(), data):
            _check_call(node, match.group(), data)
            top = _top(node)
            calls[top.start_byte] = top
    _check_openers(root, data, brackets=bool(calls))
    return static, [_call_text(calls[at], data) for at in sorted(calls)]


def _first_string(statement: Node) -> bytes:
    """The first string of an import: where Nx's walk ends."""
    stack = [statement]
    while stack:
        node = stack.pop()
        if node.type == "string":
            return (node.text or b"")[1:-1]
        stack.extend(reversed(node.named_children))
    raise _DoubtError


def _export(statement: Node, root: Node) -> Iterator[bytes]:
    kinds = [child.type for child in statement.children]
    clauses = [c for c in statement.children if c.type in ("export_clause", "namespace_export")]
    parts = [part for c in clauses for n in c.named_children for part in (n, *n.named_children)]
    if statement.child_by_field_name("source") is None:
        last = next((n for n in reversed(root.named_children) if n.type != "comment"), None)
        goes_on = clauses and kinds[-1] != ";" and last != statement
        # `export { a as "b" }`: Nx takes the name for a specifier.
        if goes_on or "import_alias" in kinds or any(part.type == "string" for part in parts):
            raise _DoubtError
        return
    # `export type * from` is the one form that Nx does not see.
    if {part.text for part in parts} & _RESERVED or {"type", "*"} <= set(kinds):
        raise _DoubtError
    yield _first_string(statement)


def _is_property(node: Node, word: bytes, data: bytes) -> bool:
    if node.type != "property_identifier" or word not in _PROPERTY_ENDS:
        return False
    after = data[node.end_byte : node.end_byte + 200].lstrip()[:1]
    return after != b"" and after in _PROPERTY_ENDS[word]


def _check_call(node: Node, word: bytes, data: bytes) -> None:
    """Only what closes within its own parentheses."""
    if word == b"import":
        after = data[node.end_byte : node.end_byte + 200].lstrip()
        if node.type not in ("import", "property_identifier") or not after.startswith(b"("):
            raise _DoubtError
    elif word == b"require":
        plain = node.type in ("identifier", "property_identifier")
        if not plain or not _REQUIRE.match(data, node.start_byte):
            raise _DoubtError
    else:
        raise _DoubtError


def _top(node: Node) -> Node:
    while node.parent is not None and node.parent.parent is not None:
        node = node.parent
    return node


def _call_text(statement: Node, data: bytes) -> bytes:
    text = statement.text or b""
    before = data[: statement.start_byte].rpartition(b"\n")[2].strip()
    if before and not before.endswith(b";"):
        raise _DoubtError
    head, brace, _ = text.partition(b"{")
    if brace and not _OPENS_BLOCK.search(head):
        raise _DoubtError
    return text


def _check_openers(root: Node, data: bytes, *, brackets: bool) -> None:
    """Refuses regular expressions and texts of JSX that a lexer may read as other tokens."""
    for pattern in (_OPENER, _BRACKET) if brackets else (_OPENER,):
        for match in pattern.finditer(data):
            node = root.descendant_for_byte_range(*match.span())
            if node is None or node.type in _NO_CODE:
                raise _DoubtError
            if node.parent is not None and node.parent.type == "regex":
                raise _DoubtError
