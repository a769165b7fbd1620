"""Root files reduced to the part that one image's build can see.

A build whose context holds only some projects can't resolve what leads to the others, so a
change of that part changes nothing for it. What can't be parsed is taken as it is.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Collection
from typing import Any

from ciforge.workspace.jsonc import strip_comments

# Read by commands that start work or make files, never by a build.
_NO_BUILD_READS = ("$schema", "affected", "defaultBase", "generators", "release")


def reduce_nx_json(content: bytes) -> bytes:
    """nx.json in canonical form, without comments and the keys that no build reads."""
    try:
        config = json.loads(strip_comments(content))
    except (ValueError, RecursionError):
        return content
    if not isinstance(config, dict):
        return content
    kept = {key: value for key, value in config.items() if key not in _NO_BUILD_READS}
    return json.dumps(kept, sort_keys=True, ensure_ascii=False).encode()


class RootTsconfig:
    """A root tsconfig, parsed once, reduced for each image."""

    def __init__(self, content: bytes, roots: Collection[str]) -> None:
        """`roots` are the folders of all projects."""
        self._content = content
        self._config: dict[str, Any] | None = None
        # Alias, or place in `references`, to the projects that its targets lead into.
        self._aliases: dict[str, set[str | None]] = {}
        self._references: list[str | None] = []
        try:
            config = json.loads(strip_comments(content))
        except (ValueError, RecursionError):
            return
        if not isinstance(config, dict):
            return
        self._config = config
        options = config.get("compilerOptions")
        if isinstance(options, dict) and isinstance(options.get("paths"), dict):
            base = options["baseUrl"] if isinstance(options.get("baseUrl"), str) else "."
            for alias, targets in options["paths"].items():
                listed = targets if isinstance(targets, list) and targets else [None]
                self._aliases[alias] = {_project_above(t, base, roots) for t in listed}
        if isinstance(config.get("references"), list):
            self._references = [
                _project_above(r.get("path") if isinstance(r, dict) else None, ".", roots)
                for r in config["references"]
            ]

    def reduce(self, kept: Collection[str]) -> bytes:
        """Without path aliases and references into projects that are absent.

        `kept` are the folders of the image's projects. An alias stays if one of its targets
        leads into one of them, or into no project at all.
        """
        if self._config is None:
            return self._content
        stays = {None, *kept}
        config = dict(self._config)
        if self._aliases:
            paths = config["compilerOptions"]["paths"]
            config["compilerOptions"] = {
                **config["compilerOptions"],
                "paths": {a: paths[a] for a, into in self._aliases.items() if into & stays},
            }
        if self._references:
            config["references"] = [
                reference
                for reference, into in zip(config["references"], self._references, strict=True)
                if into in stays
            ]
        return json.dumps(config, sort_keys=True, ensure_ascii=False).encode()


def _project_above(target: Any, base: str, roots: Collection[str]) -> str | None:
    """The folder of the nearest project above a path, None where there is none."""
    if not isinstance(target, str):
        return None
    folder = posixpath.normpath(posixpath.join(base, target))
    while folder and folder not in (".", "/"):
        if folder in roots:
            return folder
        folder = posixpath.dirname(folder)
    return None
