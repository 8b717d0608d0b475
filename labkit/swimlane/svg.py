"""Draws a laid-out picture as SVG. ``currentColor`` throughout, so it fits light and dark."""

from __future__ import annotations

from hashlib import sha256
from html import escape

from labkit.swimlane.layout import LEFT, RIGHT, ROW, WIDTH, Lane, Mark, Picture, nice_ticks

BLUE, GREEN, RED, AMBER = "#3b7dd8", "#2f9e6e", "#d64545", "#c98a1b"
COLOUR = {"completed": BLUE, "failed": RED, "running": AMBER}
AXIS = 26.0
LEGEND_ROW = 18.0
WORDS = {
    "workflow": "outlined bar: a workflow instance",
    "activity": "filled bar: an activity",
    "timer": "diamond: a timer",
    "event": "circle: an external event",
    "failed": "cross: failed",
    "running": "dashed: not ended",
    "arrow": "arrow: a call crosses apps",
    "down": "hatched: a part of the app was down",
}


def drawn(picture: Picture, description: str) -> str:
    """Return the picture as SVG; ``description`` is its text for screen readers."""
    legend = _legend(picture)
    height = picture.height + AXIS + legend[1]
    ident = "s" + sha256(f"{picture}{description}".encode()).hexdigest()[:10]
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {WIDTH:g} {height:g}" '
        f'width="100%" style="max-width:{WIDTH:g}px;font:11px system-ui,sans-serif;'
        f'color:var(--jp-content-font-color1,inherit)" fill="currentColor" '
        f'aria-labelledby="{ident}t {ident}d">',
        f'<title id="{ident}t">{escape(picture.title)}</title>',
        f'<desc id="{ident}d">{escape(description)}</desc>',
        f'<defs><pattern id="{ident}h" width="7" height="7" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate(45)"><line x1="0" y1="0" x2="0" y2="7" stroke="currentColor" '
        f'stroke-opacity=".45" stroke-width="2"/></pattern>'
        f'<marker id="{ident}a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="currentColor"/></marker>'
        f"</defs>",
    ]
    body += [part for lane in picture.lanes for part in _lane(lane, ident)]
    body += [part for lane in picture.lanes for part in _arrows(lane, picture, ident)]
    body += [part for lane in picture.lanes for mark in lane.marks for part in _mark(mark)]
    body += _axis(picture)
    body.append(legend[0])
    return "".join(body) + "</svg>"


def _lane(lane: Lane, ident: str) -> list[str]:
    parts = [
        f'<rect x="1" y="{lane.y:g}" width="{WIDTH - 2:g}" height="{lane.height:g}" rx="6" '
        f'fill-opacity=".045" stroke="currentColor" stroke-opacity=".18"/>',
        f'<text x="{LEFT:g}" y="{lane.y + 15:g}" font-weight="600" font-size="12">'
        f"{escape(lane.app_id)}</text>",
    ]
    for band in lane.bands:
        low = lane.y + lane.height
        label_x = min(band.x + 2, WIDTH - len(band.label) * 6.3 - 6)
        parts.append(
            f'<rect x="{band.x:.1f}" y="{lane.y + 20:g}" width="{band.width:.1f}" '
            f'height="{lane.height - 36:g}" fill="url(#{ident}h)" stroke="currentColor" '
            f'stroke-opacity=".5"/>'
            f'<text x="{label_x:.1f}" y="{low - 5:g}" font-style="italic">{band.label}</text>'
        )
    return parts


def _arrows(lane: Lane, picture: Picture, ident: str) -> list[str]:
    parts = []
    for mark in lane.marks:
        if mark.caller is None:
            continue
        caller = picture.lanes[mark.caller]
        below = caller.y < lane.y
        start = _edge_of_caller(caller, mark.x, below)
        end = mark.y if below else mark.y + ROW
        parts.append(
            f'<path d="M{mark.x + 2:.1f} {start:g}V{end:g}" stroke="currentColor" '
            f'stroke-opacity=".55" fill="none" marker-end="url(#{ident}a)"/>'
        )
    return parts


def _edge_of_caller(caller: Lane, x: float, below: bool) -> float:
    """Return the edge of the workflow bar that the call comes from."""
    bars = [m for m in caller.marks if m.shape == "workflow" and m.x <= x + 1]
    bar = bars[-1] if bars else None
    if bar is None:
        return caller.y + caller.height if below else caller.y
    return bar.y + ROW if below else bar.y


def _mark(mark: Mark) -> list[str]:
    colour = COLOUR[mark.outcome]
    dash = ' stroke-dasharray="4 3"' if mark.outcome == "running" else ""
    middle = mark.y + ROW / 2
    if mark.shape in ("workflow", "activity"):
        colour = GREEN if (mark.shape, mark.outcome) == ("workflow", "completed") else colour
        fill = ".10" if mark.shape == "workflow" else ".38"
        shape = (
            f'<rect x="{mark.x:.1f}" y="{mark.y:g}" width="{mark.width:.1f}" height="{ROW:g}" '
            f'rx="4" fill="{colour}" fill-opacity="{fill}" stroke="{colour}" '
            f'stroke-width="1.5"{dash}/>'
        )
    elif mark.shape == "timer":
        x = mark.x + 5
        shape = (
            f'<path d="M{x:.1f} {middle - 6:g}l6 6l-6 6l-6 -6z" fill="{colour}" '
            f'fill-opacity=".38" stroke="{colour}" stroke-width="1.5"{dash}/>'
        )
    else:
        shape = f'<circle cx="{mark.x + 5:.1f}" cy="{middle:g}" r="5" fill="{colour}"/>'
    parts = [shape]
    if mark.outcome == "failed":
        x = mark.x + mark.width
        parts.append(
            f'<path d="M{x - 5:.1f} {middle - 5:g}l10 10m0 -10l-10 10" stroke="{RED}" '
            f'stroke-width="2.5"/>'
        )
    parts.append(f'<text x="{mark.label_x:.1f}" y="{middle + 4:g}">{escape(mark.label)}</text>')
    return parts


def _axis(picture: Picture) -> list[str]:
    y, room = picture.height, WIDTH - LEFT - RIGHT
    parts = [
        f'<line x1="{LEFT:g}" x2="{WIDTH - RIGHT:g}" y1="{y:g}" y2="{y:g}" '
        f'stroke="currentColor" stroke-opacity=".5"/>'
    ]
    for tick in nice_ticks(picture.seconds):
        x = LEFT + tick / picture.seconds * room
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y:g}" y2="{y + 4:g}" stroke="currentColor"/>'
            f'<text x="{x:.1f}" y="{y + 16:g}" text-anchor="middle">{_seconds(tick)}</text>'
        )
    return parts


def _seconds(value: float) -> str:
    return f"{value:g} s" if value >= 1 or value == 0 else f"{value * 1000:g} ms"


def _legend(picture: Picture) -> tuple[str, float]:
    """Return the legend of what occurs in this picture, in words, and its height."""
    marks = [m for lane in picture.lanes for m in lane.marks]
    there = [k for k in ("workflow", "activity", "timer", "event") if _any(marks, "shape", k)]
    there += [k for k in ("failed", "running") if _any(marks, "outcome", k)]
    there += ["arrow"] if any(m.caller is not None for m in marks) else []
    there += ["down"] if any(lane.bands for lane in picture.lanes) else []
    lines: list[list[str]] = [[]]
    for key in there:
        if len("   ".join([*lines[-1], WORDS[key]])) * 5.8 > WIDTH - LEFT - RIGHT:
            lines.append([])
        lines[-1].append(WORDS[key])
    top = picture.height + AXIS
    text = "".join(
        f'<text x="{LEFT:g}" y="{top + 12 + i * LEGEND_ROW:g}" fill-opacity=".8">'
        f"{escape('  ·  '.join(line))}</text>"
        for i, line in enumerate(lines)
    )
    return text, len(lines) * LEGEND_ROW + 4


def _any(marks: list[Mark], field: str, value: str) -> bool:
    return any(getattr(m, field) == value for m in marks)
