"""Which jobs GitLab creates for an event, and why it leaves the others out.

Source: GitLab's lib/gitlab/ci/pipeline/chain and lib/gitlab/ci/pipeline/seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ciforge.gitlab_ci.document import Document
from ciforge.gitlab_ci.durations import seconds
from ciforge.gitlab_ci.limits import MAX_NEEDS
from ciforge.gitlab_ci.matrix import Instance, instances
from ciforge.simulate import rules
from ciforge.simulate.model import EDGES, Event, Job, LeftOut, Pipeline, Status
from ciforge.simulate.needs import Expanded, needs_of
from ciforge.simulate.policy import DEFAULT_ONLY, refused_by, specification
from ciforge.simulate.variables import circles, declared, expand, inherited, raw, visible


def create(document: Document, event: Event, *, needs_limit: int = MAX_NEEDS) -> Pipeline:
    """The pipeline that `document` makes of `event`; a document that the lint refuses has none.

    `needs_limit`: the most jobs that one may need.
    """
    return _Creation(document, event, needs_limit).run()


class _Creation:
    def __init__(self, document: Document, event: Event, needs_limit: int) -> None:
        self._document = document
        self._event = event
        self._needs_limit = needs_limit
        self._workflow: Mapping[str, Any] = document.workflow or {}
        self._root = declared(document.variables)
        self._raw = raw(document.variables)
        self._expanded: Expanded = {
            name: found
            for name, job in document.jobs.items()
            if job.get("parallel") and (found := instances(name, job["parallel"]))[0].name != name
        }
        self._left_out: list[LeftOut] = []

    def run(self) -> Pipeline:
        given = self._event.variables
        outcome = rules.evaluate(
            self._workflow.get("rules"), self._event, visible(given, self._root), "always"
        )
        if not outcome.passes:
            return Pipeline("no_pipeline_workflow", reason=f"workflow: {outcome.why}")
        self._root |= declared(outcome.attributes.get("variables"))
        jobs = list(self._jobs())
        auto_cancel = outcome.attributes.get("auto_cancel") or self._workflow.get("auto_cancel")
        errors = tuple(self._errors(jobs))
        status: Status = "error" if errors else "created"
        reason = ""
        if not errors and all(job.stage in EDGES for job in jobs):
            status = "empty"
            reason = "only jobs of .pre and .post are left" if jobs else "no job is left"
        return Pipeline(
            status,
            stages=tuple(dict.fromkeys(self._document.stages)),
            jobs=tuple(jobs),
            left_out=tuple(self._left_out),
            errors=errors,
            reason=reason,
            variables=visible(given, self._root),
            auto_cancel=auto_cancel if isinstance(auto_cancel, Mapping) else {},
        )

    def _jobs(self) -> Iterator[Job]:
        """The jobs stage by stage, within one as they stand in the file."""
        for stage in dict.fromkeys(self._document.stages):
            for name, job in self._document.jobs.items():
                if str(job.get("stage")) != stage:
                    continue
                for instance in self._expanded.get(name) or (Instance(name, {}),):
                    if created := self._job(name, job, stage, instance):
                        yield created

    def _job(self, base: str, job: Mapping[str, Any], stage: str, instance: Instance) -> Job | None:
        own = {**declared(job.get("variables")), **instance.variables}
        written = {**inherited(self._root, job.get("inherit")), **own}
        variables = self._seen(base, stage, instance, written)
        when = str(job.get("when") or "on_success")
        allow_failure = job.get("allow_failure")
        if allow_failure is None:
            allow_failure = when == "manual"
        attributes: Mapping[str, Any] = {}
        why = ""
        if job.get("rules") is not None:
            outcome = rules.evaluate(job["rules"], self._event, variables, when)
            if not outcome.passes:
                self._left_out.append(LeftOut(instance.name, stage, f"rules: {outcome.why}"))
                return None
            when, attributes, why = outcome.when, outcome.attributes, outcome.why
            if attributes.get("allow_failure") is not None:
                allow_failure = attributes["allow_failure"]
            written |= declared(attributes.get("variables"))
        elif refused := self._policy(job, variables):
            self._left_out.append(LeftOut(instance.name, stage, refused))
            return None
        needs = None
        if job.get("needs") is not None:
            needs = needs_of(job["needs"], self._expanded, instance.variables)
        if attributes.get("needs"):
            needs = needs_of(attributes["needs"], {}, {})
        trigger = job.get("trigger")
        group = job.get("resource_group")
        return Job(
            name=instance.name,
            base=base,
            stage=stage,
            when=when,
            needs=needs,
            # With exit codes only some failures are allowed.
            allow_failure=allow_failure is True,
            start_in=_delay(attributes, job) if when == "delayed" else 0,
            tags=tuple(expand(str(tag), variables) for tag in job.get("tags") or ()),
            resource_group=expand(str(group), variables) if group else None,
            is_trigger=trigger is not None,
            waits_for_child=isinstance(trigger, Mapping) and bool(trigger.get("strategy")),
            variables=written,
            rule=why,
        )

    def _seen(
        self, base: str, stage: str, instance: Instance, written: Mapping[str, str]
    ) -> dict[str, str]:
        """The variables that the rules of one job see; GitLab's own of a job come first."""
        own = {"CI_JOB_NAME": instance.name, "CI_JOB_STAGE": stage}
        several = self._expanded.get(base)
        if several:
            own["CI_NODE_INDEX"] = str(several.index(instance) + 1)
            own["CI_NODE_TOTAL"] = str(len(several))
        return own | visible(self._event.variables, written)

    def _policy(self, job: Mapping[str, Any], variables: Mapping[str, str]) -> str | None:
        """Why `only` and `except` refuse a job. Rules of any kind switch their defaults off."""
        has_default = "rules" not in job and "rules" not in self._workflow
        is_written = job.get("only") is not None
        only = specification(job.get("only"), DEFAULT_ONLY if is_written or has_default else {})
        if not is_written and only and self._event.is_merge_request:
            return "no rules: by default only for branches and tags, and this is a merge request"
        return refused_by(only, specification(job.get("except"), {}), self._event, variables)

    def _errors(self, jobs: list[Job]) -> Iterator[str]:
        """Why GitLab refuses the pipeline as a whole, in its words."""
        order = {stage: i for i, stage in enumerate(dict.fromkeys(self._document.stages))}
        stages = {job.name: order[job.stage] for job in jobs}
        for job in jobs:
            written = self._static_needs(job)
            if len(written) > self._needs_limit:
                yield (
                    f"{job.name}: one job can only need {self._needs_limit} others, but you have "
                    f"listed {len(written)}. See needs keyword documentation for more details"
                )
                written = ()
            for need in written:
                if not need.optional and stages.get(need.job, len(order)) > order[job.stage]:
                    yield (
                        f"'{job.name}' job needs '{need.job}' job, but '{need.job}' does not exist "
                        "in the pipeline. This might be because of the only, except, or rules "
                        "keywords. To need a job that sometimes does not exist in the pipeline, "
                        "use needs:optional."
                    )
            unexpanded = self._raw | raw(self._document.jobs[job.base].get("variables"))
            if found := circles(visible(self._event.variables, job.variables), unexpanded):
                groups = ", ".join(map(_listed, found))
                yield f"{job.name}: circular variable reference detected: {groups}"

    def _static_needs(self, job: Job) -> tuple[Any, ...]:
        """The needs that GitLab checks: those of the job itself, never those of its rules."""
        section = self._document.jobs[job.base].get("needs")
        if section is None:
            return ()
        several = self._expanded.get(job.base, ())
        values = next((i.variables for i in several if i.name == job.name), {})
        return needs_of(section, self._expanded, values)


def _delay(rule: Mapping[str, Any], job: Mapping[str, Any]) -> float:
    return seconds(str(rule.get("start_in") or job.get("start_in"))) or 0


def _listed(names: list[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"
