"""Values as YAML that every parser reads alike: GitLab's (YAML 1.1), PyYAML, YAML 1.2.

Every string is quoted unless it is plain beyond doubt; nothing is folded, tagged or anchored.
Written here because one document may hold thousands of jobs, and equal values must be equal
bytes whichever YAML library is installed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*( [a-z0-9._-]+)*")
# What YAML 1.1 takes for a boolean or nothing.
_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])
# What can stand in a literal block as it is: printable ASCII, lines that don't begin or end blank.
_BLOCK = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?\n)+")
_ESCAPED = re.compile(r'["\\]|[^ -~]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def emit(value: Mapping[str, object]) -> str:
    """The document, with a newline at its end. Raises TypeError for what is no YAML value."""
    return "\n".join(_mapping(value, "")) + "\n"


def _mapping(value: Mapping[str, object], indent: str) -> Iterator[str]:
    for key, child in value.items():
        yield from _entry(f"{indent}{_text(key)}:", child, indent)


def _sequence(value: Sequence[object], indent: str) -> Iterator[str]:
    for child in value:
        if isinstance(child, Mapping) and child:
            first, *rest = _mapping(child, f"{indent}  ")
            yield f"{indent}- {first[len(indent) + 2 :]}"
            yield from rest
        else:
            yield from _entry(f"{indent}-", child, indent)


def _entry(start: str, value: object, indent: str) -> Iterator[str]:
    below = f"{indent}  "
    if isinstance(value, Mapping) and value:
        yield start
        yield from _mapping(value, below)
    elif isinstance(value, list | tuple) and value:
        yield start
        yield from _sequence(value, below)
    elif isinstance(value, str) and _BLOCK.fullmatch(value) and value.count("\n") > 1:
        yield f"{start} |"
        yield from (below + line for line in value.splitlines())
    else:
        yield f"{start} {_scalar(value)}"


def _scalar(value: object) -> str:
    if isinstance(value, str):
        return _text(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping | list | tuple):  # an empty one
        return "{}" if isinstance(value, Mapping) else "[]"
    raise TypeError(f"no YAML for {type(value).__name__}")


def _text(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    if '"' in value and value.isascii() and value.isprintable():
        return "'" + value.replace("'", "''") + "'"  # a command, to be read by people
    return f'"{_ESCAPED.sub(_escape, value)}"'


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if code <= 0xFF:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"
