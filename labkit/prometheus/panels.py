"""What a panel of a dashboard shows: its queries asked of a Prometheus, drawn, and in words."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from labkit.errors import ObservationError
from labkit.notebook.strips import Strip, picture
from labkit.notebook.texts import Text
from labkit.prometheus.dashboards import Dashboard, Panel, Query, Variable, filled, variables_in
from labkit.prometheus.samples import Series
from labkit.prometheus.silence import QueryRefused

MOST_STRIPS, TALL = 8, 28
MOST_POINTS = 300
MOST_SECONDS = 10 * 365 * 86400
SCRAPES = 4
"""Grafana's ``$__rate_interval`` is at least four times as long as Prometheus waits."""
_LABEL_VALUES = re.compile(r"label_values\(\s*(?:(.+?)\s*,\s*)?(\w+)\s*\)", re.S)
_SPECIAL = re.compile(r"[\\^$*+?.()|\[\]{}/]")
_IN_LEGEND = re.compile(r"\{\{\s*(\w+)\s*\}\}")


class WrongTime(ObservationError):
    """A panel is asked for a time that is none."""

    code = "wrong-time"


class Source(Protocol):
    """Who is asked."""

    def over(self, expression: str, since: float, until: float, step: int) -> list[Series]:
        """Return the values of an expression over a time; raises :class:`QueryRefused`."""

    def label_values(self, label: str, of: str) -> list[str]:
        """Return the values that a label has, of the series of a selector; "" for all."""


@dataclass(frozen=True)
class Drawn:
    """What a panel shows.

    Attributes:
        curves: a name, and the values that belong to it; the highest come first.
        expressions: what was asked, with variables filled in.
        since: the time of the first value, in seconds since the epoch.
    """

    panel: Panel
    curves: tuple[tuple[str, Series], ...]
    expressions: tuple[str, ...]
    since: float

    @property
    def has_data(self) -> bool:
        """Whether there is any value that is a number."""
        return any(series.values for _, series in self.curves)

    @property
    def strips(self) -> list[Strip]:
        """The curves to draw, with their words."""
        return [
            Strip(
                f"{name}: {last}" + (f", from {least} to {most}" if least != most else ""),
                [(at - self.since, value) for at, value in series.points],
            )
            for (name, series), (_, last, least, most) in zip(self.curves, self.rows, strict=True)
        ]

    @property
    def rows(self) -> list[tuple[str, str, str, str]]:
        """For each curve its name, and its last, lowest and highest value, in words."""
        return [_row(name, series, self.panel.unit) for name, series in self.curves]

    @property
    def text(self) -> Text:
        """A table with values, for reading and for screen readers."""
        table = [("series", "last", "lowest", "highest"), *self.rows]
        widths = [max(len(row[i]) for row in table) for i in range(4)]
        lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) for r in table]
        if not self.rows:
            lines = ["no data", *self.expressions]
        return Text("\n".join([self.panel.title, *(line.rstrip() for line in lines)]))

    @property
    def svg(self) -> str:
        """A picture that works in light and dark: a strip for each of the highest curves."""
        seconds = max((s.points[-1][0] for _, s in self.curves if s.points), default=self.since)
        said = f"over {seconds - self.since:.0f} s" if self.curves else "no data"
        if (more := len(self.curves) - MOST_STRIPS) > 0:
            said += f"; the highest {MOST_STRIPS}, {more} more in .text"
        return picture(f"{self.panel.title} ({said})", self.text, self.strips[:MOST_STRIPS], TALL)

    def __repr__(self) -> str:
        """The names of the curves, which are the same in every run of its kind."""
        names = sorted(name for name, _ in self.curves)
        return "\n".join([f"{self.panel.title}:", *(f"  {n}" for n in names or ["no data"])])

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.svg, "text/plain": repr(self)}


def drawn(
    board: Dashboard, title: str, source: Source, seconds: float, given: Mapping[str, str]
) -> Drawn:
    """Ask what a panel asks, over the last seconds.

    Args:
        given: values of variables; the others are asked, as Grafana does.

    Raises:
        UnknownPanel: the dashboard has no such panel.
        WrongTime: ``seconds`` is no number above 0.
        WrongDashboard: a query is refused, or names a variable without a value; names the line.
    """
    panel = board.panel(str(title))
    if not (isinstance(seconds, (int, float)) and 0 < seconds < MOST_SECONDS):
        raise WrongTime(
            "a panel looks back over a time",
            asked=f"the panel {title!r}, seconds={seconds!r}",
            found="no number of seconds above 0, and below ten years",
            look_at="help(lab.prometheus().panel)",
            fix="write e.g. seconds=300 for the last five minutes",
        )
    given = {name: str(value) for name, value in given.items()}
    until = time.time()
    step = max(1, math.ceil(seconds / MOST_POINTS))
    values = {**intervals(seconds, step), **_asked(board, panel, source, given)}
    curves: list[tuple[str, Series]] = []
    expressions = []
    for query in panel.queries:
        expressions.append(_expression(board, query, values))
        try:
            found = source.over(expressions[-1], until - seconds, until, step)
        except QueryRefused as problem:
            raise board.wrong(
                f"Prometheus refuses a query of {panel.title!r}",
                query.line,
                expressions[-1],
                problem.found,
                "correct the query on that line",
            ) from problem
        curves += [(named(query.legend, one), one) for one in found]
    curves.sort(key=lambda curve: (-curve[1].most, curve[0]))
    since = min((s.points[0][0] for _, s in curves if s.points), default=until)
    return Drawn(panel, tuple(curves), tuple(expressions), since)


def intervals(seconds: float, step: int) -> dict[str, str]:
    """Return the variables that Grafana has by itself."""
    told = {"interval": step, "rate_interval": max(SCRAPES, step + 1), "range": round(seconds)}
    found = {f"__{name}": f"{value}s" for name, value in told.items()}
    found |= {f"__{name}_ms": f"{value * 1000}" for name, value in told.items()}
    return {**found, "__range_s": f"{told['range']}"}


def _asked(
    board: Dashboard, panel: Panel, source: Source, given: Mapping[str, str]
) -> dict[str, str]:
    """Return a value for each variable that is needed; one may name those before it."""
    asked = [q.expression for q in panel.queries] + [v.asks for v in board.variables]
    needed = {name for text in asked for name in variables_in(text)} - set(given)
    values = dict(given)
    for variable in board.variables:
        if variable.name in needed:
            value = _value(board, variable, values, source)
            values |= {} if value is None else {variable.name: value}
    return values


def _value(
    board: Dashboard, variable: Variable, values: Mapping[str, str], source: Source
) -> str | None:
    if variable.kind in ("custom", "interval"):
        found = [one.strip() for one in variable.asks.split(",")]
    elif variable.kind in ("constant", "textbox"):
        return variable.asks
    elif match := _LABEL_VALUES.fullmatch(filled(variable.asks, values).strip()):
        try:
            found = source.label_values(match[2], match[1] or "")
        except QueryRefused as problem:
            raise board.wrong(
                f"Prometheus refuses the values of ${variable.name}",
                variable.line,
                match[0],
                problem.found,
                "correct the query of that variable",
            ) from problem
    else:
        return None
    return "|".join(map(_escaped, found)) if variable.is_many else (found or [""])[0]


def _escaped(value: str) -> str:
    """A value as part of a regular expression in a PromQL text, as Grafana writes it."""
    return _SPECIAL.sub(r"\\\\\g<0>", value)


def _expression(board: Dashboard, query: Query, values: Mapping[str, str]) -> str:
    missing = [name for name in variables_in(query.expression) if name not in values]
    if missing:
        known = ", ".join(f"${v.name}" for v in board.variables) or "none"
        raise board.wrong(
            f"nobody says what ${missing[0]} is",
            query.line,
            query.expression,
            f"${missing[0]} has no value; the variables of the dashboard: {known}",
            f"give it a value: panel(TITLE, {missing[0]}=VALUE)",
        )
    return filled(query.expression, values)


def named(legend: str, series: Series) -> str:
    """Return how a series is called: by its legend, else by all its labels."""
    if legend:
        return _IN_LEGEND.sub(lambda m: series.labels.get(m[1], ""), legend).strip()
    labels = ", ".join(f"{k}={v}" for k, v in sorted(series.labels.items()))
    return " ".join(filter(None, (series.name, labels))) or "value"


# --- values in words ------------------------------------------------------------------------------


def worded(value: float, unit: str) -> str:
    """Return a value with its unit, in Grafana's notation for units."""
    if unit == "percentunit":
        return f"{value:.0%}"
    if unit in ("bytes", "decbytes"):
        return f"{value / 1e6:,.1f} MB"
    said = f"{value:,.0f}" if value == round(value) or abs(value) >= 1000 else f"{value:.3g}"
    return said + {"ms": " ms", "s": " s", "reqps": "/s", "ops": "/s"}.get(unit, "")


def _row(name: str, series: Series, unit: str) -> tuple[str, str, str, str]:
    if not series.values:
        return name, "no number", "", ""
    last, least, most = series.values[-1], series.least, series.most
    return name, worded(last, unit), worded(least, unit), worded(most, unit)
