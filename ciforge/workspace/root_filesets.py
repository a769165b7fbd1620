"""The `{workspaceRoot}/…` inputs by which a changed file touches a project.

This is how project-level `affected` of Nx 24 reads inputs; the task hasher reads the same
inputs otherwise (`inputs`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from ciforge.workspace.globs import nx_glob_set
from ciforge.workspace.model import InputDefinition, NxJson, Project

NamedInputs = Mapping[str, Sequence[InputDefinition]]

WORKSPACE_ROOT = "{workspaceRoot}"
_WORKSPACE_PREFIX = f"{WORKSPACE_ROOT}/"


def workspace_filesets(project: Project, nx_json: NxJson) -> set[str]:
    """The patterns, without `{workspaceRoot}/`, by which a changed file touches the project.

    As Nx 24 does: of the `inputs` of every target, the strings and `{fileset}` objects that
    begin with `{workspaceRoot}/`, also through named inputs given as strings, the project's
    over nx.json's. Nothing else counts: not `!{workspaceRoot}/…`, `^name`, `{input: …}` or
    `{json: …}`, and neither a named input that no target uses nor the default inputs of a
    target that has none. Tokens inside a pattern stay as they are. A named input that
    contains itself is followed once.
    """
    found: set[str] = set()
    named: NamedInputs = nx_json.named_inputs
    if project.data.named_inputs:
        named = {**named, **project.data.named_inputs}
    seen: set[str] = set()
    todo: list[InputDefinition] = []
    for target in project.data.targets.values():
        todo += target.inputs or ()
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            if item in named:
                if item not in seen:
                    seen.add(item)
                    todo += named[item]
                continue
            fileset = item
        elif "input" not in item and isinstance(item.get("fileset"), str):
            fileset = item["fileset"]
        else:
            continue
        if fileset.startswith(_WORKSPACE_PREFIX):
            found.add(fileset.removeprefix(_WORKSPACE_PREFIX))
    return found


@lru_cache(maxsize=4096)
def workspace_matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a changed file matches a pattern of `workspace_filesets`.

    As Nx 24 does: slashes in a row count as one and a last one not at all; a pattern without
    glob characters is that file and everything under it; `!x` is every file but these; a
    glob that cannot be read is taken for a path.
    """
    body = pattern.removeprefix("!")
    bang = pattern[: len(pattern) - len(body)]
    while "//" in body:
        body = body.replace("//", "/")
    tidy = bang + body.removesuffix("/")
    try:
        return nx_glob_set(or_below(tidy)).matches
    except ValueError:
        below = f"{tidy}/"
        return lambda path: path == tidy or path.startswith(below)


def or_below(pattern: str) -> list[str]:
    """A fileset pattern, and where it names a path, one for all that is below."""
    body = pattern.removeprefix("!")
    if not body or body.endswith("/") or _has_glob(body):
        return [pattern]
    return [pattern, f"{pattern}/**"]


def _has_glob(text: str) -> bool:
    at = 0
    while at < len(text):
        if text[at] in "*?[{}(":
            return True
        at += 2 if text[at] == "\\" else 1
    return False
