"""Made-up npm packages, and the lockfiles that npm and pnpm would write for them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

# Packages that are imported or declared; the others are only reached through them.
_DIRECT = (
    "@nestjs/common", "@nestjs/core", "@nestjs/platform-express", "@nestjs/config",
    "@nestjs/swagger", "@nestjs/terminus", "reflect-metadata", "rxjs", "tslib", "express",
    "pg", "ioredis", "amqplib", "pino", "pino-http", "class-validator", "class-transformer",
    "zod", "uuid", "lodash", "date-fns", "axios", "prom-client", "jsonwebtoken", "ms",
    "semver", "yaml", "undici", "kysely", "nanoid",
)  # fmt: skip
_FIRST = (
    "abstract", "array", "async", "binary", "buffer", "cache", "call", "color", "content",
    "cookie", "debug", "deep", "error", "event", "fast", "fresh", "graceful", "has", "http",
    "inline", "light", "mime", "path", "safe", "tiny",
)  # fmt: skip
_SECOND = (
    "assert", "bind", "codec", "compare", "concat", "encode", "filter", "flatten", "format",
    "inspect", "iterator", "keys", "list", "merge", "object", "parser", "pool", "queue",
    "stream", "string", "symbol", "timer", "types", "utils",
)  # fmt: skip
_TRANSITIVE = tuple(f"{first}-{second}" for second in _SECOND for first in _FIRST)
_PEERS = ("reflect-metadata", "rxjs")
_BUMPED = len(_DIRECT) + 40  # the package whose version the second commit raises

# Installed for real.
TOOLS = {"nx": "24.0.6", "typescript": "5.9.3"}
# In the root manifest. Nx looks for imports only where one of its JavaScript plugins is named.
_DEVELOPMENT = {"@nx/js": TOOLS["nx"], **TOOLS}


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    dependencies: tuple[str, ...]
    peers: tuple[str, ...] = ()

    @property
    def integrity(self) -> str:
        digest = hashlib.sha512(f"{self.name}@{self.version}".encode()).digest()
        return f"sha512-{base64.b64encode(digest).decode()}"


class Packages:
    """About 600 packages; `bumped` raises the version of one that many others reach."""

    def __init__(self, *, bumped: bool) -> None:
        names = _DIRECT + _TRANSITIVE
        self.by_name: dict[str, Package] = {}
        for index, name in enumerate(names):
            patch = index % 23 + (index == _BUMPED and bumped)
            peers = _PEERS if name.startswith("@nestjs/") else ()
            # Always further down the list, a few steps or many: no cycles, some depth.
            steps = (1 + index * 7 % 11, 5 + index * 13 % 97, 40 + index * 5 % 211)
            reached = [index + step for step in steps[: index % 4]]
            if index < len(_DIRECT):
                reached = [len(_DIRECT) + index * 19 % len(_TRANSITIVE), len(_DIRECT) + index]
            dependencies = tuple(sorted({names[i] for i in reached if i < len(names)}))
            version = f"{index % 9}.{index % 17}.{patch}"
            self.by_name[name] = Package(name, version, dependencies, peers)

    @property
    def direct(self) -> tuple[str, ...]:
        return _DIRECT

    def root_manifest(self) -> str:
        """The workspace's package.json."""
        manifest = {
            "name": "@bench/source",
            "version": "0.0.0",
            "private": True,
            "license": "MIT",
            "scripts": {},
            "dependencies": {n: f"^{self.by_name[n].version}" for n in sorted(_DIRECT)},
            "devDependencies": _DEVELOPMENT,
        }
        return json.dumps(manifest, indent=2) + "\n"

    # -- npm -------------------------------------------------------------------------------

    def npm_lockfile(self) -> str:
        """A package-lock.json of lockfileVersion 3."""
        manifest = json.loads(self.root_manifest())
        own = {key: manifest[key] for key in ("name", "version", "license")}
        declared = {key: manifest[key] for key in ("dependencies", "devDependencies")}
        entries: dict[str, object] = {"": own | declared}
        for name, version in sorted(_DEVELOPMENT.items()):
            integrity = Package(name, version, ()).integrity
            entries[f"node_modules/{name}"] = {
                "version": version,
                "integrity": integrity,
                "dev": True,
                "license": "MIT",
            }
        for name, package in sorted(self.by_name.items()):
            entry: dict[str, object] = {
                "version": package.version,
                "integrity": package.integrity,
                "license": "MIT",
            }
            if package.dependencies:
                entry["dependencies"] = self._ranges(package.dependencies)
            if package.peers:
                entry["peerDependencies"] = self._ranges(package.peers)
            entries[f"node_modules/{name}"] = entry
        head = {"name": own["name"], "version": own["version"]}
        rest = {"lockfileVersion": 3, "requires": True, "packages": entries}
        return json.dumps(head | rest, indent=2) + "\n"

    def _ranges(self, names: Sequence[str]) -> dict[str, str]:
        return {name: f"^{self.by_name[name].version}" for name in names}

    # -- pnpm ------------------------------------------------------------------------------

    def pnpm_lockfile(self, importers: Mapping[str, Sequence[str]]) -> str:
        """A pnpm-lock.yaml of lockfileVersion 9; `importers` are folders and what they need."""
        lines = [
            "lockfileVersion: '9.0'",
            "",
            "settings:",
            "  autoInstallPeers: true",
            "  excludeLinksFromLockfile: false",
            "",
            "importers:",
            "",
            "  .:",
            *self._importer("dependencies", sorted(_DIRECT)),
            "    devDependencies:",
        ]
        for name, version in sorted(_DEVELOPMENT.items()):
            lines.append(f"      {_quoted(name)}:")
            lines += [f"        specifier: {version}", f"        version: {version}"]
        for folder in sorted(importers):
            lines += ["", f"  {folder}:"]
            lines += self._importer("dependencies", sorted(importers[folder]))
        tools = {name: Package(name, version, ()) for name, version in _DEVELOPMENT.items()}
        everything = sorted({**self.by_name, **tools}.values(), key=lambda p: p.name)
        lines += ["", "packages:"]
        for package in everything:
            lines += ["", f"  {_quoted(f'{package.name}@{package.version}')}:"]
            lines.append(f"    resolution: {{integrity: {package.integrity}}}")
            lines.append("    engines: {node: '>=18'}")
            if package.peers:
                lines.append("    peerDependencies:")
                lines += [f"      {n}: ^{self.by_name[n].version}" for n in package.peers]
        lines += ["", "snapshots:"]
        for package in everything:
            key = _quoted(f"{package.name}@{self._resolved(package)}")
            needed = sorted({*package.dependencies, *package.peers})
            if not needed:
                lines += ["", f"  {key}: {{}}"]
                continue
            lines += ["", f"  {key}:", "    dependencies:"]
            lines += [f"      {_quoted(n)}: {self._resolved(self.by_name[n])}" for n in needed]
        return "\n".join(lines) + "\n"

    def _importer(self, section: str, names: Sequence[str]) -> list[str]:
        lines = [f"    {section}:"]
        for name in names:
            package = self.by_name[name]
            lines.append(f"      {_quoted(name)}:")
            lines.append(f"        specifier: ^{package.version}")
            lines.append(f"        version: {self._resolved(package)}")
        return lines

    def _resolved(self, package: Package) -> str:
        """The version with its peers, as pnpm names a snapshot."""
        return package.version + (self._peers if package.peers else "")

    @cached_property
    def _peers(self) -> str:
        return "".join(f"({name}@{self.by_name[name].version})" for name in _PEERS)


def _quoted(key: str) -> str:
    return f"'{key}'" if key.startswith("@") else key
