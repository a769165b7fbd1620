"""Variables: the forms that each place allows, and circles of variables that name each other.

Source: lib/gitlab/ci/config/entry/variable.rb and lib/gitlab/ci/variables in GitLab's code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ciforge.gitlab_ci.nodes import Map
from ciforge.gitlab_ci.references import references
from ciforge.lint.checks import (
    Check,
    Spot,
    alphanumeric,
    boolean,
    expect,
    is_scalar,
    is_word,
    mapping,
    strings,
)
from ciforge.lint.circles import circle

_FIELDS: dict[str, Check] = {
    "value": alphanumeric,
    "description": expect(
        lambda value: is_word(value) or type(value) is int, "an alphanumeric string"
    ),
    "expand": boolean,
    "options": strings,
}


def variables(*allowed: str) -> Check:
    """A mapping of variables; `allowed` are the keys of their long form, none: no long form."""

    def check(value: Any, spot: Spot) -> None:
        if not isinstance(value, Map):
            mapping(value, spot)
            return
        for key, inner in value.items():
            here = spot.inside(key, value.where(key))
            if type(key) is not int and not is_word(key):
                here.report("wrong-type", "must be an alphanumeric string", "quote the name")
            if inner is None:
                inner = Map(here.at)  # GitLab takes it for an empty long form
            if isinstance(inner, Map):
                _long_form(inner, here, allowed)
            elif not is_scalar(inner):
                here.report(
                    "wrong-type",
                    "variable definition must be either a string or a hash",
                    "write one value",
                )

    return check


def _long_form(value: Map, spot: Spot, allowed: tuple[str, ...]) -> None:
    if not allowed:
        spot.report("wrong-type", "must be a string", "write the value itself")
        return
    if unknown := [str(key) for key in value if key not in allowed]:
        words, known = ", ".join(unknown), ", ".join(allowed)
        spot.report("unknown-key", f"uses invalid data keys: {words}", f"allowed are {known}")
    for key, check in _FIELDS.items():
        if value.get(key) is not None:
            check(value[key], spot.inside(key, value.where(key)))
    options = value.get("options")
    if spot.open and "value" not in value:
        return
    if isinstance(options, list) and options and value.get("value") not in options:
        spot.report("unknown-value", "value must be present in options", "add it to the options")


def names_each_other(given: Mapping[str, Any]) -> list[str]:
    """Variables that name each other in a circle: no pipeline can be created with them.

    A variable that names only itself (`PATH: $PATH:/x`) is none. GitLab leaves those with
    `expand: false` out.
    """
    edges = {
        key: [name for name in _names(value) if name != key and name in given]
        for key, value in given.items()
        if is_word(key)
    }
    return circle({key: names for key, names in edges.items() if names})


def _names(value: Any) -> Iterable[str]:
    if isinstance(value, Mapping):
        if value.get("expand") is False:
            return
        value = value.get("value")
    if isinstance(value, str):
        yield from references(value)
