"""The variables that a rule sees.

Source: GitLab's CI/CD variable precedence and lib/expand_variables.rb. Rules compare values as
they are written; only globs, tags and resource groups expand what is in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from ciforge.errors import InputError
from ciforge.gitlab_ci.references import references, replaced

MAX_EXPANDED = 100_000
MAX_LEVELS = 100
"""How much of the variables in one text is read: characters, and variables within variables."""


def declared(section: object) -> dict[str, str]:
    """A `variables` section as names and values; `{value: …}` counts as its value."""
    if not isinstance(section, Mapping):
        return {}
    return {str(name): _value(value) for name, value in section.items()}


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return _value(value.get("value"))
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def inherited(root: Mapping[str, str], inherit: object) -> dict[str, str]:
    """The root's variables that a job with this `inherit` section takes."""
    wanted = inherit.get("variables", True) if isinstance(inherit, Mapping) else True
    if wanted is False:
        return {}
    if isinstance(wanted, Iterable) and not isinstance(wanted, str):
        names = {str(name) for name in wanted}
        return {name: value for name, value in root.items() if name in names}
    return dict(root)


def visible(given: Mapping[str, str], written: Mapping[str, str]) -> dict[str, str]:
    """What rules see of the variables `given` with the event and `written` in the file.

    A file overrides GitLab's own variables (`CI_…`), a pipeline's variables override a file.
    """
    own = {name: value for name, value in given.items() if is_own(name)}
    users = {name: value for name, value in given.items() if not is_own(name)}
    return {**own, **written, **users}


def is_own(name: str) -> bool:
    """Whether GitLab sets this variable itself."""
    return name.startswith(("CI_", "GITLAB_")) or name == "CI"


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`text` with the values of the variables that exist, and of those within them.

    Raises InputError for values that name each other so often that they grow without end.
    """
    whole, left = text, MAX_EXPANDED

    def expanded(text: str, within: frozenset[str]) -> str:
        def value_of(name: str) -> str | None:
            if name not in variables or name in within:
                return None
            return expanded(variables[name], within | {name})

        nonlocal left
        left -= 1 + len(text)
        if left < 0 or len(within) > MAX_LEVELS:
            raise InputError(
                f"{whole[:40]!r}: its variables name each other too often",
                hint=f"{MAX_EXPANDED:,} characters and {MAX_LEVELS} levels of them are read",
            )
        return replaced(text, value_of)

    return expanded(text, frozenset())


def raw(section: object) -> frozenset[str]:
    """The names of a `variables` section whose values expand nothing (`expand: false`)."""
    if not isinstance(section, Mapping):
        return frozenset()
    return frozenset(
        str(name)
        for name, value in section.items()
        if isinstance(value, Mapping) and value.get("expand") is False
    )


def circles(variables: Mapping[str, str], unexpanded: Set[str] = frozenset()) -> list[list[str]]:
    """The groups of variables that contain each other; one that contains itself is allowed.

    Tarjan's strongly connected components, in the order in which GitLab meets them.
    """
    graph = {
        name: [] if name in unexpanded else [n for n in references(value) if n in variables]
        for name, value in variables.items()
    }
    if not any(graph.values()):
        return []
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    open_: set[str] = set()
    found: list[list[str]] = []
    for start in graph:
        ways = [(start, iter(graph[start]))] if start not in index else []
        while ways:
            name, children = ways[-1]
            if name not in index:
                index[name] = low[name] = len(index)
                stack.append(name)
                open_.add(name)
            child = next((c for c in children if c not in index or c in open_), None)
            if child is None:
                ways.pop()
                if ways:
                    low[ways[-1][0]] = min(low[ways[-1][0]], low[name])
                if low[name] == index[name]:
                    component = stack[stack.index(name) :]
                    del stack[-len(component) :]
                    open_.difference_update(component)
                    found += [component] if len(component) > 1 else []
            elif child in index:
                low[name] = min(low[name], index[child])
            else:
                ways.append((child, iter(graph[child])))
    return found
