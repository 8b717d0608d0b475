"""The legend of a picture: what occurs in it, each with its sign and in words."""

from __future__ import annotations

from collections.abc import Iterator

from labkit.swimlane.layout import LEFT, RIGHT, WIDTH, Picture
from labkit.swimlane.measure import width_of
from labkit.swimlane.style import AMBER, BLUE, GREEN, RED

LINE = 22.0
SIGN = 30.0
BETWEEN = 20.0
# Each sign is drawn in a field of 24 x 12 pixels.
_BAR = '<rect x="1" y="1" width="22" height="11" rx="3" {}/>'
SIGNS = {
    "workflow": (
        "outlined bar: a workflow",
        _BAR.format(
            f'fill="{GREEN}" fill-opacity=".10" stroke="{GREEN}" stroke-width="1.5"',
        ),
    ),
    "activity": (
        "filled bar: an activity",
        _BAR.format(f'fill="{BLUE}" fill-opacity=".38" stroke="{BLUE}" stroke-width="1.5"'),
    ),
    "timer": (
        "diamond: a timer",
        f'<path d="M12 0l6 6l-6 6l-6 -6z" fill="{BLUE}" fill-opacity=".38" stroke="{BLUE}"/>',
    ),
    "event": ("circle: an external event", f'<circle cx="12" cy="6" r="5" fill="{BLUE}"/>'),
    "mark": (
        "triangle: to the workflow itself",
        f'<path d="M12 1l6 11h-12z" fill="none" stroke="{AMBER}" stroke-width="2"/>',
    ),
    "failed": (
        "cross: failed",
        f'<path d="M7 1l10 10m0 -10l-10 10" stroke="{RED}" stroke-width="2.5"/>',
    ),
    "running": (
        "dashed: not ended",
        _BAR.format(
            f'fill="{AMBER}" fill-opacity=".1" stroke="{AMBER}" stroke-width="1.5" '
            f'stroke-dasharray="4 3"'
        ),
    ),
    "cut": (
        "torn edge: cut off, with no result",
        f'<path d="M1 1h20l-4 2.75l4 2.75l-4 2.75l4 2.75h-20z" fill="{AMBER}" '
        f'fill-opacity=".38" stroke="{AMBER}" stroke-width="1.5"/>',
    ),
    "arrow": (
        "arrow: a call to another app",
        '<path d="M12 0V11M8 7l4 5l4 -5" fill="none" stroke="currentColor"/>',
    ),
    "down": ("hatched: until a worker was connected again", ""),
}


def legend(picture: Picture, top: float) -> tuple[list[str], float]:
    """Return the legend of what occurs in this picture, and its height."""
    parts: list[str] = []
    x, line = LEFT, 0
    for key in _occurring(picture):
        words, sign = SIGNS[key]
        wide = SIGN + width_of(words)
        if x > LEFT and x + wide > WIDTH - RIGHT:
            x, line = LEFT, line + 1
        parts.append(_entry(x, top + 6 + line * LINE, words, sign or _hatched()))
        x += wide + BETWEEN
    return parts, (line + 1) * LINE + 8


def _entry(x: float, y: float, words: str, sign: str) -> str:
    return (
        f'<g transform="translate({x:.1f} {y:g})">{sign}'
        f'<text x="{SIGN:g}" y="11">{words}</text></g>'
    )


def _hatched() -> str:
    lines = "".join(f"M{x} 12l11 -11" for x in (1, 7, 12))
    return (
        f'<path d="{lines}" stroke="currentColor" stroke-opacity=".5" stroke-width="1.5"/>'
        f'<rect x="1" y="1" width="22" height="11" fill="none" stroke="currentColor" '
        f'stroke-opacity=".6"/>'
    )


def _occurring(picture: Picture) -> Iterator[str]:
    marks = [m for lane in picture.lanes for m in lane.marks]
    shapes, outcomes = {m.shape for m in marks}, {m.outcome for m in marks}
    yield from (k for k in ("workflow", "activity", "timer", "event", "mark") if k in shapes)
    yield from (k for k in ("failed", "running", "cut") if k in outcomes)
    if any(m.caller is not None for m in marks):
        yield "arrow"
    if any(lane.bands for lane in picture.lanes):
        yield "down"
