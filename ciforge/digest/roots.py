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


def reduce_tsconfig(content: bytes, kept: Collection[str], all_roots: Collection[str]) -> bytes:
    """A root tsconfig without path aliases and references into projects that are absent.

    `kept` and `all_roots` are project folders. An alias stays if one of its targets leads into
    a kept project or into none at all.
    """
    try:
        config = json.loads(strip_comments(content))
    except (ValueError, RecursionError):
        return content
    if not isinstance(config, dict):
        return content
    absent = set(all_roots) - set(kept)
    options = config.get("compilerOptions")
    if isinstance(options, dict) and isinstance(options.get("paths"), dict):
        base = options.get("baseUrl", ".")
        base = base if isinstance(base, str) else "."
        options["paths"] = {
            alias: targets
            for alias, targets in options["paths"].items()
            if _stays(targets, base, absent, kept)
        }
    if isinstance(config.get("references"), list):
        config["references"] = [
            r for r in config["references"] if not _leads_into(_path(r), ".", absent, kept)
        ]
    return json.dumps(config, sort_keys=True, ensure_ascii=False).encode()


def _path(reference: Any) -> str:
    return str(reference.get("path", "")) if isinstance(reference, dict) else ""


def _stays(targets: Any, base: str, absent: Collection[str], kept: Collection[str]) -> bool:
    if not isinstance(targets, list) or not targets:
        return True
    return any(not _leads_into(str(t), base, absent, kept) for t in targets)


def _leads_into(target: str, base: str, absent: Collection[str], kept: Collection[str]) -> bool:
    """Whether the nearest project above `target` is an absent one."""
    folder = posixpath.normpath(posixpath.join(base, target))
    while folder and folder not in (".", "/"):
        if folder in kept:
            return False
        if folder in absent:
            return True
        folder = posixpath.dirname(folder)
    return False
