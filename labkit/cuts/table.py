"""The report of a study as a table: events × victims."""

from __future__ import annotations

from collections.abc import Sequence

from labkit.cuts.outcome import MEANINGS, Outcome, Result
from labkit.cuts.plan import RAISES, VICTIMS, Cut, Point
from labkit.cuts.study import Report
from labkit.notebook.texts import Text

MARKS: dict[Outcome, str] = {
    "held": "✓",
    "violated": "✗ violated",
    "not ended": "… not ended",
    "not reached": "- not reached",
    "no answer": "? no answer",
    "no lab": "! no lab",
}
NONE, OPEN = "·", "not played"


def table(report: Report) -> Text:
    """Return the report as text: a table, a count of each outcome, and the words of bad results."""
    victims = columns(report.cuts)
    rows = [["event", *victims]]
    points = {c.point.number: c.point for c in report.cuts}
    for point in points.values():
        rows.append([label(point), *(cell(report, point, v) for v in victims)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)) for row in rows]
    lines = [line.rstrip() for line in lines] if report.cuts else []
    return Text("\n".join([*lines, "", *summary(report)]).lstrip("\n"))


def summary(report: Report) -> list[str]:
    """Return the lines beneath the table."""
    uncut = report.uncut
    lines = [f"uncut: {uncut.outcome}, {uncut.status or 'no status'}, {uncut.seconds:.1f} s"]
    if uncut.is_bad:
        lines[0] += ", so nothing was cut"
    counts = {o: sum(r.outcome == o for r in report.results.values()) for o in MEANINGS}
    lines += [f"{n} {outcome}: {MEANINGS[outcome]}" for outcome, n in counts.items() if n]
    if left := len(report.cuts) - len(report.results):
        lines.append(f"{left} {OPEN}")
    for result in report.bad:
        lines.append(f"{result.cut}: {result.outcome}: {result.words}")
        if result.folder:
            lines.append(f"    logs, ledgers and mails: {result.folder}")
    return lines


def columns(cuts: Sequence[Cut]) -> list[str]:
    """Return the victims of the cuts, the narrowest first."""
    hit = {c.victim for c in cuts}
    return [v for v in (*VICTIMS, *RAISES) if v in hit]


def label(point: Point) -> str:
    """Return what a row is called."""
    return f"{point.number:02} {point.app_id}: {point}"


def cell(report: Report, point: Point, victim: str) -> str:
    """Return what stands in a field: the outcome, and for a good one its seconds."""
    cut = next((c for c in report.cuts if (c.point, c.victim) == (point, victim)), None)
    if cut is None:
        return NONE
    result = report.results.get(cut.name)
    return OPEN if result is None else field(result)


def field(result: Result) -> str:
    """Return a result in a few words."""
    mark = MARKS[result.outcome]
    return f"{mark} {result.seconds:.1f} s" if result.outcome == "held" else mark
