"""The manifest of an image's inputs, and the digest made of it.

The digest is a two-level hash: each group (the files of one project, the root files, the
settings) is hashed once and shared by all images that read it; an image's digest is the hash
of its groups' digests. Nothing in it depends on where the checkout lies, on file times or on
any order but the sorted one.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from ciforge.config.model import Config
from ciforge.digest.dockerfile import Dockerfile, read_dockerfile
from ciforge.digest.locks import LockPart, Locks, content_digest
from ciforge.digest.roots import RootTsconfig, reduce_nx_json
from ciforge.digest.selection import Selector
from ciforge.digest.tree import Tree
from ciforge.workspace.model import NxJson, ProjectGraph
from ciforge.workspace.services import Service

FORMAT = "ciforge-inputs-1"

# Read by every install or build that runs in the workspace, whatever its targets say.
_ROOT_FILES = (
    ".npmrc",
    ".pnpmfile.cjs",
    ".yarnrc.yml",
    ".yarnrc",
    ".gitignore",
    ".nxignore",
)
_ROOT_TSCONFIGS = ("tsconfig.base.json", "tsconfig.json")


class Entry(NamedTuple):
    """One input. `kind` is `file` (value: git mode and blob id), `root` (a root file reduced to
    the image's part: a digest of the content), `package` (value: integrity), `base-image`,
    `build-arg`, `setting` (platforms, target, salt) or `image`.
    """

    kind: str
    name: str
    value: str


@dataclass(frozen=True)
class Manifest:
    """Everything that one image's build reads.

    `generated`: contents of the root files that the build gets in place of the workspace's
    own. `build_args`: all that a build gets, SERVICE included where the Dockerfile asks for
    it. `problems`: what a person should know (an input that matches nothing, a lockfile that
    can't be reduced).
    """

    service: str
    groups: tuple[tuple[Entry, ...], ...]
    group_digests: tuple[str, ...]
    generated: Mapping[str, bytes] = field(default_factory=dict)
    build_args: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @cached_property
    def entries(self) -> list[Entry]:
        """All entries, sorted, each once."""
        return sorted({entry for group in self.groups for entry in group})

    @cached_property
    def digest(self) -> str:
        """`sha256:` and 64 hexadecimal digits."""
        lines = "\n".join([FORMAT, *sorted(set(self.group_digests))])
        return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"

    @property
    def tag(self) -> str:
        """The image tag that stands for these inputs (a tag takes no colon)."""
        return f"in-{self.digest.removeprefix('sha256:')[:40]}"


class Digester:
    """Makes manifests from one state of the workspace; what images share is done once."""

    def __init__(
        self,
        graph: ProjectGraph,
        nx_json: NxJson,
        tree: Tree,
        config: Config,
        like: Digester | None = None,
    ) -> None:
        """`like` is another state of the same workspace: what is equal in both is shared."""
        keep = config.image.root_dev_dependencies
        self._graph = graph
        self._tree = tree
        self._config = config
        self._selector: Selector = Selector(graph, nx_json, tree, like._selector if like else None)
        locks = Locks(tree, None if keep is None else frozenset(keep))
        self._locks: Locks = like._locks if like and locks.equals(like._locks) else locks
        self._reduced: dict[tuple[str, ...], dict[str, bytes]] = {}
        self._groups: dict[tuple[str, ...], tuple[tuple[Entry, ...], str]] = {}
        self._manifests: dict[str, Manifest] = {}

    def manifest(self, service: Service) -> Manifest:
        """The manifest of one service; of a ready image only its reference counts."""
        if service.name not in self._manifests:
            self._manifests[service.name] = self._manifest(service)
        return self._manifests[service.name]

    def _manifest(self, service: Service) -> Manifest:
        if service.image is not None:
            group, digest = _group([Entry("image", service.image, "")])
            return Manifest(service.name, (group,), (digest,))
        problems: list[str] = []
        projects = self._projects(service)
        lock = self._locks.part([self._graph.nodes[p].data.root for p in projects])
        if lock.problem:
            problems.append(lock.problem)
        generated = {**lock.generated, **self._root_json(projects)}
        dockerfile, build_args = self._dockerfile(service, problems)
        groups = [
            *self._project_groups(service, projects, generated),
            self._files_group(self._workspace_files(service, lock, problems) - generated.keys()),
            self._root_group(lock, generated),
            self._settings_group(service, dockerfile, build_args),
        ]
        return Manifest(
            service.name,
            tuple(group for group, _ in groups),
            tuple(digest for _, digest in groups),
            generated,
            build_args,
            tuple(problems),
        )

    def _projects(self, service: Service) -> list[str]:
        """The service's projects and all that they depend on, sorted."""
        found = set(service.projects)
        for project in service.projects:
            found.update(self._selector.tasks.all_dependencies(project))
        return sorted(found)

    def _project_groups(
        self, service: Service, projects: Sequence[str], generated: Mapping[str, bytes]
    ) -> Iterable[tuple[tuple[Entry, ...], str]]:
        selected = self._selector.project_files(service.projects, service.build_target)
        for project in projects:
            paths = set(selected.get(project, ()))
            folder = self._graph.nodes[project].data.root
            for name in ("package.json", "project.json"):
                path = posixpath.normpath(posixpath.join(folder, name))
                if path in self._tree.files:
                    paths.add(path)
            # What is reduced is in the root group, also where the root is itself a project.
            paths -= generated.keys()
            if paths:
                yield self._files_group(paths)

    def _workspace_files(self, service: Service, lock: LockPart, problems: list[str]) -> set[str]:
        files = self._tree.files
        paths = set(self._selector.workspace_files(service.projects, service.build_target))
        paths.update(name for name in _ROOT_FILES if name in files)
        paths.update(lock.whole)
        for path in lock.paths:
            paths.update([path] if path in files else self._tree.below(path))
        for folder in lock.importers:
            manifest = posixpath.normpath(posixpath.join(folder, "package.json"))
            if manifest in files:
                paths.add(manifest)
        for pattern in service.inputs:
            found = self._selector.configured(pattern)
            if not found:
                problems.append(f"the input {pattern!r} of {service.name} matches no file")
            paths.update(found)
        for name in (service.dockerfile, f"{service.dockerfile}.dockerignore", ".dockerignore"):
            if name in files:
                paths.add(name)
        return paths

    def _root_group(
        self, lock: LockPart, generated: Mapping[str, bytes]
    ) -> tuple[tuple[Entry, ...], str]:
        entries = [Entry("root", name, content_digest(c)) for name, c in generated.items()]
        entries += [Entry("package", name, value) for name, value in lock.values.items()]
        return _group(entries)

    def _root_json(self, projects: Sequence[str]) -> dict[str, bytes]:
        """nx.json and the root tsconfigs, reduced."""
        key = tuple(self._graph.nodes[p].data.root for p in projects)
        if key not in self._reduced:
            tsconfigs = {name: config.reduce(key) for name, config in self._tsconfigs.items()}
            self._reduced[key] = {**tsconfigs, **self._nx_json}
        return self._reduced[key]

    @cached_property
    def _tsconfigs(self) -> dict[str, RootTsconfig]:
        roots = {node.data.root for node in self._graph.nodes.values()}
        return {
            name: RootTsconfig(content, roots)
            for name in _ROOT_TSCONFIGS
            if name in self._tree.files and (content := self._tree.read(name)) is not None
        }

    @cached_property
    def _nx_json(self) -> dict[str, bytes]:
        content = self._tree.read("nx.json") if "nx.json" in self._tree.files else None
        return {} if content is None else {"nx.json": reduce_nx_json(content)}

    def _settings_group(
        self, service: Service, dockerfile: Dockerfile | None, build_args: Mapping[str, str]
    ) -> tuple[tuple[Entry, ...], str]:
        entries = [
            Entry("setting", "platforms", ",".join(sorted(service.platforms))),
            Entry("setting", "target", service.build_target),
            Entry("setting", "projects", ",".join(sorted(service.projects))),
        ]
        salts = [salt for salt in (self._config.image.salt, service.salt) if salt]
        entries += [Entry("setting", f"salt-{i}", salt) for i, salt in enumerate(salts)]
        pinned = self._config.image.base_images
        for image in dockerfile.images if dockerfile else ():
            entries.append(Entry("base-image", image, pinned.get(image, "")))
        entries += [Entry("build-arg", name, value) for name, value in build_args.items()]
        return _group(entries)

    def _dockerfile(
        self, service: Service, problems: list[str]
    ) -> tuple[Dockerfile | None, dict[str, str]]:
        """What the Dockerfile starts from, and all build arguments that it gets."""
        build_args = dict(service.build_args)
        content = self._tree.read(service.dockerfile)
        if content is None or service.dockerfile not in self._tree.files:
            return None, build_args
        text = content.decode("utf-8", "replace")
        if "SERVICE" in read_dockerfile(text, {}).arguments:
            build_args.setdefault("SERVICE", service.projects[0])
        read = read_dockerfile(text, build_args)
        problems.extend(
            f"{service.dockerfile}: the base image {reference} has an argument without a value"
            for reference in read.unresolved
        )
        return read, build_args

    def _files_group(self, paths: Iterable[str]) -> tuple[tuple[Entry, ...], str]:
        key = tuple(sorted(paths))
        if key not in self._groups:
            files = self._tree.files
            self._groups[key] = _group(
                Entry("file", path, f"{files[path].mode} {files[path].object_id}")
                for path in key
                if path in files
            )
        return self._groups[key]


def _group(entries: Iterable[Entry]) -> tuple[tuple[Entry, ...], str]:
    """The entries, sorted, and their hash. NUL separates: no path or value can hold it."""
    group = tuple(sorted(entries))
    lines = "\n".join(f"{e.kind}\0{e.name}\0{e.value}\0" for e in group)
    return group, hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()
