"""Gathers everything that a plan is made of."""

from __future__ import annotations

import contextlib
import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from ciforge.affected.closure import Closure
from ciforge.affected.touched import Touch, Touched, project_roots
from ciforge.affected.why import explain
from ciforge.collect.background import Background
from ciforge.collect.base import choose_base, default_branch
from ciforge.collect.changes import ChangedFiles, changed_since, read_changes
from ciforge.collect.graph import GraphChoice, find_graph, warnings
from ciforge.collect.packages import with_packages
from ciforge.collect.tree import commit_tree, working_tree
from ciforge.collect.workspace import CONFIG_NAMES, Root, find_config
from ciforge.config.model import Config
from ciforge.digest.diff import diff_entries
from ciforge.digest.manifest import Digester, Manifest
from ciforge.digest.tree import File, Tree
from ciforge.doors import files
from ciforge.doors.registry import Registry, find_login
from ciforge.errors import CiforgeError, InputError, OutsideError
from ciforge.plan.base import Base
from ciforge.plan.build import Circumstances, Evidence, make_plan
from ciforge.plan.levels import service_levels
from ciforge.plan.model import Head, Plan, PlanBase, PlanGraph, RegistryAnswer
from ciforge.workspace.detection import Detected, detect
from ciforge.workspace.model import ProjectGraph
from ciforge.workspace.services import Service, resolve_services


@dataclass
class Survey:
    """A workspace with its graph, and what is derived from them when first asked for.

    `graph_data` is the graph as it was written, `origin` where it came from; `files` of the
    working tree, where they are known already.
    """

    root: Root
    graph: ProjectGraph
    notes: list[str] = field(default_factory=list)
    graph_data: bytes = b""
    origin: PlanGraph | None = None
    files: Mapping[str, File] | None = None

    @cached_property
    def roots(self) -> dict[str, str]:
        return project_roots(self.graph)

    @cached_property
    def tree(self) -> Tree:
        return working_tree(self.root, self.roots, self.files)

    @cached_property
    def services(self) -> list[Service]:
        return self.services_of(self.root.config)

    def services_of(self, config: Config) -> list[Service]:
        return resolve_services(self.graph, self._detected, config)

    @cached_property
    def _detected(self) -> list[Detected]:
        detected, _ = detect(self.graph, self.root.read, self.tree.files.__contains__)
        return detected

    def service(self, name: str) -> Service:
        """The service of that name. Raises InputError with the nearest one."""
        found = next((s for s in self.services if s.name == name), None)
        if found is None:
            names = [s.name for s in self.services]
            near = difflib.get_close_matches(name, names, n=1)
            raise InputError(
                f"there is no service {name!r}",
                hint=f"did you mean {near[0]!r}?"
                if near
                else f"services here: {', '.join(names) or 'none'}",
            )
        return found

    @cached_property
    def digester(self) -> Digester:
        return Digester(self.graph, self.root.nx_json, self.tree, self.root.config)

    def at(self, commit: str) -> AtCommit:
        return AtCommit(self, commit)


@dataclass
class AtCommit:
    """The same workspace at a commit: its files, its nx.json and ciforge.yaml, today's graph."""

    survey: Survey
    commit: str

    @cached_property
    def tree(self) -> Tree:
        return commit_tree(self.survey.root, self.survey.roots, self.commit)

    @cached_property
    def config(self) -> Config:
        """ciforge.yaml as it was; today's where it can't be read as one."""
        root = self.survey.root
        found = find_config(root.path)
        names = [os.path.relpath(found, root.path)] if found else list(CONFIG_NAMES)
        from ciforge.config.load import parse_config

        for name in names:
            content = root.git.show(self.commit, name)
            if content is None:
                continue
            try:
                return parse_config(content, name)
            except CiforgeError:
                return root.config
        return Config()

    @cached_property
    def services(self) -> dict[str, Service]:
        try:
            return {s.name: s for s in self.survey.services_of(self.config)}
        except CiforgeError:
            return {s.name: s for s in self.survey.services}

    @cached_property
    def digester(self) -> Digester:
        from ciforge.workspace.graph_file import parse_nx_json

        nx_json = self.survey.root.nx_json
        content = self.tree.read("nx.json")
        if content is not None:
            with contextlib.suppress(CiforgeError):
                nx_json = parse_nx_json(content)
        return Digester(
            self.survey.graph, nx_json, self.tree, self.config, like=self.survey.digester
        )

    def manifest(self, name: str) -> Manifest | None:
        """The service's manifest at this commit, None where there was no such service."""
        service = self.services.get(name)
        if service is None:
            return None
        if service.projects and not any(self.tree.by_project[p] for p in service.projects):
            return None
        return self.digester.manifest(service)


def take_survey(root: Root, choice: GraphChoice) -> Survey:
    """Reads the graph and looks whether it can be trusted."""
    on_disk = Background(root.project_files)
    found = find_graph(root, choice)
    doubts = warnings(root, found.graph, on_disk.result())
    notes = [*found.notes, *(f"{message}; {hint}" for message, hint in doubts)]
    return Survey(root, found.graph, notes, found.data, found.origin, found.files)


def make(
    root: Root,
    choice: GraphChoice,
    *,
    base: str | None,
    offline: bool,
    env: Mapping[str, str],
    save_graph: Path | None = None,
) -> tuple[Plan, Survey]:
    """The plan of what is checked out against the base that the policy chooses.

    And the survey that it was made from. `save_graph`: where to keep the graph, for steps that
    run where no Nx is installed.
    """
    root.git.top_level()
    chosen_by_git = Background(
        lambda: choose_base(root.git, base, env, default_branch(root, env), offline=offline)
    )
    survey = take_survey(root, choice)
    chosen = chosen_by_git.result()
    changed = changed_since(root.git, chosen)
    graph, touched = _touched(root, survey.graph, changed)
    closure = Closure(graph, touched)
    evidence = list(_evidence(survey, chosen, graph, touched, closure))
    registry, evidence = _ask_registry(root.config, evidence, offline=offline, env=env)
    notes = [*survey.notes, *_problems(survey), *_removed(survey, chosen)]
    plan = make_plan(
        evidence,
        Circumstances(
            head=_head(root, env),
            base=PlanBase(commit=chosen.commit, rule=chosen.rule, reason=chosen.reason),
            registry=registry,
            affected=closure.projects,
            config=root.config,
            workspace=os.path.relpath(root.path.resolve(), root.git.top_level().resolve()),
            graph=survey.origin,
            warnings=notes,
        ),
    )
    if save_graph is not None:
        # Last: within the workspace it would be one more file that nobody committed.
        files.write_atomically(save_graph, survey.graph_data)
    return plan, survey


def _touched(
    root: Root, graph: ProjectGraph, changed: ChangedFiles
) -> tuple[ProjectGraph, Touched]:
    if changed.everything:
        return graph, {name: Touch(None, changed.base_rule) for name in graph.nodes}
    changes = read_changes(root.git, changed, root.root_tsconfig, root.ignores)
    return with_packages(root, graph, changes)


def _evidence(
    survey: Survey, base: Base, graph: ProjectGraph, touched: Touched, closure: Closure
) -> Iterator[Evidence]:
    before = survey.at(base.commit) if base.commit is not None else None
    levels = service_levels(survey.graph, {s.name: s.projects for s in survey.services})
    for service in survey.services:
        now = survey.digester.manifest(service)
        then = before.manifest(service.name) if before is not None else None
        changes = None
        if then is not None:
            changes = [] if then.digest == now.digest else diff_entries(then.entries, now.entries)
        reasons = (explain(graph, touched, closure, p) for p in service.projects)
        reason = next(filter(None, reasons), None)
        tag = None if service.image else now.tag
        yield Evidence(
            service,
            now.digest,
            tag,
            changes,
            reason,
            new=before is not None and then is None,
            build_args=now.build_args,
            level=levels[service.name],
        )


def _problems(survey: Survey) -> list[str]:
    """What the manifests complain of, each sentence once, and Dockerfiles that aren't there."""
    found: dict[str, None] = {}
    missing: dict[str, list[str]] = {}
    for service in survey.services:
        found.update(dict.fromkeys(survey.digester.manifest(service).problems))
        if service.image is None and service.dockerfile not in survey.tree.files:
            missing.setdefault(service.dockerfile, []).append(service.name)
    for dockerfile, names in sorted(missing.items()):
        found[
            f"there is no {dockerfile}, from which {', '.join(names)} would be built: write one, "
            "or name another in ciforge.yaml (image.dockerfile)"
        ] = None
    return list(found)


def _removed(survey: Survey, base: Base) -> Iterator[str]:
    """Services that only the configuration of the base knows."""
    if base.commit is None:
        return
    names = {service.name for service in survey.services}
    for name in sorted(survey.at(base.commit).services.keys() - names):
        yield f"{name} was a service at the base and is none now: nothing removes its release"


def _head(root: Root, env: Mapping[str, str]) -> Head:
    uncommitted = len(set(root.git.uncommitted()) | set(root.git.untracked()))
    return Head(
        commit=root.git.commit("HEAD"),
        ref=env.get("CI_COMMIT_REF_NAME") or root.git.branch(),
        uncommitted=uncommitted,
    )


def registry_of(config: Config, env: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Host and path prefix: configured, else as GitLab's CI variables give them."""
    host = config.registry.host or env.get("CI_REGISTRY") or None
    prefix = config.registry.prefix
    image = env.get("CI_REGISTRY_IMAGE", "")
    if prefix is None and host is not None and image.startswith(f"{host}/"):
        prefix = image.removeprefix(f"{host}/")
    return host, prefix


def _ask_registry(
    config: Config, evidence: Sequence[Evidence], *, offline: bool, env: Mapping[str, str]
) -> tuple[RegistryAnswer, list[Evidence]]:
    host, prefix = registry_of(config, env)
    insecure = config.registry.insecure

    def unasked(reason: str) -> tuple[RegistryAnswer, list[Evidence]]:
        answer = RegistryAnswer(
            host=host, prefix=prefix, insecure=insecure, asked=False, reason=reason
        )
        return answer, list(evidence)

    if host is None:
        return unasked("no registry is configured")
    if offline:
        return unasked("not asked (--offline)")
    wanted = {
        e.service.name: ("/".join(p for p in (prefix, e.service.name) if p), e.tag)
        for e in evidence
        if e.tag is not None
    }
    registry = Registry(host, insecure=insecure, login=find_login(host, env))
    try:
        held = registry.digests([(r, t) for r, t in wanted.values() if t is not None])
    except OutsideError as error:
        return unasked(error.message)
    answered = [_with_image(e, held.get(_key(wanted, e))) for e in evidence]
    count = sum(1 for digest in held.values() if digest)
    reason = f"it holds {count} of {len(held)} images"
    answer = RegistryAnswer(host=host, prefix=prefix, insecure=insecure, asked=True, reason=reason)
    return answer, answered


def _key(wanted: Mapping[str, tuple[str, str | None]], evidence: Evidence) -> tuple[str, str]:
    repository, tag = wanted.get(evidence.service.name, ("", ""))
    return repository, tag or ""


def _with_image(evidence: Evidence, digest: str | None) -> Evidence:
    return replace(evidence, image_digest=digest)
