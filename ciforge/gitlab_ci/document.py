"""A CI file as GitLab sees it once includes, inputs, `extends` and `!reference` are resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ciforge.gitlab_ci.extend import dereference, extend
from ciforge.gitlab_ci.include import Files, Includes, NoFiles
from ciforge.gitlab_ci.nodes import Map, Position, Seq, flat

FIRST, LAST = ".pre", ".post"
DEFAULT_STAGES = ("build", "test", "deploy")
DEFAULT_STAGE = "test"
RESERVED = frozenset(
    {"include", "before_script", "image", "services", "after_script", "variables", "stages"}
    | {"cache"}
)
"""Keys at the top that are never jobs. `default` and `workflow` are, once they have a script."""
GLOBALS = ("before_script", "image", "services", "after_script", "cache")
"""Deprecated keys at the top that mean the same in `default`."""
INHERITED = (
    *GLOBALS,
    *("hooks", "timeout", "retry", "tags", "artifacts", "id_tokens", "interruptible"),
)
_WORK = frozenset({"script", "run", "trigger"})
_FLATTENED = ("rules", "script", "before_script", "after_script")


@dataclass(frozen=True)
class Document:
    """One pipeline's configuration, resolved.

    `stages`: in order, with `.pre` and `.post`. `jobs`: the visible jobs by name, with what
    `default` gives them, `stage` always set, lists in rules and scripts opened; only mappings.
    `root`: everything, before `default` is applied. `outside`: includes that were not read,
    because only GitLab can; when there are any, names may be missing here. `partial`: the keys at
    the top that extend or refer to what is missing, so that they are not whole.
    """

    root: Map
    stages: tuple[str, ...]
    workflow: Mapping[str, Any] | None
    variables: Mapping[str, Any]
    jobs: Mapping[str, Map]
    outside: tuple[str, ...]
    partial: frozenset[Any] = frozenset()

    @property
    def unfinished(self) -> tuple[str, ...]:
        """The jobs that extend or override what was not read."""
        return tuple(
            str(name)
            for name, job in self.jobs.items()
            if name in self.partial or (self.outside and not _WORK & job.keys())
        )

    def where(self, job: str, key: str | None = None) -> Position:
        """The place of a job, or of one of its keys, wherever that came from."""
        found = self.root.get(job)
        if key is not None and isinstance(found, Map):
            return found.where(key)
        return self.root.where(job)


def resolve(
    text: str,
    name: str,
    files: Files | None = None,
    *,
    variables: Mapping[str, str] = MappingProxyType({}),
    inputs: Mapping[str, Any] = MappingProxyType({}),
) -> Document:
    """The document that the file `name` with this `text` stands for.

    `files` holds the local files that it includes; `variables` decide `include:rules`;
    `inputs` are values for its own `spec: inputs`.

    Raises Refused where GitLab reads no further.
    """
    includes = Includes(files or NoFiles(), variables)
    content = includes.read(text, name, inputs)
    partial: set[Any] | None = set() if includes.outside else None
    root = dereference(extend(content, partial), partial)
    workflow = root.get("workflow")
    top = root.get("variables")
    defaults = defaults_of(root)
    return Document(
        root=root,
        stages=stages_of(root),
        workflow=workflow if isinstance(workflow, Map) and not is_job(workflow) else None,
        variables=MappingProxyType(top if isinstance(top, Map) else {}),
        jobs=MappingProxyType(
            {
                key: _complete(value, defaults)
                for key, value in root.items()
                if is_visible(key, value) and isinstance(value, Map)
            }
        ),
        outside=tuple(includes.outside),
        partial=frozenset(partial or ()),
    )


def is_job(value: Any) -> bool:
    """Whether a mapping under a keyword's name is taken for a job all the same."""
    return isinstance(value, Map) and any(
        key in value for key in ("script", "run", "trigger", "needs")
    )


def is_visible(key: Any, value: Any) -> bool:
    """Whether something at the top is a job, right or wrong, that is not hidden."""
    if key in RESERVED or (key in ("default", "workflow") and not is_job(value)):
        return False
    return not str(key).startswith(".")


def stages_of(root: Map) -> tuple[str, ...]:
    """The stages in order; without a list of them, GitLab's own."""
    declared = flat(root.get("stages"))
    if declared is None or not isinstance(declared, Seq):
        return (FIRST, *DEFAULT_STAGES, LAST)
    if not declared:
        return ()
    return (FIRST, *(str(stage) for stage in declared if stage not in (FIRST, LAST)), LAST)


def defaults_of(root: Map) -> Map:
    """`default` with the deprecated keys at the top."""
    default = root.get("default")
    merged = Map(root.at)
    for key in GLOBALS:
        if root.get(key) is not None:
            merged.put(key, root[key], root.where(key))
    if isinstance(default, Map) and not is_job(default):
        for key, value in default.items():
            merged.put(key, value, default.where(key))
    return merged


def _complete(job: Map, defaults: Map) -> Map:
    complete = Map(job.at)
    for key, value in job.items():
        complete.put(key, flat(value) if key in _FLATTENED else value, job.where(key))
    if complete.get("stage") is None:
        complete.put("stage", DEFAULT_STAGE, job.at)
    taken = _inherited(job.get("inherit"))
    for key in INHERITED:
        value = defaults.get(key)
        if "trigger" in job and key != "interruptible":
            continue
        if value is not None and complete.get(key) is None and taken(key):
            complete.put(key, flat(value) if key in _FLATTENED else value, defaults.where(key))
    return complete


def _inherited(inherit: Any) -> Any:
    """Which keys of `default` a job takes: all, none, or those that it lists."""
    wanted = inherit.get("default") if isinstance(inherit, Map) else None
    if wanted is False:
        return lambda _key: False
    if isinstance(wanted, Seq):
        return lambda key: key in wanted
    return lambda _key: True
