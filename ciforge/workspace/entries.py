"""What a source file says about itself: its relative imports, NestJS, a bundler's settings.

Read with a real parser, so that a mention in a comment, a string or a type does not count.
Everything here is bytes in, values out; a file that does not parse says what its sound parts
say, and one that is no text says nothing.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

# In the order in which they are tried; the typed one is the source where both exist.
SUFFIXES = (".ts", ".mts", ".cts", ".tsx", ".js", ".mjs", ".cjs", ".jsx")

_RELATIVE = re.compile(rb"""(?<=["'`])\.{1,2}/""")
_CORE = re.compile(rb"@nestjs/core")
_CORE_MODULE = re.compile(r"@nestjs/core(/.*)?")
_FACTORY = re.compile(rb"NestFactory")
_CALLED = ("call_expression", "new_expression")
_NAMES = ("property_identifier", "shorthand_property_identifier")
_LOADERS = ("require", "import", "Object.defineProperty", "__exportStar")
_PLAIN = ("string", "template_string")


@dataclass(frozen=True)
class Source:
    """One file's answer.

    `nest` is a verb phrase ("calls NestFactory.create", "imports @nestjs/core") or None.
    `starts` tells whether loading the file runs something: a call among its top-level
    statements. `relative` are its relative specifiers, as written, in order, without types.
    """

    nest: str | None = None
    starts: bool = False
    relative: tuple[str, ...] = ()


def mentions_nest(data: bytes) -> bool:
    """Whether parsing can find NestJS at all: a cheap test before a dear one."""
    return b"@nestjs/core" in data or b"NestFactory" in data


def parse(path: str, data: bytes) -> Node | None:
    """The tree of a source file, with its errors; None for what is no text."""
    if b"\0" in data:  # binary, or UTF-16: no bundler reads it either
        return None
    return _parser(path.endswith((".ts", ".mts", ".cts"))).parse(data).root_node


def read_source(path: str, data: bytes) -> Source:
    """Parse one TypeScript or JavaScript file. Never raises, whatever the bytes."""
    root = parse(path, data)
    if root is None:
        return Source()
    nest = None
    if any(_is_factory_call(node) for node in _hits(root, data, _FACTORY)):
        nest = "calls NestFactory.create"
    elif any(
        _CORE_MODULE.fullmatch(_text(node)) and _is_specifier(node)
        for node in _hits(root, data, _CORE)
    ):
        nest = "imports @nestjs/core"
    relative = dict.fromkeys(
        _text(node) for node in _hits(root, data, _RELATIVE) if _is_specifier(node)
    )
    return Source(nest, any(map(_runs, root.named_children)), tuple(relative))


def read_settings(path: str, data: bytes, names: frozenset[str]) -> dict[str, str]:
    """The string settings of a bundler's configuration file, the first of each name.

    `{main: './src/main.ts'}`, `{main}` after `const main = '…'` and `join(__dirname, 'src/x')`
    all count. A setting that is an object or an array is "" (its presence is known, no more).
    """
    root = parse(path, data)
    found: dict[str, str] = {}
    if root is None:
        return found
    pattern = re.compile(rb"\b(?:" + "|".join(sorted(names)).encode() + rb")\b")
    for node in _hits(root, data, pattern):
        name, parent = _text(node), node.parent
        if node.type not in _NAMES or name not in names or parent is None:
            continue
        if node.type == "shorthand_property_identifier":
            found.setdefault(name, _constant(root, name))
        elif parent.type == "pair" and parent.child_by_field_name("key") == node:
            found.setdefault(name, _string(parent.child_by_field_name("value")))
    return found


def resolve(importer: str, specifier: str, exists: Callable[[str], bool]) -> str | None:
    """The workspace file that a relative specifier means, None when there is none inside.

    As TypeScript does it: the file itself, `./x.js` for `x.ts`, a suffix added, a folder's index.
    """
    path = posixpath.normpath(posixpath.join(posixpath.dirname(importer), specifier))
    if path.startswith(("../", "/")) or path == "..":
        return None
    stem, suffix = posixpath.splitext(path)
    tries = [path] if suffix in SUFFIXES else []
    if suffix in (".js", ".mjs", ".cjs", ".jsx"):
        tries += [stem + suffix.replace("js", "ts"), stem + ".tsx"]
    tries += [path + suffix for suffix in SUFFIXES]
    tries += [posixpath.join(path, "index" + suffix) for suffix in SUFFIXES]
    return next(filter(exists, tries), None)


@cache
def _parser(typed: bool) -> Parser:
    # Late: commands that detect nothing should not load a grammar.
    import tree_sitter
    import tree_sitter_typescript as grammar

    # `<T>value` is a cast in .ts and an element in .tsx; JavaScript may hold JSX in any file.
    language = grammar.language_typescript() if typed else grammar.language_tsx()
    return tree_sitter.Parser(tree_sitter.Language(language))


def _hits(root: Node, data: bytes, pattern: re.Pattern[bytes]) -> Iterator[Node]:
    # Straight to the nodes at the matches: walking a whole tree in Python costs far more.
    for match in pattern.finditer(data):
        node = root.descendant_for_byte_range(*match.span())
        if node is not None:
            yield node


def _text(node: Node) -> str:
    return (node.text or b"").decode(errors="replace")


def _is_specifier(fragment: Node) -> bool:
    """Whether a piece of string is what a value import, export or require names."""
    quoted = fragment.parent
    user = quoted.parent if quoted and quoted.type in _PLAIN else None
    # `${…}` beside the fragment makes the specifier unknown.
    if fragment.type != "string_fragment" or quoted is None or quoted.named_child_count != 1:
        return False
    if user is None:
        return False
    if user.type == "import_require_clause":
        return True
    if user.type in ("import_statement", "export_statement"):
        return user.child_by_field_name("source") == quoted and not _only_types(user)
    call = user.parent if user.type == "arguments" else None
    function = call.child_by_field_name("function") if call else None
    if call is None or function is None or _text(function) not in ("require", "import"):
        return False
    above = call.parent
    while above is not None and above.type == "member_expression":
        above = above.parent
    return above is None or above.type not in ("type_query", "type_annotation")


def _only_types(statement: Node) -> bool:
    if any(child.type == "type" for child in statement.children):
        return True
    names = [
        name
        for clause in statement.named_children
        for group in (clause, *clause.named_children)
        for name in group.named_children
        if name.type in ("import_specifier", "export_specifier")
    ]
    # `import app, { type X }` still loads the file for `app`.
    default = any(
        part.type in ("identifier", "namespace_import")
        for clause in statement.named_children
        if clause.type == "import_clause"
        for part in clause.named_children
    )
    return (
        bool(names)
        and not default
        and all(n.children and n.children[0].type == "type" for n in names)
    )


def _is_factory_call(name: Node) -> bool:
    """`NestFactory.create…(…)`, also as a member (`core_1.NestFactory`) and awaited."""
    if name.type not in ("identifier", "property_identifier") or _text(name) != "NestFactory":
        return False
    node: Node | None = name.parent
    if name.type == "property_identifier":
        node = node.parent if node else None
    prop = node.child_by_field_name("property") if node else None
    if node is None or prop is None or not _text(prop).startswith("create"):
        return False
    outer = node.parent
    # The grammar reads `await f<T>(x)` as a call of `await f`.
    while outer is not None and outer.type in ("await_expression", "non_null_expression"):
        node, outer = outer, outer.parent
    return (
        outer is not None
        and outer.type == "call_expression"
        and outer.child_by_field_name("function") == node
    )


def _runs(statement: Node) -> bool:
    # A constant made by a call is what libraries do; one that is awaited is a program at work.
    awaited = statement.type in ("lexical_declaration", "variable_declaration")
    if not awaited and statement.type not in ("expression_statement", "if_statement"):
        return False
    stack = [(statement, not awaited)]
    while stack:
        node, counts = stack.pop()
        if counts and node.type in _CALLED:
            function = node.child_by_field_name("function")
            # Loading a module or declaring an export (compiled CommonJS) starts nothing.
            if function is None or _text(function) not in _LOADERS:
                return True
        elif node.type not in ("function_expression", "arrow_function", "class"):
            counts = counts or node.type == "await_expression"
            stack.extend((child, counts) for child in node.named_children)
    return False


def _constant(root: Node, name: str) -> str:
    for statement in root.named_children:
        for part in statement.named_children:
            target = part.child_by_field_name("name")
            if part.type == "variable_declarator" and target and _text(target) == name:
                return _string(part.child_by_field_name("value"))
    return ""


def _string(value: Node | None) -> str:
    if value is None:
        return ""
    if value.type in _PLAIN:
        return _text(value)[1:-1]
    arguments = value.child_by_field_name("arguments") if value.type == "call_expression" else None
    if arguments is None:
        return ""
    parts = [_text(part)[1:-1] for part in arguments.named_children if part.type in _PLAIN]
    return posixpath.join(*parts) if parts else ""
