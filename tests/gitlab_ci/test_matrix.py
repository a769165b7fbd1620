"""The jobs that `parallel` makes of one."""

from __future__ import annotations

from typing import Any

import pytest

from ciforge.gitlab_ci.matrix import instances


@pytest.mark.parametrize(
    ("parallel", "names"),
    [
        (None, ["j"]),
        (2, ["j 1/2", "j 2/2"]),
        (1, ["j 1/1"]),
        (True, ["j"]),
        ({"matrix": []}, ["j"]),
        ({"matrix": [{"A": "x"}]}, ["j: [x]"]),
        (
            {"matrix": [{"A": ["x", "y"], "B": [1, 2]}]},
            [f"j: [{a}, {b}]" for a in "xy" for b in "12"],
        ),
        ({"matrix": [{"A": ["x"]}, {"B": ["y", "z"]}]}, ["j: [x]", "j: [y]", "j: [z]"]),
    ],
)
def test_names(parallel: Any, names: list[str]) -> None:
    assert [instance.name for instance in instances("j", parallel)] == names


def test_an_instance_has_its_values_as_variables() -> None:
    (instance,) = instances("j", {"matrix": [{"A": [1], "B": ["x"]}]})
    assert instance.variables == {"A": "1", "B": "x"}
