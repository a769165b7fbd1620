"""`include`: local files are read and merged, everything else is only checked for its form.

Source: lib/gitlab/ci/config/external in GitLab's code. What lies outside the repository
(projects, remote files, templates, components) is not fetched: the document is then incomplete.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ciforge.gitlab_ci.include_rules import applies
from ciforge.gitlab_ci.inputs import interpolate
from ciforge.gitlab_ci.load import Loaded, load
from ciforge.gitlab_ci.nodes import Map, Position, Refused, Seq, merge

MAX_INCLUDES = 150
SUBKEYS = ("local", "project", "remote", "template", "artifact", "component")
_YAML = re.compile(r".+\.(?:yml|yaml)$", re.IGNORECASE)
_REMOTE = re.compile(r"(?:https?|ssh|git)://", re.IGNORECASE)
_TEMPLATE = ".gitlab-ci.yml"
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


class Files(Protocol):
    """The repository's files; paths are relative to its root, with `/`."""

    def read(self, path: str) -> str | None:
        """The text of a file, or None when there is none."""

    def paths(self) -> Iterable[str]:
        """All paths, for wildcards and `exists`."""


class NoFiles:
    """A repository without files."""

    def read(self, path: str) -> str | None:  # noqa: ARG002
        return None

    def paths(self) -> Iterable[str]:
        return ()


@dataclass
class Includes:
    """Reads a file with what it includes; `outside` are includes that only GitLab can read."""

    files: Files
    variables: Mapping[str, str]
    outside: list[str] = field(default_factory=list)
    _count: int = 0

    def read(self, text: str, name: str, inputs: Mapping[str, Any] | None = None) -> Map:
        """The content of `text`, its inputs put in, its includes merged below it."""
        return self._expanded(self._interpolated(load(text, name), inputs or {}))

    def _interpolated(self, loaded: Loaded, given: Mapping[str, Any]) -> Map:
        if loaded.header is None:
            if given:
                raise Refused(
                    "inputs-unknown",
                    "given inputs are not defined in the `spec` section of the included file",
                    loaded.content.at,
                    "add a `spec: inputs` header to the file, or give no inputs",
                )
            return loaded.content
        return interpolate(loaded.content, loaded.header, given)

    def _expanded(self, content: Map) -> Map:
        if content.get("include") is None:
            return content
        include, at = content["include"], content.where("include")
        items = include if isinstance(include, Seq) else [include]
        merged = Map(content.at)
        for index, item in enumerate(items):
            if item is None:
                continue
            mark = include.where(index) if isinstance(include, Seq) else at
            for location in self._locations(item, mark):
                _check_variables(location.get("local"), content.get("variables"), mark)
                merged = merge(merged, self._included(location, mark))
        merged = merge(merged, content)
        del merged["include"]
        return merged

    def _locations(self, item: Any, at: Position) -> list[dict[str, Any]]:
        """One location for each file that `item` stands for."""
        if isinstance(item, str):
            location: dict[str, Any] = {"remote" if _REMOTE.match(item) else "local": item}
        elif isinstance(item, Map):
            location = dict(item)
        else:
            raise _wrong("each include must be a hash or a string", at)
        if not applies(location.get("rules"), at, self.variables, self.files.paths):
            return []
        local = location.get("local")
        if isinstance(local, str) and "*" in local and not location.get("project"):
            pattern = _wildcard(local)
            found = sorted(path for path in self.files.paths() if pattern.fullmatch(path))
            return [{**location, "local": path} for path in found]
        return [location]

    def _included(self, location: Mapping[str, Any], at: Position) -> Map:
        kinds = [kind for kind in SUBKEYS if not _is_blank(location.get(kind))]
        if len(kinds) > 1 and "project" in kinds and _is_blank(location.get("file")):
            kinds.remove("project")  # without a file it names none
        if not kinds:
            shown = ", ".join(str(key) for key in location)
            raise _wrong(f"`{shown}` has no valid subkey for include", at)
        if len(kinds) > 1:
            raise _wrong(f"each include must use only one of: {', '.join(SUBKEYS)}", at)
        self._count += 1
        if self._count > MAX_INCLUDES:
            raise Refused(
                "include-limit",
                f"maximum of {MAX_INCLUDES} nested includes are allowed",
                at,
                "look for a file that includes itself",
            )
        if kinds == ["project"] and isinstance(location["project"], Seq):
            location = {**location, "project": location["project"][0]}  # GitLab takes the first
        kind, where = kinds[0], location[kinds[0]]
        if kind == "artifact":
            raise Refused(
                "include-invalid",
                "including configs from artifacts is only allowed when triggering child pipelines",
                at,
                "move it below `trigger: include`",
            )
        _check_location(kind, location, at)
        if kind != "local" or _VARIABLE.search(where):
            self.outside.append(f"{kind}: {where}")
            return Map(at)
        return self._local(where, location.get("inputs"), at)

    def _local(self, where: str, inputs: Any, at: Position) -> Map:
        path = where.lstrip("/")
        text = self.files.read(path)
        if text is None:
            raise _wrong(f"local file `{path}` does not exist", at)
        if not text.strip():
            raise _wrong(f"local file `{path}` is empty", at)
        if not isinstance(inputs, Map | None):
            raise _wrong(f"`{path}`: given inputs must be a hash", at)
        try:
            content = self._interpolated(load(text, path), inputs or {})
        except Refused as error:
            raise Refused(
                error.rule,
                f"`{path}`: {error.message}",
                at if error.rule.startswith("inputs-") else error.position,
                error.hint,
            ) from None
        if not content:
            raise _wrong(f"included file `{path}` contains no configuration", at)
        return self._expanded(content)


def _is_blank(value: Any) -> bool:
    return not (value.strip() if isinstance(value, str) else value)


def _wrong(message: str, at: Position) -> Refused:
    known = ", ".join(SUBKEYS)
    return Refused("include-invalid", message, at, f"an include names one of {known}")


def _check_location(kind: str, location: Mapping[str, Any], at: Position) -> None:
    """The form of what an include names; variables in it are GitLab's to fill."""
    where = location[kind]
    if not isinstance(where, str):
        raise _wrong(f"included file `{where}` needs to be a string", at)
    if kind == "project":
        named = location.get("file")
        if named in (None, "", []):
            raise _wrong("include must specify the file where to fetch the config from", at)
        for file in named if isinstance(named, Seq) else [named]:
            _check_extension(file, at)
    elif kind == "component" and "@" not in where and not _VARIABLE.search(where):
        raise _wrong(f"component path `{where}` is not supported: it has no @version", at)
    elif kind == "template" and not where.endswith(_TEMPLATE):
        raise _wrong(f"template file `{where}` is not a valid location", at)
    elif kind in ("local", "remote"):
        _check_extension(where, at)
        if kind == "remote" and not (_REMOTE.match(where) or _VARIABLE.search(where)):
            raise _wrong(f"remote file `{where}` does not have a valid address", at)


def _check_variables(where: Any, own: Any, at: Position) -> None:
    """GitLab fills in the variables of the project, not those that the file itself sets."""
    names = [match[1] or match[2] for match in _VARIABLE.finditer(str(where))]
    if names and isinstance(own, Map) and all(name in own for name in names):
        words = ", ".join(f"${name}" for name in names)
        raise _wrong(f"included file `{where}`: {words} of this file is unknown to include", at)


def _check_extension(where: Any, at: Position) -> None:
    if not isinstance(where, str):
        raise _wrong(f"included file `{where}` needs to be a string", at)
    if not (_YAML.fullmatch(where.rsplit("/", 1)[-1]) or _VARIABLE.search(where)):
        raise _wrong(f"included file `{where}` does not have YAML extension", at)


def _wildcard(path: str) -> re.Pattern[str]:
    """`*` stays in one folder, two cross them, as lib/repository.rb in GitLab's code has it.

    What stands between two stars is taken where it first comes, which leaves most for the rest:
    a path is matched in time that grows with its square at most.
    """
    segments = re.split(r"\*{2,}", path.lstrip("/"))
    out = []
    for index, segment in enumerate(segments):
        is_last = index == len(segments) - 1
        first, *rest = map(re.escape, segment.split("*"))
        final = f"[^/]*{rest.pop()}" if is_last and rest else ""
        text = first + "".join(f"(?>[^/]*?{part})" for part in rest) + final
        out.append(text if index == 0 else f".*{text}" if is_last else f"(?>.*?{text})")
    return re.compile("".join(out), re.DOTALL)
