"""What the measurements say, for a person."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.affected import NX, NX_PLAIN, OURS, OURS_DATA, Affected
from benchmarks.measure import Runs, ratio
from benchmarks.pipeline import Generated
from benchmarks.plan import Planned
from benchmarks.smoke import BUDGET_SECONDS, BUDGET_SHARE, Smokes
from benchmarks.stations import (
    CHANGED_BUDGET,
    PLAIN,
    UNCHANGED_BUDGET,
    Stations,
)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns, aligned to the right."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        return "  " + "  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True))

    return [line(header), "  " + "  ".join("─" * w for w in widths), *map(line, rows)]


def affected_lines(results: Sequence[Affected]) -> list[str]:
    header = (
        "projects", "affected", "ciforge", "workspace-data", "nx", "nx, not isolated", "ratio",
        "of CPU", "aim", "MiB ciforge", "MiB nx",
    )  # fmt: skip
    rows = []
    for result in results:
        better = result.better_nx
        rows.append(
            [
                f"{result.projects:,}",
                f"{result.affected:,}",
                *(_seconds(result.runs.get(name)) for name in (OURS, OURS_DATA, NX, NX_PLAIN)),
                _times(result.ratio),
                _times(result.cpu_ratio),
                _aim(result),
                f"{result.runs[OURS].peak_mib:.0f}",
                f"{better.peak_mib:.0f}" if better else "–",
            ]
        )
    compared = all(result.better_nx for result in results)
    check = "the answers are Nx's" if compared else "there is no Nx to check the answers"
    lines = [f"affected: medians of whole processes, warm; {check}", ""]
    lines += table(header, rows)
    return lines + _growth([(r.projects, r.runs[OURS]) for r in results])


def plan_lines(results: Sequence[Planned]) -> list[str]:
    header = (
        "projects", "files", "services", "change", "build", "ciforge", "CPU", "budget", "MiB",
    )  # fmt: skip
    rows = []
    for result in results:
        for change, runs in result.runs.items():
            verdict = "met" if runs.median <= result.budget else "over"
            rows.append(
                [
                    f"{result.projects:,}",
                    f"{result.files:,}",
                    f"{result.services:,}",
                    change,
                    f"{result.actions[change].get('build', 0):,}",
                    _seconds(runs),
                    f"{runs.cpu:.2f} s",
                    f"{result.budget:.1f} s {verdict}",
                    f"{runs.peak_mib:.0f}",
                ]
            )
    lines = ["plan: medians of whole processes, all digests on both sides of the change", ""]
    lines += table(header, rows)
    for result in results:
        told = f"to prove that a cached graph holds, at {result.projects:,} projects"
        lines += ["", f"  {told}: {result.proof:.2f}x a plan with --graph"]
        lines += [
            f"  to keep one, of {result.files:,} files, for the first time: {result.kept:.1f} s"
        ]
    for change in results[0].runs if results else ():
        lines += _growth([(r.projects, r.runs[change]) for r in results], f" ({change})")
    return lines


def pipeline_lines(results: Sequence[Generated]) -> list[str]:
    header = ("services", "build jobs", "bytes", "command", "time", "CPU", "budget", "MiB")
    rows = []
    for result in results:
        for name, runs in result.runs.items():
            budget = result.budgets[name]
            rows.append(
                [
                    f"{result.services:,}",
                    result.jobs,
                    f"{result.size:,}",
                    name,
                    _seconds(runs),
                    f"{runs.cpu:.2f} s",
                    f"{budget:.1f} s {'met' if runs.median <= budget else 'over'}",
                    f"{runs.peak_mib:.0f}",
                ]
            )
    told = "pipeline: medians of whole processes, every service affected, the graph handed over"
    return [told, "", *table(header, rows)]


def stations_lines(result: Stations) -> list[str]:
    header = ("change", "built", "ciforge", "docker", "of docker", "budget")
    same, one = result.unchanged, result.changed
    rows = [
        [
            "none",
            f"0 of {result.services}",
            _seconds(same[OURS]),
            _seconds(same[PLAIN]),
            f"{ratio(same[OURS], same[PLAIN]):.2f}x",
            f"{UNCHANGED_BUDGET:.0f} s {'met' if result.unchanged_met else 'over'}",
        ],
        [
            "one source",
            f"1 of {result.services}",
            _seconds(one[OURS]),
            _seconds(one[PLAIN]),
            f"{result.changed_ratio:.2f}x",
            f"{CHANGED_BUDGET}x {'met' if result.changed_met else 'over'}",
        ],
    ]
    told = "build: medians of whole processes, warm, beside docker buildx build --load"
    return [told, "", *table(header, rows), "", *_smoke_lines(result.smoke)]


def _smoke_lines(smokes: Smokes) -> list[str]:
    parts = ("before", "healthy", "asking", "cleaning", "overhead")
    row = [*(f"{smokes.median(part):.2f} s" for part in parts)]
    row.append(f"{BUDGET_SHARE:.0%} or {BUDGET_SECONDS:g} s {'met' if smokes.met else 'over'}")
    told = "smoke: beyond the slowest container's health (before the first one, and asking)"
    return [told, "", *table((*parts, "budget"), [row])]


def _seconds(runs: Runs | None) -> str:
    return "–" if runs is None else f"{runs.median:.2f} s"


def _times(factor: float | None) -> str:
    return "–" if factor is None else f"{factor:.1f}x"


def _aim(result: Affected) -> str:
    if result.aim is None or result.ratio is None:
        return "–"
    return f"{result.aim:.0f}x {'met' if result.ratio >= result.aim else 'missed'}"


def _growth(figures: Sequence[tuple[int, Runs]], what: str = "") -> list[str]:
    """How time grows beside the size, by CPU time, from the second smallest size where there
    are many: below it the interpreter's start is most of the figure."""
    counted = figures[1:] if len(figures) > 2 else figures
    if len(counted) < 2:
        return []
    (small, first), (large, last) = counted[0], counted[-1]
    factor = last.cpu / first.cpu
    verdict = "no worse than linear" if factor <= large / small * 1.05 else "worse than linear"
    growth = f"from {small:,} to {large:,} projects: {large / small:.0f}x the size"
    return ["", f"  growth{what} {growth}, {factor:.1f}x the CPU time: {verdict}"]
