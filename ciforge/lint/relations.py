"""What jobs say of each other: stages, needs, dependencies, generated children, on_stop.

GitLab looks at this after `parallel` is expanded, so one need of a matrix job counts once for
each of its jobs. Source: lib/gitlab/ci/yaml_processor.rb, lib/gitlab/ci/config/normalizer.rb and
lib/gitlab/ci/pipeline/seed/build.rb in GitLab's code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ciforge.gitlab_ci.document import Document
from ciforge.gitlab_ci.limits import MAX_NAME, MAX_NEEDS
from ciforge.gitlab_ci.matrix import Instance, instances, interpolated
from ciforge.gitlab_ci.nodes import Map, Position, Seq
from ciforge.lint.checks import is_string
from ciforge.lint.circles import circle
from ciforge.lint.finding import Finding
from ciforge.lint.flow import is_job_need
from ciforge.lint.variables import names_each_other


@dataclass(frozen=True)
class Need:
    """One need of one job, by the name that it has after expansion."""

    name: str
    optional: bool
    at: Position


@dataclass
class Relations:
    """Checks one document; its jobs are well formed by now."""

    document: Document
    findings: list[Finding]
    _instances: dict[str, tuple[Instance, ...]] = field(default_factory=dict)
    _stage: dict[str, int | None] = field(default_factory=dict)

    def check(self) -> None:
        index = {stage: place for place, stage in enumerate(self.document.stages)}
        for name, job in self.document.jobs.items():
            self._instances[name] = self._expanded(name, job)
            for instance in self._instances[name]:
                is_known = name not in self.document.partial and self._has_stage(name)
                self._stage[instance.name] = index.get(job["stage"]) if is_known else None
        needs: dict[str, list[str]] = {}
        for name, job in self.document.jobs.items():
            self._check_stage(name, job)
            self._check_dependencies(name, job)
            for instance, wanted in self._needs_of(name, job):
                needs[instance.name] = [need.name for need in wanted]
            self._check_rules_needs(name, job)
            self._check_trigger(name, job)
            self._check_on_stop(name, job)
        self._check_circles(needs)
        self._check_variables()

    def _report(self, job: str, at: Position, rule: str, message: str, hint: str) -> None:
        self.findings.append(Finding(at.file, at.line, job, rule, message, hint))

    def _expanded(self, name: str, job: Mapping[str, Any]) -> tuple[Instance, ...]:
        """A job with `parallel` goes by the names of its instances only."""
        parallel = job.get("parallel")
        if isinstance(parallel, Map) and not any(True for _ in _rows(parallel)):
            return ()
        return instances(name, parallel)

    def _check_stage(self, name: str, job: Map) -> None:
        stage, stages = job["stage"], self.document.stages
        if is_string(stage) and stage not in stages and not self._maybe_outside():
            known = ", ".join(stages)
            self._report(
                name,
                job.where("stage"),
                "unknown-stage",
                f"chosen stage {stage} does not exist; available stages are {known}",
                f"add {stage!r} to `stages`, or choose one of them",
            )

    def _maybe_outside(self) -> bool:
        """Names may come from an include that only GitLab can read."""
        return bool(self.document.outside)

    def _has_stage(self, name: str) -> bool:
        """Whether the stage, its own or the default, is that of no unread include."""
        written = self.document.root.get(name)
        return not self._maybe_outside() or (isinstance(written, Map) and "stage" in written)

    def _check_dependency(self, job: str, name: str, need: Need, kind: str) -> None:
        """`name` is the job's own, expanded; `need` what it names."""
        if need.name not in self._stage:
            if not need.optional and not self._maybe_outside():
                self._report(
                    job,
                    need.at,
                    f"unknown-{kind}",
                    f"undefined {kind}: {need.name}",
                    self._unknown_hint(need.name),
                )
            return
        if kind == "need" and len(need.name) > MAX_NAME:
            self._report(
                job,
                need.at,
                "bad-name",
                f"the needed name is too long (maximum is {MAX_NAME} characters)",
                "shorten the job's name or its matrix values",
            )
        own, its = self._stage.get(name), self._stage[need.name]
        unknown = self._maybe_outside() and (its is None or "stages" not in self.document.root)
        if own is not None and not unknown and (its is None or its > own):
            self._report(
                job,
                need.at,
                f"later-{kind}",
                f"{kind} {need.name} is not defined in current or prior stages",
                f"move {need.name!r} to an earlier stage, or this job to a later one",
            )

    def _unknown_hint(self, name: str) -> str:
        if name in self._instances:
            return f"{name!r} has `parallel`: name one of its jobs in full, or it without parallel"
        return "name a job of this pipeline, or say `optional: true` when it may be missing"

    def _expand_name(self, name: str) -> Iterable[str]:
        found = self._instances.get(name)
        return [name] if found is None else [instance.name for instance in found]

    def _check_dependencies(self, name: str, job: Map) -> None:
        named = job.get("dependencies")
        at = job.where("dependencies")
        own = self._first_name(name)
        for word in named if isinstance(named, Seq) else ():
            for full in self._expand_name(str(word)):
                self._check_dependency(name, own, Need(full, False, at), "dependency")

    def _first_name(self, name: str) -> str:
        return next(iter(self._expand_name(name)), name)

    def _needs_of(self, name: str, job: Map) -> Iterator[tuple[Instance, list[Need]]]:
        """The needs of each instance of a job, checked."""
        if job.get("needs") is None:
            return
        raw = list(_job_needs(job["needs"], job.where("needs")))
        reported: set[str] = set()
        for instance in self._instances[name]:
            wanted = [
                need
                for item, at in raw
                for need in self._expand_need(interpolated(item, instance.variables), at)
            ]
            yield instance, wanted
            own = "".join(sorted(need.name for need in wanted))
            if own in reported:
                continue  # the next instance of a matrix says the same again
            reported.add(own)
            for need in wanted:
                self._check_dependency(name, instance.name, need, "need")
            self._check_counted(name, job.where("needs"), wanted)

    def _expand_need(self, item: Any, at: Position) -> Iterator[Need]:
        if not isinstance(item, Map):
            yield from (Need(full, False, at) for full in self._expand_name(item))
            return
        word, optional = str(item["job"]), item.get("optional") is True
        needed = self.document.jobs.get(word)
        is_parallel = needed is not None and needed.get("parallel") is not None
        if is_parallel and isinstance(item.get("parallel"), Map):
            chosen = self._expanded(word, item)
            yield from (Need(instance.name, optional, at) for instance in chosen)
            return
        yield from (Need(full, optional, at) for full in self._expand_name(word))

    def _check_counted(self, name: str, at: Position, wanted: list[Need]) -> None:
        counted = Counter(need.name for need in wanted)
        if doubled := [word for word, count in counted.items() if count > 1]:
            words = ", ".join(doubled)
            self._report(
                name,
                at,
                "duplicate-need",
                f"has the following needs duplicated: {words}",
                "name each need once",
            )
        elif len(wanted) > MAX_NEEDS:
            self._report(
                name,
                at,
                "too-many-needs",
                f"one job can only need {MAX_NEEDS} others, but you have listed {len(wanted)}",
                "gather them in a job between, or leave `needs` out and use stages; each job of a "
                "matrix counts",
            )

    def _check_rules_needs(self, name: str, job: Map) -> None:
        """Needs in rules name jobs as they are: a matrix is not expanded there."""
        rules = job.get("rules")
        for rule in rules if isinstance(rules, Seq) else ():
            if not isinstance(rule, Map) or rule.get("needs") is None:
                continue
            wanted = [
                Need(*_named(item), at)
                for item, at in _job_needs(rule["needs"], rule.where("needs"))
            ]
            for need in wanted:
                self._check_dependency(name, self._first_name(name), need, "need")
            self._check_counted(name, rule.where("needs"), wanted)

    def _check_trigger(self, name: str, job: Map) -> None:
        trigger = job.get("trigger")
        include = trigger.get("include") if isinstance(trigger, Map) else None
        for item in include if isinstance(include, Seq) else ():
            if isinstance(item, Map) and is_string(item.get("job")):
                need = Need(item["job"], False, item.where("job"))
                self._check_dependency(name, self._first_name(name), need, "dependency")

    def _check_on_stop(self, name: str, job: Map) -> None:
        environment = job.get("environment")
        stop = environment.get("on_stop") if isinstance(environment, Map) else None
        if stop is None or not isinstance(environment, Map) or self._maybe_outside():
            return
        at = environment.where("on_stop")

        def report(problem: str, hint: str) -> None:
            self._report(name, at, "bad-on-stop", f"on_stop job {stop} {problem}", hint)

        if stop not in self._stage:
            report("is not defined", "name a job without `parallel` that stops it")
            return
        found = self.document.jobs[stop].get("environment") if stop in self.document.jobs else None
        if found is None:
            report("does not have environment defined", "give it the same `environment: name`")
            return
        its = found if isinstance(found, Map) else {"name": found}
        if its.get("name") != environment.get("name"):
            report("has a different environment name", "give both the same `environment: name`")
        elif its.get("action") != "stop":
            report("needs to have action stop defined", "write `action: stop` in its environment")

    def _check_circles(self, needs: Mapping[str, list[str]]) -> None:
        if found := circle(needs):
            words = " -> ".join(found)
            name = next(
                job
                for job, expanded in self._instances.items()
                if any(instance.name == found[0] for instance in expanded)
            )
            self._report(
                name,
                self.document.where(name, "needs"),
                "needs-circle",
                f"the jobs need each other in a circle: {words}",
                "remove one of these needs",
            )

    def _check_variables(self) -> None:
        """GitLab looks at the variables of each job: those at the top that it inherits, and its."""
        top = self.document.variables
        top_circle = names_each_other(top)
        for name, job in self.document.jobs.items():
            own = job.get("variables")
            own = own if isinstance(own, Map) else {}
            inherited = _inherited(top, job.get("inherit"))
            found = (
                names_each_other({**inherited, **own})
                if own or inherited is not top
                else top_circle
            )
            if found and not any(variable in own for variable in found):
                at = self.document.root["variables"].where(found[0])
                self._say_circle(None, at, found)  # the same for all jobs, so said once
            elif found:
                self._say_circle(name, job.where("variables"), found)

    def _say_circle(self, job: str | None, at: Position, found: list[str]) -> None:
        words = " -> ".join(found)
        self.findings.append(
            Finding(
                at.file,
                at.line,
                job,
                "variables-circle",
                f"circular variable reference detected: {words}",
                "let one of them name no other, or set `expand: false`",
            )
        )


def _inherited(top: Mapping[str, Any], inherit: Any) -> Mapping[str, Any]:
    wanted = inherit.get("variables") if isinstance(inherit, Map) else None
    if wanted is False:
        return {}
    if isinstance(wanted, Seq):
        return {key: value for key, value in top.items() if key in wanted}
    return top


def _rows(parallel: Map) -> Iterator[Any]:
    matrix = parallel.get("matrix")
    if not isinstance(matrix, Seq):
        return
    for row in matrix:
        if isinstance(row, Map) and all(value != [] for value in row.values()):
            yield row


def _job_needs(needs: Any, at: Position) -> Iterator[tuple[Any, Position]]:
    """The needs that name jobs of this pipeline, each with its place."""
    if isinstance(needs, Seq):
        for index, item in enumerate(needs):
            if isinstance(item, Seq):
                yield from _job_needs(item, needs.where(index))
            elif is_job_need(item):
                yield item, needs.where(index)
    elif is_job_need(needs):
        yield needs, at


def _named(item: Any) -> tuple[str, bool]:
    if isinstance(item, Map):
        return str(item["job"]), item.get("optional") is True
    return item, False
