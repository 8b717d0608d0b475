"""Draws a laid-out picture as SVG, in the colours of the page, so it fits light and dark.

Behind everything lies the page's own colour: bars hide what runs behind them, and a label has a
halo of it, so that arrows and hatching never cross a text.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from html import escape

from labkit.swimlane.layout import (
    BAND_ROW,
    HEAD,
    LEFT,
    RIGHT,
    ROW,
    WIDTH,
    Band,
    Lane,
    Mark,
    Picture,
    nice_ticks,
)
from labkit.swimlane.legend import legend
from labkit.swimlane.style import COLOUR, GREEN, HALO, PAPER, RED, hatching, opened

AXIS = 30.0


def drawn(picture: Picture, description: str) -> str:
    """Return the picture as SVG; ``description`` is its text for screen readers."""
    words, more = legend(picture, picture.height + AXIS)
    height = picture.height + AXIS + more
    ident = "s" + sha256(f"{picture}{description}".encode()).hexdigest()[:10]
    body = [
        opened(ident, WIDTH, height, picture.title, description),
        f"<defs>{hatching(ident)}{_arrowhead(ident)}</defs>",
        *(part for lane in picture.lanes for part in _room(lane, ident)),
        *_axis(picture),
        *(part for lane in picture.lanes for part in _arrows(lane, picture, ident)),
        *(_shape(mark) for lane in picture.lanes for mark in lane.marks),
        *(part for lane in picture.lanes for part in _words(lane)),
        *words,
    ]
    return "".join(body) + "</svg>"


def _arrowhead(ident: str) -> str:
    return (
        f'<marker id="{ident}a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="currentColor"/></marker>'
    )


def _room(lane: Lane, ident: str) -> Iterator[str]:
    yield (
        f'<rect x="1" y="{lane.y:g}" width="{WIDTH - 2:g}" height="{lane.height:g}" rx="6" '
        f'fill="none" stroke="currentColor" stroke-opacity=".3"/>'
    )
    top = lane.y + HEAD - 4
    for band in lane.bands:
        yield (
            f'<rect x="{band.x:.1f}" y="{top:g}" width="{band.width:.1f}" '
            f'height="{lane.floor - top - 2:g}" fill="url(#{ident}h)" stroke="currentColor" '
            f'stroke-opacity=".6"/>'
        )


def _words(lane: Lane) -> Iterator[str]:
    yield (
        f'<text x="{LEFT:g}" y="{lane.y + 18:g}" font-weight="600" font-size="14" {HALO}>'
        f"{escape(lane.app_id)}</text>"
    )
    for band in lane.bands:
        yield _band_label(band, lane.floor)
    for mark in lane.marks:
        halo = "" if mark.inside else f" {HALO}"
        middle = mark.y + ROW / 2
        yield f'<text x="{mark.label_x:.1f}" y="{middle + 4.5:g}"{halo}>{escape(mark.label)}</text>'


def _band_label(band: Band, floor: float) -> str:
    y = floor + 11 + band.row * BAND_ROW
    return f'<text x="{band.label_x:.1f}" y="{y:g}" font-style="italic" {HALO}>{band.label}</text>'


def _arrows(lane: Lane, picture: Picture, ident: str) -> Iterator[str]:
    for mark in lane.marks:
        if mark.caller is None:
            continue
        caller = picture.lanes[mark.caller]
        below = caller.y < lane.y
        start = _edge_of_caller(caller, mark.x, below)
        end = mark.y if below else mark.y + ROW
        yield (
            f'<path d="M{mark.x + 2:.1f} {start:g}V{end:g}" stroke="currentColor" '
            f'stroke-opacity=".7" fill="none" marker-end="url(#{ident}a)"/>'
        )


def _edge_of_caller(caller: Lane, x: float, below: bool) -> float:
    """Return the edge of the workflow bar that the call comes from."""
    bars = [m for m in caller.marks if m.shape == "workflow" and m.x <= x + 1]
    bar = bars[-1] if bars else None
    if bar is None:
        return caller.y + caller.height if below else caller.y
    return bar.y + ROW if below else bar.y


def _shape(mark: Mark) -> str:
    colour = COLOUR[mark.outcome]
    if (mark.shape, mark.outcome) == ("workflow", "completed"):
        colour = GREEN
    dash = ' stroke-dasharray="4 3"' if mark.outcome == "running" else ""
    line = f'stroke="{colour}" stroke-width="1.5"{dash}'
    middle = mark.y + ROW / 2
    if mark.shape == "event":
        return f'<circle cx="{mark.x + 5:.1f}" cy="{middle:g}" r="5" fill="{colour}"/>'
    if mark.shape == "mark":
        return (
            f'<path d="M{mark.x + 5:.1f} {middle - 6:g}l6 11h-12z" style="fill:{PAPER}" '
            f'stroke="{colour}" stroke-width="2"/>'
        )
    if mark.shape == "timer":
        outline = f"M{mark.x + 5:.1f} {middle - 6:g}l6 6l-6 6l-6 -6z"
    else:
        outline = _torn(mark) if mark.outcome == "cut" else _bar(mark)
    fill = ".10" if mark.shape == "workflow" else ".38"
    shape = (
        f'<path d="{outline}" style="fill:{PAPER}"/>'
        f'<path d="{outline}" fill="{colour}" fill-opacity="{fill}" {line}/>'
    )
    return shape + (_cross(mark) if mark.outcome == "failed" else "")


def _bar(mark: Mark) -> str:
    r = min(4.0, mark.width / 2)
    across, down = mark.width - 2 * r, ROW - 2 * r
    return (
        f"M{mark.x + r:.1f} {mark.y:g}h{across:.1f}q{r:g} 0 {r:g} {r:g}v{down:g}"
        f"q0 {r:g} -{r:g} {r:g}h-{across:.1f}q-{r:g} 0 -{r:g} -{r:g}v-{down:g}"
        f"q0 -{r:g} {r:g} -{r:g}z"
    )


def _torn(mark: Mark) -> str:
    """A bar whose right edge is torn off."""
    tooth, step = 4.0, ROW / 4
    edge = f"l-{tooth:g} {step:g}l{tooth:g} {step:g}" * 2
    return f"M{mark.x:.1f} {mark.y:g}h{mark.width:.1f}{edge}h-{mark.width:.1f}z"


def _cross(mark: Mark) -> str:
    x, middle = mark.x + mark.width, mark.y + ROW / 2
    cross = f"M{x - 5:.1f} {middle - 5:g}l10 10m0 -10l-10 10"
    return (
        f'<path d="{cross}" stroke-width="6" style="stroke:{PAPER}"/>'
        f'<path d="{cross}" stroke="{RED}" stroke-width="2.5"/>'
    )


def _axis(picture: Picture) -> Iterator[str]:
    y, room = picture.height, WIDTH - LEFT - RIGHT
    yield (
        f'<line x1="{LEFT:g}" x2="{WIDTH - RIGHT:g}" y1="{y:g}" y2="{y:g}" '
        f'stroke="currentColor" stroke-opacity=".5"/>'
    )
    for tick in nice_ticks(picture.seconds):
        x = LEFT + tick / picture.seconds * room
        yield (
            f'<path d="M{x:.1f} 8V{y:g}" stroke="currentColor" stroke-opacity=".12"/>'
            f'<path d="M{x:.1f} {y:g}v5" stroke="currentColor"/>'
            f'<text x="{x:.1f}" y="{y + 19:g}" text-anchor="middle">{_seconds(tick)}</text>'
        )


def _seconds(value: float) -> str:
    return f"{value:g} s" if value >= 1 or value == 0 else f"{value * 1000:g} ms"
