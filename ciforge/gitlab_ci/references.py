"""Variables within texts: `$NAME`, `${NAME}`, `%NAME%`; `$$` and `%%` name none.

Source: lib/expand_variables.rb in GitLab's code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_NAME = "[a-zA-Z_][a-zA-Z0-9_]*"
_REFERENCE = re.compile(rf"\$\$|%%|\$({_NAME})|\$\{{({_NAME})\}}|%({_NAME})%")


def references(text: str) -> Iterator[str]:
    """The names in `text`, in their order, as often as they stand there."""
    if "$" in text or "%" in text:
        for found in _REFERENCE.finditer(text):
            if name := found[1] or found[2] or found[3]:
                yield name


def replaced(text: str, value_of: Callable[[str], str | None]) -> str:
    """`text` with the values of its names; where there is none, the name stays."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2] or found[3]
        known = value_of(name) if name else None
        return found[0] if known is None else known

    return _REFERENCE.sub(value, text)
