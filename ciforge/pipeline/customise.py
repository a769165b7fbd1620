"""A user's own words in the generated jobs: `pipeline.defaults`, `.jobs`, `.extra_jobs`.

Mappings are merged key by key, everything else is replaced, null removes. What is nearer wins:
GitLab's `default:`, then pipeline.defaults, then the job as generated, then each pattern of
pipeline.jobs that fits its name, in the order of the file.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from ciforge.config.delivery import Pipeline
from ciforge.pipeline.names import Job

# Keywords that GitLab takes below `default:` (docs.gitlab.com/ci/yaml/#default).
_DEFAULT = frozenset(
    {"after_script", "artifacts", "before_script", "cache", "hooks", "id_tokens"}
    | {"image", "interruptible", "retry", "services", "tags", "timeout"}
)


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> Job:
    """Both, `above` winning; neither is changed."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            result[key] = merged(old, value)
        elif value is None:
            result.pop(key, None)
        else:
            result[key] = value
    return result


def with_defaults(default: Job, variables: Job, pipeline: Pipeline) -> tuple[Job, Job]:
    """GitLab's `default:` and global `variables:`, with those of pipeline.defaults."""
    own = pipeline.defaults
    default = merged(default, {key: value for key, value in own.items() if key in _DEFAULT})
    return default, merged({"": variables}, {"": own.get("variables", {})}).get("", {})


def customised(jobs: Mapping[str, Job], default: Job, pipeline: Pipeline) -> dict[str, Job]:
    """The generated jobs in the user's shape."""
    own = {key: value for key, value in pipeline.defaults.items() if key != "variables"}
    result = {}
    for name, generated in jobs.items():
        below = {k: v for k, v in own.items() if k not in _DEFAULT or k in generated}
        job = merged(below, generated) if below else dict(generated)
        for pattern, words in pipeline.jobs.items():
            if fnmatchcase(name, pattern):
                # A job's `retry: {max: 2}` keeps the `when` that it would inherit.
                inherited = {
                    key: default[key]
                    for key, value in words.items()
                    if key not in job and isinstance(value, dict) and key in default
                }
                job = merged({**job, **inherited}, words)
        result[name] = job
    return result


def check_patterns(pipeline: Pipeline, possible: Iterable[str]) -> None:
    """Raises ValueError for a pattern that fits no job this workspace can ever have."""
    names = sorted(set(possible))
    for pattern in pipeline.jobs:
        if not any(fnmatchcase(name, pattern) for name in names):
            near = difflib.get_close_matches(pattern, names, n=1)
            guess = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"pipeline.jobs: {pattern!r} fits no job{guess}")


def stages(own: Sequence[str], pipeline: Pipeline) -> list[str]:
    """All stages in order. Raises ValueError when one of `own` is missing or out of order."""
    if not pipeline.stages:
        return list(own)
    kept = [stage for stage in pipeline.stages if stage in own]
    if kept != list(own):
        raise ValueError(f"pipeline.stages must hold {', '.join(own)}, each once, in this order")
    return list(pipeline.stages)


def extra_jobs(jobs: Mapping[str, Job], pipeline: Pipeline) -> dict[str, Job]:
    """The user's jobs; in stage smoke unless they say another.

    Raises ValueError when a generated job has that name.
    """
    for name in pipeline.extra_jobs:
        if name in jobs:
            raise ValueError(f"pipeline.extra_jobs: there is a job {name!r} already")
    return {name: {"stage": "smoke", **job} for name, job in pipeline.extra_jobs.items()}
