"""What a job waits for, after `parallel` has made several jobs out of one.

Source: GitLab's lib/gitlab/ci/config/normalizer and lib/gitlab/ci/config/entry/need.rb.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ciforge.gitlab_ci.matrix import Instance, instances, interpolated
from ciforge.simulate.model import Need

Expanded = Mapping[str, tuple[Instance, ...]]
"""The jobs with `parallel`, and what each becomes."""


def needs_of(section: Any, expanded: Expanded, values: Mapping[str, str]) -> tuple[Need, ...]:
    """The needs within the pipeline; those on other pipelines and projects are no matter here.

    `values` are the needing job's own values of its matrix, for `$[[ matrix.NAME ]]`.
    """
    found: list[Need] = []
    for written in section if isinstance(section, list) else [section]:
        entry = interpolated(written, values)
        need = {"job": entry} if isinstance(entry, str) else entry
        if not isinstance(need, Mapping) or not isinstance(need.get("job"), str):
            continue
        if "pipeline" in need or "project" in need:
            continue
        optional = need.get("optional") is True
        several = expanded.get(need["job"])
        if several and need.get("parallel") is not None:
            several = instances(need["job"], need["parallel"])
        names = [instance.name for instance in several] if several else [need["job"]]
        found.extend(Need(name, optional) for name in names)
    return tuple(found)
