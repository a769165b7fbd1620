"""`parallel`: the jobs that one job becomes, and the names that they get.

Source: lib/gitlab/ci/config/normalizer in GitLab's code. `parallel: 3` gives `job 1/3` …;
a matrix gives `job: [a, b]` for each combination of its values.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ciforge.gitlab_ci.nodes import Map, Seq

_VALUE = re.compile(r"\$\[\[\s*matrix\.([a-zA-Z0-9_-]+)\s*\]\]")


@dataclass(frozen=True)
class Instance:
    """One of the jobs that a job becomes; `variables` are the matrix values of this one."""

    name: str
    variables: Mapping[str, str]


def instances(name: str, parallel: Any) -> tuple[Instance, ...]:
    """What the job `name` becomes; without (or with an empty or wrong) `parallel` only itself."""
    if isinstance(parallel, int) and not isinstance(parallel, bool):
        total = max(parallel, 1)
        return tuple(Instance(f"{name} {i}/{total}", {}) for i in range(1, total + 1))
    found = tuple(
        Instance(f"{name}: [{', '.join(values.values())}]", values)
        for values in combinations(matrix_of(parallel))
    )
    return found or (Instance(name, {}),)


def matrix_of(parallel: Any) -> list[Mapping[str, Any]]:
    """The rows of a matrix; none when `parallel` has no matrix."""
    rows = parallel.get("matrix") if isinstance(parallel, Mapping) else None
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def combinations(rows: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """Every combination of each row's values, as text."""
    for row in rows:
        names = [str(key) for key in row]
        choices = [[text(item) for item in _listed(value)] for value in row.values()]
        for chosen in itertools.product(*choices):
            yield dict(zip(names, chosen, strict=True))


def text(value: Any) -> str:
    """A scalar as GitLab turns it into a variable's value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def interpolated(value: Any, values: Mapping[str, str]) -> Any:
    """`value` with each `$[[ matrix.NAME ]]` in it replaced by that of `values`, where known."""
    if isinstance(value, str):
        return _VALUE.sub(lambda found: values.get(found[1], found[0]), value)
    if isinstance(value, Map):
        replaced = Map(value.at)
        for key, inner in value.items():
            replaced.put(key, interpolated(inner, values), value.where(key))
        return replaced
    if isinstance(value, Seq):
        items = Seq(value.at)
        for index, inner in enumerate(value):
            items.put(interpolated(inner, values), value.where(index))
        return items
    return value
