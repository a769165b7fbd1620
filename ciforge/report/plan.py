"""A plan as text, Markdown and Mermaid. Reads the plan alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ciforge.plan.model import Plan, ServicePlan
from ciforge.report.graph import mermaid_text
from ciforge.text import escape

Style = Callable[[str, str], str]
"""`style(text, name)` colours text, or gives it back."""

_COLOURS = {"build": "yellow", "reuse": "green", "unaffected": "dim"}


def _short(commit: str | None) -> str:
    return commit[:8] if commit else "everything"


def headline(plan: Plan) -> str:
    counts = plan.counts
    total = len(plan.services)
    return (
        f"{total} service{'' if total == 1 else 's'}: {counts.build} to build, "
        f"{counts.reuse} reused, {counts.unaffected} unaffected"
    )


def _rule(plan: Plan) -> str:
    return f"rule: {plan.base.rule}"


def _head(plan: Plan) -> str:
    head = plan.head
    where = f" on {head.ref}" if head.ref else " (detached head)"
    files = f" + {head.uncommitted} uncommitted" if head.uncommitted else ""
    return f"{_short(head.commit) if head.commit else 'no commit'}{files}{where}"


def action_of(service: ServicePlan) -> str:
    return (
        f"{service.action}, assumed"
        if service.assumed and service.action == "reuse"
        else service.action
    )


def why(service: ServicePlan) -> str:
    """The reason, and the way through the graph where it says more than the reason."""
    chain = [] if service.action == "unaffected" else service.chain
    if chain and service.reason.startswith(f"{chain[0]} "):
        chain = chain[1:]  # the reason names the change itself
    return f"{service.reason}  [{' → '.join(chain)}]" if len(chain) > 1 else service.reason


def as_text(plan: Plan, style: Style, *, details: bool = False) -> Iterator[str]:
    """For a terminal; `details`: how each service was recognised and which inputs changed."""
    yield style(headline(plan), "bold")
    yield f"  base      {_short(plan.base.commit)}, {escape(plan.base.reason)} ({_rule(plan)})"
    yield f"  head      {escape(_head(plan))}"
    if plan.graph is not None and plan.graph.reason is not None:
        yield f"  graph     {escape(plan.graph.reason)}"
    yield f"  registry  {escape(_registry(plan))}"
    if plan.services:
        yield ""
        yield from _table(plan, style)
    yield ""
    yield from _followups(plan, escape)
    if details:
        for service in plan.services:
            yield ""
            yield from _details(service, style)
    for warning in plan.warnings:
        yield ""
        yield f"{style('warning:', 'yellow')} {escape(warning)}"


def _registry(plan: Plan) -> str:
    registry = plan.registry
    name = "/".join(p for p in (registry.host, registry.prefix) if p)
    if registry.asked:
        return f"{name}: {registry.reason}"
    note = "images with the base's inputs are assumed to exist"
    return f"{f'{name}: ' if name else ''}{registry.reason}; {note}"


def _table(plan: Plan, style: Style) -> Iterator[str]:
    order = {"build": 0, "reuse": 1, "unaffected": 2}
    services = sorted(plan.services, key=lambda s: (order[s.action], s.name))
    rows = [(escape(s.name), action_of(s), escape(why(s))) for s in services]
    widths = [max(len(row[i]) for row in [*rows, _TITLES]) for i in (0, 1)]
    yield style(f"  {_TITLES[0]:{widths[0]}}  {_TITLES[1]:{widths[1]}}  {_TITLES[2]}", "dim")
    for service, (name, action, reason) in zip(services, rows, strict=True):
        coloured = style(f"{action:{widths[1]}}", _COLOURS[service.action])
        gpu = "  (GPU)" if service.gpu else ""
        yield f"  {name:{widths[0]}}  {coloured}  {reason}{gpu}"


_TITLES = ("SERVICE", "ACTION", "WHY")


def _details(service: ServicePlan, style: Style) -> Iterator[str]:
    yield style(escape(service.name), "bold")
    yield f"  recognised  {service.kind}: {escape(service.recognised)}"
    yield f"  image       {escape(service.image)}{f':{service.tag}' if service.tag else ''}"
    yield f"  inputs      {service.digest}"
    signs = {"added": "+", "removed": "-", "changed": "~"}
    for change in service.input_changes:
        yield f"    {signs[change.change]} {change.kind}  {escape(change.name)}"
    more = service.input_changes_total - len(service.input_changes)
    if more:
        yield f"    … and {more} more: ciforge digest {escape(service.name)} --against REV"


def names_of(names: Sequence[str], limit: int = 5) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _followups(plan: Plan, told: Callable[[str], str]) -> Iterator[str]:
    for suite in plan.smoke:
        tags = ", ".join(suite.runner_tags) if suite.run else ""
        where = f"  (runner tags: {told(tags)})" if tags else ""
        verdict = "run" if suite.run else "skip"
        yield f"  smoke     {told(suite.suite)}: {verdict}, {told(suite.reason)}{where}"
    for deploy in plan.deploys:
        if not deploy.run:
            yield f"  deploy    {told(deploy.environment)}: skip, {told(deploy.reason)}"
            continue
        gate = f" after green {', '.join(deploy.needs)}" if deploy.needs else ""
        start = "at once" if deploy.when == "auto" else "on a click"
        yield (
            f"  deploy    {told(deploy.environment)}: {start}{told(gate)}, "
            f"{told(names_of(deploy.services))}"
        )
    if len(plan.levels) > 1:
        steps = " → ".join(", ".join(level) for level in plan.levels)
        yield f"  order     {told(steps)}"


def as_markdown(plan: Plan) -> Iterator[str]:
    """For a merge-request note: the table, the base and its rule on top."""
    yield f"### ciforge: {headline(plan)}"
    yield ""
    reason = markdown_text(plan.base.reason)
    yield f"Base `{_short(plan.base.commit)}`: {reason} ({_rule(plan)})  "
    yield f"Head {markdown_text(_head(plan))}  "
    if plan.graph is not None and plan.graph.reason is not None:
        yield f"Graph: {markdown_text(plan.graph.reason)}  "
    yield f"Registry: {markdown_text(_registry(plan))}"
    yield ""
    if plan.services:
        yield "| Service | Action | Why |"
        yield "|---|---|---|"
        for service in plan.services:
            cells = (service.name, action_of(service), why(service))
            yield f"| {' | '.join(map(markdown_text, cells))} |"
        yield ""
    for line in _followups(plan, markdown_text):
        kind, _, rest = line.strip().partition(" ")
        yield f"- **{kind}** {rest.strip()}"
    for warning in plan.warnings:
        yield ""
        yield f"> :warning: {markdown_text(warning)}"


def markdown_text(text: str) -> str:
    """Text that stands in a table cell of GitLab's Markdown and stays text."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#~$@" else c for c in escape(text))


def as_mermaid(plan: Plan) -> Iterator[str]:
    """From the change through the build to smoke and deploy, as a flowchart."""
    yield "flowchart LR"
    base = f"{_short(plan.base.commit)} → {_short(plan.head.commit) if plan.head.commit else '?'}"
    yield f'  change["{mermaid_text(base)}"]'
    for index, service in enumerate(plan.services):
        label = f"{mermaid_text(service.name)}<br/>{mermaid_text(action_of(service))}"
        yield f'  s{index}["{label}"]:::{service.action}'
        if service.changed:
            yield f"  change --> s{index}"
    names = [service.name for service in plan.services]
    for index, suite in enumerate(plan.smoke):
        if suite.run:
            yield f'  t{index}{{{{"smoke {mermaid_text(suite.suite)}"}}}}'
            for name in _changed_of(plan, suite.services):
                yield f"  s{names.index(name)} --> t{index}"
    for index, deploy in enumerate(plan.deploys):
        if deploy.run:
            yield f'  d{index}(["deploy {mermaid_text(deploy.environment)}"])'
            for number, suite in enumerate(plan.smoke):
                if suite.run:
                    yield f"  t{number} --> d{index}"
    yield "  classDef build fill:#fde68a,stroke:#b45309,color:#111"
    yield "  classDef reuse fill:#bbf7d0,stroke:#15803d,color:#111"
    yield "  classDef unaffected fill:#f3f4f6,stroke:#9ca3af,color:#111"


def _changed_of(plan: Plan, names: Sequence[str]) -> list[str]:
    return [s.name for s in plan.services if s.changed and s.name in names]
