"""What the lint says: one finding for each thing that GitLab would refuse."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Finding:
    """One broken rule.

    `file` and `line` (from 1) are where it stands, which may be an included file; `job` is None
    for what belongs to no job. `rule` is a short name of the rule; `message` says what is wrong,
    `hint` what to do.
    """

    file: str
    line: int
    job: str | None
    rule: str
    message: str
    hint: str
