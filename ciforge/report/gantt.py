"""A simulated pipeline as one HTML page: a Gantt picture, and everything in it as tables.

The page needs nothing from elsewhere: no script, no font, no stylesheet, no image.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence

from ciforge.report.simulation import Simulation, clock, headline
from ciforge.simulate.schedule import Slot
from ciforge.text import escape, shorten

_LABELS = 260
_CHART = 900
_ROW = 22
_AXIS = 26
_LONGEST_LABEL = 38
_TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_COLOURS = 8
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2128; --soft: #667080; --line: #d5dae1;
  --page: #ffffff; --late: #c62828; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #98a2b0;
  --line: #3a414c; --page: #15181d; --late: #ff8a80; } }
body { margin: 2rem auto; max-width: 75rem; padding: 0 1rem; background: var(--page);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
p.no { color: var(--late); } dt { color: var(--soft); } dd { margin: 0 0 .5rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; } th { text-align: left; color: var(--soft); }
th, td { padding: .2rem 1rem .2rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; }
td.n { font-variant-numeric: tabular-nums; white-space: nowrap; }
svg { font: 12px system-ui, sans-serif; fill: var(--ink); }
svg .grid { stroke: var(--line); } svg .soft { fill: var(--soft); }
svg .queue { stroke: var(--soft); stroke-dasharray: 2 3; }
svg .late { stroke: var(--late); stroke-width: 2; }
.s0 { fill: #4c78a8; } .s1 { fill: #f58518; } .s2 { fill: #54a24b; } .s3 { fill: #b279a2; }
.s4 { fill: #72b7b2; } .s5 { fill: #d4a72c; } .s6 { fill: #9d755d; } .s7 { fill: #8a93a0; }
"""


def as_html(simulation: Simulation) -> str:
    """The whole page."""
    title = f"{shorten(escape(simulation.file))}: simulated pipeline"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            f"<title>{_text(title)}</title>",
            f"<style>{_STYLE}</style></head><body>",
            f"<h1>{_text(title)}</h1>",
            *_summary(simulation),
            *(_picture(simulation) if simulation.running else ()),
            *_tables(simulation),
            "</body></html>",
            "",
        ]
    )


def _text(text: object) -> str:
    return html.escape(escape(str(text)))


def _summary(simulation: Simulation) -> Iterator[str]:
    kind = "" if simulation.is_created else ' class="no"'
    yield f"<p{kind}>{_text(headline(simulation))}</p>"
    if simulation.pipeline.errors:
        yield "<ul>" + "".join(f"<li>{_text(e)}</li>" for e in simulation.pipeline.errors) + "</ul>"
    planned = simulation.planned
    facts = []
    if planned.critical_path:
        chain = " → ".join(planned.critical_path)
        facts.append(("Critical path", f"{clock(planned.critical_seconds)}: {chain}"))
    if simulation.queued:
        facts.append(("Waiting for a runner or a resource group", clock(simulation.queued)))
    if simulation.assumed:
        facts.append(("Duration unknown, 60 s assumed", ", ".join(simulation.assumed)))
    if facts:
        yield (
            "<dl>" + "".join(f"<dt>{_text(k)}</dt><dd>{_text(v)}</dd>" for k, v in facts) + "</dl>"
        )


def _picture(simulation: Simulation) -> Iterator[str]:
    slots = simulation.running
    total = max(simulation.planned.duration, 1.0)
    scale = _CHART / total
    height = _AXIS + _ROW * len(slots)
    width = _LABELS + _CHART + 70
    colours = {stage: f"s{i % _COLOURS}" for i, stage in enumerate(simulation.pipeline.stages)}
    critical = set(simulation.planned.critical_path)
    yield "<h2>When the jobs run</h2><div class=wide>"
    yield (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        'aria-label="Gantt chart of the jobs; the table below says the same">'
    )
    for at in _ticks(total):
        x = _number(_LABELS + at * scale)
        yield f'<line class="grid" x1="{x}" y1="{_AXIS - 6}" x2="{x}" y2="{height}"/>'
        yield f'<text class="soft" x="{x}" y="14" text-anchor="middle">{clock(at)}</text>'
    for row, slot in enumerate(slots):
        yield from _bar(slot, row, scale, colours[slot.job.stage], slot.job.name in critical)
    yield "</svg></div>"
    used = dict.fromkeys(slot.job.stage for slot in slots)
    legend = " ".join(
        f'<svg width="12" height="12"><rect class="{colours[stage]}" width="12" height="12"/>'
        f"</svg> {_text(stage)}&ensp;"
        for stage in used
    )
    yield f"<p>{legend} Outlined: the critical path. Dotted: ready, but nothing free.</p>"


def _bar(slot: Slot, row: int, scale: float, colour: str, is_critical: bool) -> Iterator[str]:
    start, end, ready = slot.start or 0.0, slot.end or 0.0, slot.ready or 0.0
    y = _AXIS + row * _ROW
    name = slot.job.name
    short = name if len(name) <= _LONGEST_LABEL else f"{name[: _LONGEST_LABEL - 1]}…"
    runner = f"runner {slot.runner}" if slot.runner else "GitLab itself"
    said = f"{name}: {clock(start)} to {clock(end)}, {runner}"
    yield f"<g><title>{_text(said)}</title>"
    yield f'<text x="{_LABELS - 10}" y="{y + 15}" text-anchor="end">{_text(short)}</text>'
    left = _number(_LABELS + start * scale)
    if start > ready:
        begin = _number(_LABELS + ready * scale)
        yield f'<line class="queue" x1="{begin}" y1="{y + 11}" x2="{left}" y2="{y + 11}"/>'
    width = _number(max((end - start) * scale, 2))
    kind = f"{colour} late" if is_critical else colour
    yield f'<rect class="{kind}" x="{left}" y="{y + 4}" width="{width}" height="14" rx="2"/>'
    beside = _number(_LABELS + end * scale + 6)
    yield f'<text class="soft" x="{beside}" y="{y + 15}">{clock(end - start)}</text></g>'


def _ticks(total: float) -> Iterator[int]:
    step = next((t for t in _TICKS if total / t <= 8), max(int(total // 8), 1))
    at = 0
    while at <= total:
        yield at
        at += step


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _tables(simulation: Simulation) -> Iterator[str]:
    if simulation.planned.slots:
        yield "<h2>Jobs</h2>"
        yield from _table(
            ("Job", "Stage", "When", "Start", "End", "Runner", "Because"),
            (_job(slot) for slot in simulation.planned.slots),
        )
    if simulation.pipeline.left_out:
        yield "<h2>Left out</h2>"
        yield from _table(
            ("Job", "Stage", "Because"),
            ((left.name, left.stage, left.reason) for left in simulation.pipeline.left_out),
        )


def _job(slot: Slot) -> Sequence[str]:
    job = slot.job
    when = f"{job.when}, may fail" if job.allow_failure else job.when
    if slot.start is None or slot.end is None:
        return (job.name, job.stage, when, slot.state, "", "", slot.why or job.rule)
    runner = slot.runner or "GitLab"
    return (job.name, job.stage, when, clock(slot.start), clock(slot.end), runner, job.rule)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "<div class=wide><table><thead><tr>"
    yield "".join(f"<th>{name}</th>" for name in head) + "</tr></thead><tbody>"
    for row in rows:
        yield (
            "<tr>"
            + "".join(
                f"<td{' class=n' if head[i] in ('Start', 'End') else ''}>{_text(cell)}</td>"
                for i, cell in enumerate(row)
            )
            + "</tr>"
        )
    yield "</tbody></table></div>"
