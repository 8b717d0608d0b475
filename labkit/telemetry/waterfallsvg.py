"""Draws the rows of a trace, in the colours and with the signs of the swimlane."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from html import escape
from typing import TYPE_CHECKING

from labkit.swimlane.layout import LEFT, RIGHT, WIDTH, nice_ticks
from labkit.swimlane.measure import width_of
from labkit.swimlane.style import BLUE, GREEN, HALO, INK, PAPER, RED, opened

if TYPE_CHECKING:
    from labkit.telemetry.waterfall import Row

HIGH, BAR, TOP, AXIS, STEP, THIN = 24.0, 14.0, 8.0, 28.0, 14.0, 3.0
MOST_OF_WIDTH = 0.55
"""Labels take no more than this share of the picture; bars need the rest."""


def drawn(rows: Sequence[Row], title: str, description: str) -> str:
    """Return the picture as SVG; ``description`` is its text for screen readers."""
    zero = min((r.start for r in rows), default=0.0)
    whole = max(max((r.end for r in rows), default=0.0) - zero, 0.001)
    left = min(max((_label_end(r) for r in rows), default=LEFT), WIDTH * MOST_OF_WIDTH)
    room, floor = WIDTH - RIGHT - left, TOP + HIGH * len(rows)
    ident = "t" + sha256(f"{title}{description}".encode()).hexdigest()[:10]
    body = [opened(ident, WIDTH, floor + AXIS, title, description)]
    body += _axis(left, room, whole, floor)
    for number, row in enumerate(rows):
        x = left + (row.start - zero) / whole * room
        width = max((row.end - row.start) / whole * room, THIN)
        body += _row(row, TOP + HIGH * number, min(x, left + room - width), width)
    return "".join(body) + "</svg>"


def _label(row: Row) -> str:
    return f"{row.name} · {row.span.service}"


def _label_end(row: Row) -> float:
    return LEFT + STEP * row.depth + width_of(_label(row)) + 12


def _row(row: Row, y: float, x: float, width: float) -> Iterator[str]:
    middle = y + HIGH / 2
    colour = GREEN if row.span.kind in ("workflow", "create") else BLUE
    fill = ".10" if row.span.kind in ("workflow", "create") else ".38"
    yield (
        f'<text x="{LEFT + STEP * row.depth:g}" y="{middle + 4.5:g}" {HALO}>'
        f"{escape(_label(row))}</text>"
        f'<rect x="{x:.1f}" y="{middle - BAR / 2:g}" width="{width:.1f}" height="{BAR:g}" rx="3" '
        f'style="fill:{PAPER}"/>'
        f'<rect x="{x:.1f}" y="{middle - BAR / 2:g}" width="{width:.1f}" height="{BAR:g}" rx="3" '
        f'fill="{colour}" fill-opacity="{fill}" stroke="{colour}" stroke-width="1.5"/>'
    )
    if row.words:
        yield _ending(row.words, x + width, middle)


def _ending(words: str, x: float, middle: float) -> str:
    text, cross = width_of(words), f"M{x - 5:.1f} {middle - 5:g}l10 10m0 -10l-10 10"
    at = x + 9 if x + 9 + text < WIDTH else x - 9 - text
    return (
        f'<path d="{cross}" stroke-width="6" style="stroke:{PAPER}"/>'
        f'<path d="{cross}" stroke="{RED}" stroke-width="2.5"/>'
        f'<text x="{at:.1f}" y="{middle + 4.5:g}" {HALO}>{escape(words)}</text>'
    )


def _axis(left: float, room: float, whole: float, floor: float) -> Iterator[str]:
    for tick in nice_ticks(whole, 5):
        x = left + tick / whole * room
        words = f"{tick:g} s" if tick >= 1 or tick == 0 else f"{tick * 1000:g} ms"
        yield (
            f'<path d="M{x:.1f} {TOP:g}V{floor + 4:g}" stroke="currentColor" stroke-opacity=".15"/>'
            f'<text x="{x:.1f}" y="{floor + 19:g}" text-anchor="middle" style="fill:{INK}">'
            f"{words}</text>"
        )
