"""Inputs of targets: named inputs expanded, and which files the filesets among them select.

As the task hasher of Nx 24 reads them. Project-level `affected` reads the same inputs in
another way: `root_filesets`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ciforge.errors import InputError
from ciforge.workspace.globs import GlobSet, nx_glob_set
from ciforge.workspace.model import InputDefinition, NxJson, Project
from ciforge.workspace.root_filesets import WORKSPACE_ROOT, NamedInputs, or_below

DEFAULT_INPUTS: tuple[InputDefinition, ...] = ("default", "^default")
PROJECT_ROOT = "{projectRoot}"

_WORKSPACE_PREFIX = f"{WORKSPACE_ROOT}/"
_PROJECT_PREFIX = f"{PROJECT_ROOT}/"
# What an object input is known by; `input` alone refers to a named input.
_OWN_KEYS = (
    "fileset",
    "env",
    "runtime",
    "externalDependencies",
    "dependentTasksOutputFiles",
    "workingDirectory",
    "json",
)
_MAX_CHAIN = 200
# Stands for the root of a project, so that one compiled pattern serves all of them. A root
# is never the first segment of a glob then, and a `!` behind it stays an ordinary character.
_ANY_ROOT = "\0"


@dataclass(frozen=True, slots=True)
class DependencyInput:
    """A named input, or one fileset, taken from other projects.

    `projects` is `"dependencies"` for every transitive dependency (`^name`), else project
    patterns for `match_projects`. `of_dependencies` with patterns means the dependencies of
    the projects they name. One of `name` and `fileset` is None.
    """

    name: str | None
    fileset: str | None = None
    projects: str | tuple[str, ...] = "dependencies"
    of_dependencies: bool = False


@dataclass(slots=True)
class TargetInputs:
    """The inputs of one target, sorted by what they are.

    `own` holds filesets as written, negations included, with `{projectName}` filled in, and
    `{projectRoot}` too where a pattern does not begin with it: give them to `matches`.
    `outputs`, `json` and `other` hold the input objects themselves.
    """

    own: list[str] = field(default_factory=list)
    deps: list[DependencyInput] = field(default_factory=list)
    env: list[str] = field(default_factory=list)
    runtime: list[str] = field(default_factory=list)
    external: list[str] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    json: list[dict[str, Any]] = field(default_factory=list)
    other: list[dict[str, Any]] = field(default_factory=list)


def named_inputs(project: Project, nx_json: NxJson) -> dict[str, Sequence[InputDefinition]]:
    """The named inputs of a project: its own, over those of nx.json, over Nx's `default`."""
    return {
        "default": [f"{PROJECT_ROOT}/**/*"],
        **nx_json.named_inputs,
        **project.data.named_inputs,
    }


def expand(inputs: Sequence[InputDefinition], named: NamedInputs) -> list[InputDefinition]:
    """`inputs` with every named input replaced by what it stands for, in order.

    Inputs of other projects (`^name`, objects with `projects` or `dependencies`) stay as
    they are, since they expand by the named inputs of those projects.

    Raises InputError, as Nx's planner does, for a name that is not defined, a fileset with
    neither root, and a named input that refers to other projects; and for a named input
    that contains itself, which Nx follows until its stack ends.
    """
    out: list[InputDefinition] = []
    done: set[str] = set()
    for item in inputs:
        if isinstance(item, dict):
            _check_types(item)
        if _is_foreign(item):
            out.append(item)
        else:
            _expand_own(item, named, (), done, out)
    return out


def _check_types(item: dict[str, Any]) -> None:
    """Raises InputError for an object whose values are of types that Nx does not know."""
    for key, value in item.items():
        if key in ("externalDependencies", "projects"):
            values = [value] if isinstance(value, str) else value
            fits = isinstance(values, list) and all(isinstance(v, str) for v in values)
        else:
            fits = key not in ("input", "fileset", "env", "runtime") or isinstance(value, str)
        if not fits:
            raise InputError(
                f"the input {item!r} has a wrong value for {key!r}: {value!r}",
                hint="Write a string there, or a list of strings for projects and packages.",
            )


def _is_foreign(item: InputDefinition) -> bool:
    if isinstance(item, str):
        return item.startswith("^")
    if "fileset" in item:
        return bool(item.get("dependencies"))
    return bool("input" in item and (item.get("projects") or item.get("dependencies")))


def _expand_own(
    item: InputDefinition,
    named: NamedInputs,
    chain: tuple[str, ...],
    done: set[str],
    out: list[InputDefinition],
) -> None:
    if isinstance(item, str):
        if item in named:
            _expand_name(item, named, chain, done, out)
        elif item.removeprefix("!").startswith((PROJECT_ROOT, WORKSPACE_ROOT)):
            out.append(item)
        else:
            raise InputError(
                f"the input {item!r} is neither a named input nor a fileset",
                where=_told(chain),
                hint="Define it in namedInputs, or start it with {projectRoot} or {workspaceRoot}.",
            )
    elif any(item.get(key) for key in _OWN_KEYS):
        out.append(item)
    elif isinstance(item.get("input"), str):
        _expand_name(item["input"], named, chain, done, out)
    else:
        raise InputError(
            f"the input {item!r} is of no kind that Nx knows",
            where=_told(chain),
            hint="Use a string, or an object with input, fileset, env, runtime or the like.",
        )


def _expand_name(
    name: str,
    named: NamedInputs,
    chain: tuple[str, ...],
    done: set[str],
    out: list[InputDefinition],
) -> None:
    if name in done:
        return  # its items are there already, and an input counts once
    if name in chain:
        raise InputError(
            f"the named input {name!r} contains itself: {' → '.join((*chain, name))}",
            hint="Remove one of these references from namedInputs.",
        )
    if name not in named:
        raise InputError(
            f"the named input {name!r} is not defined",
            where=_told(chain),
            hint="Define it in namedInputs of nx.json or of the project.",
        )
    if len(chain) == _MAX_CHAIN:
        raise InputError(
            f"named inputs refer to each other more than {_MAX_CHAIN} deep",
            where=_told(chain[:5]),
            hint="Write the filesets where they are used.",
        )
    chain = (*chain, name)
    for item in named[name]:
        if isinstance(item, dict):
            _check_types(item)
        if _is_foreign(item):
            raise InputError(
                f"the named input {name!r} refers to other projects: {item!r}",
                where=_told(chain),
                hint="Move this entry to the inputs of the target.",
            )
        _expand_own(item, named, chain, done, out)
    done.add(name)


def _told(chain: Sequence[str]) -> str | None:
    return f"named input {' → '.join(chain)}" if chain else None


def filesets_for(
    project: Project, inputs: Sequence[InputDefinition] | None, nx_json: NxJson
) -> TargetInputs:
    """What the `inputs` of one target of `project` are, named inputs expanded.

    None means Nx's default: `default` of the project and of its dependencies.
    `{projects: "self"}` and `{projects: "dependencies"}` mean what Nx documents; Nx 24.0.6
    takes them for names of projects and so selects nothing.

    Raises InputError as `expand` does.
    """
    named = named_inputs(project, nx_json)
    result = TargetInputs()
    for item in expand(DEFAULT_INPUTS if inputs is None else inputs, named):
        if not _is_foreign(item):
            _add_own(item, project, result)
        elif isinstance(item, dict) and item.get("projects") == "self":
            for own in expand([item["input"]], named):
                _add_own(own, project, result)
        else:
            result.deps.append(_dependency(item))
    return result


def _dependency(item: InputDefinition) -> DependencyInput:
    if isinstance(item, str):
        name = item[1:]
        if name.startswith((PROJECT_ROOT, WORKSPACE_ROOT)):
            return DependencyInput(None, fileset=name)
        return DependencyInput(name)
    if "fileset" in item:
        return DependencyInput(None, fileset=item["fileset"])
    projects = item.get("projects")
    if not projects or projects == "dependencies":
        return DependencyInput(item["input"])
    patterns = (projects,) if isinstance(projects, str) else tuple(projects)
    return DependencyInput(item["input"], None, patterns, bool(item.get("dependencies")))


def _add_own(item: InputDefinition, project: Project, result: TargetInputs) -> None:
    if isinstance(item, str):
        result.own.append(_fill(item, project))
    elif item.get("fileset"):
        result.own.append(_fill(item["fileset"], project))
    elif item.get("env"):
        result.env.append(item["env"])
    elif item.get("runtime"):
        result.runtime.append(item["runtime"])
    elif item.get("externalDependencies"):
        result.external += item["externalDependencies"]
    elif item.get("dependentTasksOutputFiles"):
        result.outputs.append(item)
    elif item.get("json"):
        result.json.append(item)
    else:
        result.other.append(item)


def _fill(fileset: str, project: Project) -> str:
    bang = "!" if fileset.startswith("!") else ""
    body = fileset.removeprefix("!").replace("{projectName}", project.name)
    head = PROJECT_ROOT if body.startswith(PROJECT_ROOT) else ""
    return bang + head + body.removeprefix(head).replace(PROJECT_ROOT, project.data.root)


def matches(
    filesets: Sequence[str],
    project_root: str,
    files: Iterable[str],
    everything: Iterable[str] = (),
) -> list[str]:
    """The files (relative to the workspace) that the filesets select, each once, in their order.

    As the task hasher of Nx 24 does: the `{projectRoot}/…` filesets are one set and the
    `{workspaceRoot}/…` ones another, and a file is selected by either. In a set, order means
    nothing: what a positive pattern matches and no negative one does, or without a positive
    one everything that no negative one matches, which for `!{workspaceRoot}/x` alone is the
    whole workspace. A pattern without glob characters is that file and everything under it.
    A fileset that does not begin with a root and a slash selects nothing.

    `files` are tried with both sets. To be exact where projects nest, give the files that the
    project owns as `files` and all of the workspace as `everything`, tried with
    `{workspaceRoot}/…` only. A root is taken literally; Nx 24.0.6 reads glob characters in it.

    Raises InputError for a pattern that Nx refuses.
    """
    at_root = project_root in ("", ".")
    own = _compile(_select(filesets, _PROJECT_PREFIX, "" if at_root else f"{_ANY_ROOT}/"))
    shared = _compile(_select(filesets, _WORKSPACE_PREFIX, ""))
    prefix = "" if at_root else f"{project_root}/"
    shown = "" if at_root else f"{_ANY_ROOT}/"
    skip = len(prefix)

    def selects(path: str) -> bool:
        if own is not None and path.startswith(prefix) and own.matches(shown + path[skip:]):
            return True
        return shared is not None and shared.matches(path)

    found = dict.fromkeys(filter(selects, files))
    if shared is not None:
        found.update(dict.fromkeys(filter(shared.matches, everything)))
    return list(found)


def _select(filesets: Iterable[str], root: str, shown: str) -> tuple[str, ...]:
    out = []
    for fileset in filesets:
        body = fileset.removeprefix("!")
        if body.startswith(root):
            out.append(fileset[: len(fileset) - len(body)] + shown + body.removeprefix(root))
    return tuple(out)


@lru_cache(maxsize=1024)
def _compile(patterns: tuple[str, ...]) -> GlobSet | None:
    if not patterns:
        return None
    try:
        return nx_glob_set([glob for pattern in patterns for glob in or_below(pattern)])
    except ValueError as error:
        shown = ", ".join(patterns).replace(_ANY_ROOT, PROJECT_ROOT)
        raise InputError(
            f"a fileset is not a glob that Nx can read: {error}",
            where=shown,
            hint="Correct the pattern; a backslash escapes a glob character.",
        ) from None
