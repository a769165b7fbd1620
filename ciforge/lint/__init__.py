"""Says offline what GitLab's own parser would refuse, and where.

GitLab stops at the first kind of trouble: text that is no YAML, then includes and `extends`,
then keywords, then what jobs say of each other. So does the lint, with all findings of a kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from ciforge.gitlab_ci.document import resolve
from ciforge.gitlab_ci.include import Files
from ciforge.gitlab_ci.nodes import Refused
from ciforge.lint.finding import Finding
from ciforge.lint.keywords import check_keywords
from ciforge.lint.relations import Relations

__all__ = ["Finding", "Linted", "examine", "lint"]


class Linted(NamedTuple):
    """The findings of a file, in the order of its lines; and the includes that nobody read."""

    findings: list[Finding]
    unread: tuple[str, ...] = ()


def lint(
    name: str,
    text: str,
    files: Files | None = None,
    *,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> list[Finding]:
    """The findings of the CI file `name` with this `text`, in the order of its lines.

    `files` holds the local files that it includes, `variables` decide `include:rules`. Without
    findings GitLab (Free, release line 18.11, judged without a project's variables) takes it.
    """
    return examine(name, text, files, variables=variables).findings


def examine(
    name: str,
    text: str,
    files: Files | None = None,
    *,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Linted:
    """What `lint` finds, and what it could not look into: `project: a/b`, as the file says it."""
    if not text.strip():
        empty = Finding(name, 1, None, "empty", "the file is empty", "write at least one job")
        return Linted([empty])
    findings: list[Finding] = []
    try:
        document = resolve(text, name, files, variables=variables)
    except Refused as error:
        at = error.position
        found = Finding(at.file, at.line, error.job, error.rule, error.message, error.hint)
        return Linted([found])
    except RecursionError:
        message = "includes or references lead into each other too often"
        return Linted([Finding(name, 1, None, "too-deep", message, "nest fewer of them")])
    check_keywords(document, findings)
    if not findings:
        Relations(document, findings).check()
    findings = sorted(set(findings), key=lambda f: (f.file, f.line, f.job or "", f.rule, f.message))
    return Linted(findings, tuple(dict.fromkeys(document.outside)))
