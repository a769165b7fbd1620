"""pnpm's settings, in pnpm-workspace.yaml or package.json, reduced in step with a lockfile."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, TypeVar

from ciforge.lockfile.common import LockfileError
from ciforge.lockfile.pnpm_lockfile import PnpmLockfile, mapping, package_name, strings

_V = TypeVar("_V")

# `parent@1>child@<2`: the ">" of a range follows a space, "|", "@" or the start.
_PARENT = re.compile(r"(?<=[^ |@])>")


def only(entries: Mapping[str, _V], wanted: Callable[[str], bool]) -> dict[str, _V]:
    """The entries whose key is wanted."""
    return {key: value for key, value in entries.items() if wanted(key)}


def override_target(selector: str) -> str:
    """The package that an override applies to: `child` of `parent@1>child@<2`."""
    return package_name(_PARENT.split(selector)[-1])


def reduced_catalogs(catalogs: object, entries: AbstractSet[tuple[str, str]]) -> dict[str, Any]:
    reduced = {
        catalog: {
            name: value
            for name, value in mapping(content, f"catalog {catalog}").items()
            if (catalog, name) in entries
        }
        for catalog, content in mapping(catalogs, "catalogs").items()
    }
    return {catalog: content for catalog, content in reduced.items() if content}


@dataclass(frozen=True)
class Settings:
    """Reduces pnpm's settings, wherever they are, in step with the lockfile.

    `names` and `catalog_entries` (catalog, dependency) are what the kept projects reach;
    `overrides` and `patches` are the reduced lockfile's.
    """

    lock: PnpmLockfile
    names: AbstractSet[str]
    catalog_entries: AbstractSet[tuple[str, str]]
    overrides: Mapping[str, str]
    patches: Mapping[str, Any]

    def reduce(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        reduced = dict(settings)
        for key in settings:
            value = settings[key]
            match key:
                case "overrides":
                    reduced[key] = self.reduce_overrides(value)
                case "patchedDependencies":
                    reduced[key] = self._in_step(value, key, self.patches)
                case "catalog":
                    reduced[key] = reduced_catalogs({"default": value}, self.catalog_entries).get(
                        "default"
                    )
                case "catalogs":
                    reduced[key] = reduced_catalogs(value, self.catalog_entries)
                case "allowBuilds":
                    reduced[key] = only(mapping(value, key), self._may_matter)
                case "onlyBuiltDependencies" | "ignoredBuiltDependencies":
                    # An empty list stays: it forbids what no list would leave open.
                    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
                        raise LockfileError(f"{key} is not a list of package names")
                    reduced[key] = sorted(filter(self._may_matter, value))
                    continue
                case _:
                    continue
            if not reduced[key]:
                del reduced[key]
        return reduced

    def reduce_overrides(self, value: object) -> dict[str, str]:
        """Values as the lockfile has them: a `$name` or a `catalog:` may have lost its target."""
        overrides = self._in_step(strings(value or {}, "overrides"), "overrides", self.overrides)
        return {key: self.overrides.get(key, text) for key, text in overrides.items()}

    def _in_step(self, value: object, key: str, kept: Mapping[str, Any]) -> dict[str, Any]:
        """Without what the lockfile had and lost; what it never had is pnpm's to complain of."""
        before = self.lock.head.get(key) or {}
        return only(strings(value or {}, key), lambda name: name in kept or name not in before)

    def _may_matter(self, entry: str) -> bool:
        return "*" in entry or package_name(entry) in self.names
