"""The module specifiers of a TypeScript or JavaScript source, from a real parser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ciforge.workspace.entries import parse

if TYPE_CHECKING:
    from tree_sitter import Node

SOURCE_SUFFIXES = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")
_PACKAGE = re.compile(r"(@[^/]+/[^/]+|[^/@.][^/]*)")


def is_source(path: str) -> bool:
    return path.endswith(SOURCE_SUFFIXES)


def specifiers(source: bytes, path: str) -> set[str]:
    """Specifiers of import, export-from, `import x = require()`, require() and import().

    Types count, as they do for Nx. Never raises: what doesn't parse has none.
    """
    root = parse(path, source)
    return set() if root is None else set(_find(root))


def package_of(specifier: str) -> str | None:
    """The package that a specifier names: `@scope/name`, `name`; None for a relative path."""
    match = _PACKAGE.match(specifier)
    return match[1] if match else None


def _find(root: Node) -> Iterator[str]:
    stack = [root]
    while stack:
        node = stack.pop()
        kind = node.type
        source: Node | None = None
        if kind in ("import_statement", "export_statement", "import_require_clause"):
            source = node.child_by_field_name("source")
        elif kind == "call_expression":
            function = node.child_by_field_name("function")
            arguments = node.child_by_field_name("arguments")
            if (
                function is not None
                and (function.type == "import" or function.text == b"require")
                and arguments is not None
                and arguments.named_children
            ):
                source = arguments.named_children[0]
        if source is not None and source.type in ("string", "template_string"):
            text = (source.text or b"").decode("utf-8", "replace")
            if "${" not in text:
                yield text[1:-1]
        stack.extend(node.named_children)
