"""Curves as one SVG: a strip for each, with its words above, all on one scale.

It draws what it is given; what the curves mean is said by those who ask for them. No colour is
needed to tell the curves apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LEFT, TOP, GAP, ABOVE = 640, 14, 34, 34, 10
LINE, BOUND = "#0969da", "#cf222e"


@dataclass(frozen=True)
class Strip:
    """One curve.

    Attributes:
        words: stand above it.
        points: seconds and values, in order of time; a value that is not a number leaves a gap.
    """

    words: str
    points: Sequence[tuple[float, float]]

    @property
    def most(self) -> float:
        """The highest value."""
        return max((v for _, v in self.points if math.isfinite(v)), default=0.0)


def picture(
    title: str, text: str, strips: Sequence[Strip], tall: int = 56, bound: float | None = None
) -> str:
    """Return an SVG that works in light and dark, and on its own.

    Args:
        text: the same figures in words, for those who do not see the picture.
        tall: how high a strip is, without its words.
        bound: a value that is drawn across each strip.
    """
    height = TOP + len(strips) * (tall + GAP)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
            f' role="img" width="{WIDTH}" height="{height}" font-family="sans-serif"'
            f' font-size="12" fill="currentColor"><title>{escape(title)}</title>',
            f"<desc>{escape(text)}</desc>",
            f'<text x="{LEFT}" y="18" font-size="14">{escape(title)}</text>',
            *_strips(strips, tall, bound),
            "</svg>",
        ]
    )


def _strips(strips: Sequence[Strip], tall: int, bound: float | None) -> Iterator[str]:
    """Yield what is drawn of each: its words, its curve, the bound, and the line of zero."""
    high = tall / (max([bound or 0.0, *(s.most for s in strips)]) or 1)
    wide = (WIDTH - 2 * LEFT) / max([0.1, *(at for s in strips for at, _ in s.points)])
    for number, strip in enumerate(strips):
        floor = TOP + number * (tall + GAP) + GAP - ABOVE + tall
        yield f'<text x="{LEFT}" y="{floor - tall - 4}">{escape(strip.words)}</text>'
        path = _path([(LEFT + at * wide, floor - value * high) for at, value in strip.points])
        yield f'<path d="{path}" fill="none" stroke="{LINE}" stroke-width="1.5"/>'
        across = f"H{WIDTH - LEFT}"
        if bound is not None:
            line = f'd="M{LEFT} {floor - bound * high:.1f}{across}" stroke="{BOUND}"'
            yield f'<path {line} stroke-dasharray="4 3"/>'
        yield f'<path d="M{LEFT} {floor}{across}" stroke="currentColor" stroke-width="0.5"/>'


def _path(points: Sequence[tuple[float, float]]) -> str:
    """Return a path in pixels; after a gap it starts over, and a level needs its two ends only."""
    path, is_drawing = "", False
    for number, (x, y) in enumerate(points):
        is_there = math.isfinite(y)
        around = [y for _, y in points[number - 1 : number + 2]] if is_drawing else []
        if is_there and around != [y, y, y]:
            path += f"{'L' if is_drawing else 'M'}{x:.1f} {y:.1f}"
        is_drawing = is_there
    return path
