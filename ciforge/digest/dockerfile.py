"""What a Dockerfile says about its inputs: the images that it starts from, its arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_DIRECTIVE = re.compile(r"^#\s*(\w+)\s*=\s*(\S.*?)\s*$")
_FROM = re.compile(r"(?i)^FROM\s+((?:--\S+\s+)*)(\S+)(?:\s+AS\s+(\S+))?\s*$")
_COPY_FROM = re.compile(r"(?i)^(?:COPY|ADD)\s+(?:--\S+\s+)*?--from=(\S+)")
_MOUNT_FROM = re.compile(r"(?i)--mount=\S*?from=([^,\s]+)")
_ARG = re.compile(r"(?i)^ARG\s+(.*)$")
_VARIABLE = re.compile(r"\\\$|\$(?:(\w+)|\{(\w+)(?:(:[-+])([^}]*))?\})")


@dataclass(frozen=True)
class Dockerfile:
    """`images`: references of other people's images, sorted, arguments filled in.

    `arguments`: names of all ARGs. `unresolved`: references with an argument that has no value.
    """

    images: tuple[str, ...]
    arguments: frozenset[str]
    unresolved: tuple[str, ...] = ()


def read_dockerfile(text: str, build_args: Mapping[str, str]) -> Dockerfile:
    """Reads FROM, COPY --from, RUN --mount=from and the `# syntax` line.

    Build arguments win over defaults, as for `docker build`. Only ARGs before the first FROM
    may stand in a FROM line (Dockerfile reference). Stages and `scratch` are no images.
    """
    stages: set[str] = set()
    values: dict[str, str] = {}
    images: set[str] = set()
    unresolved: set[str] = set()
    names: set[str] = set()
    global_scope = True

    def add(reference: str) -> None:
        filled = _fill(reference, values)
        if filled is None:
            unresolved.add(reference)
        elif filled.lower() not in stages and filled != "scratch" and not filled.isdigit():
            images.add(filled)

    for line in _lines(text):
        if directive := _DIRECTIVE.match(line):
            if directive[1].lower() == "syntax":
                images.add(directive[2])
        elif match := _ARG.match(line):
            for name, default in _arguments(match[1]):
                names.add(name)
                if global_scope:
                    value = build_args.get(name, default)
                    filled = None if value is None else _fill(value, values)
                    if filled is not None:
                        values[name] = filled
        elif match := _FROM.match(line):
            global_scope = False
            add(match[2])
            if match[3]:
                stages.add(match[3].lower())
        else:
            for pattern in (_COPY_FROM, _MOUNT_FROM):
                for reference in pattern.findall(line):
                    add(reference)
    return Dockerfile(tuple(sorted(images)), frozenset(names), tuple(sorted(unresolved)))


def _lines(text: str) -> Iterator[str]:
    """Logical lines: continuations joined, comments dropped but for directives at the top."""
    at_top, escape, pending = True, "\\", ""
    for raw in text.removeprefix("\ufeff").splitlines():
        line = raw.strip()
        if line.startswith("#"):
            directive = _DIRECTIVE.match(line)
            if at_top and directive:
                if directive[1].lower() == "escape":
                    escape = directive[2]
                else:
                    yield line
            else:
                at_top = False
            continue
        if not line:
            at_top = at_top and not pending
            continue
        at_top = False
        if line.endswith(escape):
            pending += line[:-1] + " "
            continue
        yield (pending + line).strip()
        pending = ""
    if pending.strip():
        yield pending.strip()


def _arguments(text: str) -> Iterator[tuple[str, str | None]]:
    for name, equals, double, single, bare in re.findall(
        r"(\w+)(=)?(?:\"((?:[^\"\\]|\\.)*)\"|'([^']*)'|([^\s\"']*))?", text
    ):
        yield name, (double or single or bare) if equals else None


def _fill(text: str, values: Mapping[str, str]) -> str | None:
    """`text` with `$X`, `${X}`, `${X:-y}`, `${X:+y}` filled in; None when one has no value."""
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        name = match[1] or match[2]
        if name is None:
            return "$"
        known = values.get(name)
        if match[3] == ":-":
            return known or match[4]
        if match[3] == ":+":
            return match[4] if known else ""
        if known is None:
            missing = True
            return ""
        return known

    filled = _VARIABLE.sub(value, text).strip("\"'")
    return None if missing or not filled or "$" in filled else filled
