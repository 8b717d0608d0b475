"""The report of a study as a picture; every field says in words what its colour says."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from labkit.cuts.outcome import Outcome
from labkit.cuts.study import Report
from labkit.cuts.table import MARKS, cell, columns, label

ROW, COLUMN, LEFT, TOP = 22, 118, 10, 56
FILLS: dict[Outcome, str] = {
    "held": "#1a7f37",
    "violated": "#cf222e",
    "not ended": "#9a6700",
    "not reached": "#6e7781",
    "no answer": "#9a6700",
    "no lab": "#9a6700",
}


def picture(report: Report) -> str:
    """Return an SVG that works in light and dark, and on its own."""
    victims = columns(report.cuts)
    points = list({c.point.number: c.point for c in report.cuts}.values())
    names = [label(p) for p in points]
    first = LEFT + max((len(n) for n in names), default=10) * 7 + 12
    width, height = first + COLUMN * len(victims) + LEFT, TOP + ROW * len(points) + 34
    title = f"{len(report.results)} cuts: " + ", ".join(
        f"{n} {o}" for o in MARKS if (n := sum(r.outcome == o for r in report.results.values()))
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
            f' width="{width}" height="{height}" font-family="sans-serif" font-size="12"'
            f' fill="currentColor"><title>{escape(title)}</title>',
            f'<text x="{LEFT}" y="20" font-size="14">{escape(title)}</text>',
            *(
                f'<text x="{first + i * COLUMN}" y="{TOP - 12}">{escape(v)}</text>'
                for i, v in enumerate(victims)
            ),
            *_rows(report, first, victims),
            f'<text x="{LEFT}" y="{height - 10}">uncut: {escape(report.uncut.outcome)},'
            f" {report.uncut.seconds:.1f} s; the seconds are from the cut to the end</text>",
            "</svg>",
        ]
    )


def _rows(report: Report, first: int, victims: list[str]) -> Iterator[str]:
    points = {c.point.number: c.point for c in report.cuts}
    for row, point in enumerate(points.values()):
        y = TOP + row * ROW
        yield f'<text x="{LEFT}" y="{y + 15}">{escape(label(point))}</text>'
        for column, victim in enumerate(victims):
            x, said = first + column * COLUMN, cell(report, point, victim)
            outcome = next((o for o, mark in MARKS.items() if said.startswith(mark)), None)
            if outcome:
                yield (
                    f'<rect x="{x - 4}" y="{y + 1}" width="{COLUMN - 6}" height="{ROW - 3}" rx="3"'
                    f' fill="none" stroke="{FILLS[outcome]}" stroke-width="2"/>'
                )
            yield f'<text x="{x}" y="{y + 15}">{escape(said)}</text>'
