"""The figures of a bench as one SVG: a row for each figure, a bar as long as its share of a group.

Bars compare what has one unit: within a group, figures whose names end alike (``_s``, ``ratio``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

WIDTH, ROW, LABEL, BAR = 760, 20, 250, 380
UNITS = ("per_s", "mib", "s", "ratio", "growth")


def svg(found: Mapping[str, Any]) -> str:
    """Return the picture; the same figures give the same bytes."""
    rows = list(_rows(found))
    height = ROW * (len(rows) + 1)
    lines = "".join(_row(number, *row) for number, row in enumerate(rows, 1))
    title = "Figures of this build, measured by ./lab bench"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'font-family="sans-serif" font-size="12" fill="currentColor"><title>{title}</title>'
        f"{lines}</svg>\n"
    )


def _rows(found: Mapping[str, Any]) -> Iterator[tuple[str, str, float | None]]:
    for name, figures in found.items():
        machine = ", ".join(f"{k} {v}" for k, v in figures.items()) if name == "machine" else ""
        yield name, machine, None
        numbers = {} if machine else {k: v for k, v in figures.items() if _is_figure(k, v)}
        for key, value in numbers.items():
            alike = [float(v) for k, v in numbers.items() if _unit(k) == _unit(key)]
            yield key, str(value), float(value) / (max(alike) or 1)


def _is_figure(key: str, value: object) -> bool:
    return key != "runs" and isinstance(value, int | float)


def _unit(key: str) -> str:
    plain = key.rstrip("0123456789_")  # up_s_4 is in seconds, like up_s_1
    return next((unit for unit in UNITS if plain.endswith(unit)), plain.split("_")[0])


def _row(number: int, label: str, value: str, share: float | None) -> str:
    y = ROW * number
    if share is None:
        words = f"{label}: {value}" if value else label
        return f'<text x="4" y="{y}" font-weight="bold">{escape(words)}</text>'
    width = max(1.0, BAR * share)
    return (
        f'<text x="16" y="{y}">{escape(label)}</text>'
        f'<rect x="{LABEL}" y="{y - 11}" width="{width:.1f}" height="12" fill-opacity="0.35"/>'
        f'<text x="{LABEL + width + 6:.1f}" y="{y}">{escape(value)}</text>'
    )
