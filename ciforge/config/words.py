"""The words that every part of the configuration is made of: names, paths, sections."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

# `(?!\n)$`: Python's `$` also matches before a last line break, a JSON Schema's doesn't.
Name = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?!\n)$",
        max_length=128,
        description="lower case letters and digits, joined by single '.', '_' or '-' "
        "(what a registry takes as a repository name)",
    ),
]
RelativePath = Annotated[
    str,
    Meta(
        min_length=1,
        pattern=r"^(?!/)(?!(?:[^/]*/)*\.\.(?:/|$))[^\x00-\x1f\x7f]+(?!\n)$",
        description="a path relative to the Nx workspace, without '..'",
    ),
]
Platform = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9]+)?(?!\n)$",
        description="a platform as Docker names it: linux/amd64, linux/arm64",
    ),
]


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """What every section shares: frozen, and an unknown key is an error."""
