"""A trace as a picture: one row per span, below the span that it belongs to, with an equal text.

The bars that the history knows and no span stands for are named below: a span is sent when its
work has ended, and only by a sidecar that was alive then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from labkit.history import RunHistory
from labkit.swimlane.account import MANY
from labkit.swimlane.style import scrolling
from labkit.telemetry import waterfallsvg
from labkit.telemetry.bars import Bar, bars, without_span
from labkit.tracing import Span, Trace


@dataclass(frozen=True)
class Row:
    """One row: a span, or many of one name below one parent.

    Attributes:
        failed: how many of them report an error.
    """

    depth: int
    span: Span
    count: int
    failed: int
    start: float
    end: float

    @property
    def name(self) -> str:
        """What it stands for, without its app."""
        name = {"create": f"start {self.span.step}"}.get(self.span.kind, self.span.step)
        return f"{name} × {self.count}" if self.count > 1 else name

    @property
    def words(self) -> str:
        """How it ended, as far as the span says."""
        failed = f"{self.failed} failed" if self.count > 1 else "failed"
        status = self.span.status if self.span.status != "COMPLETED" else ""
        return status or (failed if self.failed else "")


class Waterfall:
    """The trace of one run.

    Args:
        trace: its spans.
        history: of the run, for what has no span; None where it is not known.
    """

    def __init__(self, trace: Trace, history: RunHistory | None = None) -> None:
        self.spans, self.history = trace, history

    @cached_property
    def missing(self) -> list[Bar]:
        """The bars of the swimlane for which no span has come."""
        return without_span(self.spans, bars(self.history)) if self.history else []

    @cached_property
    def rows(self) -> list[Row]:
        """The rows of the picture, parents first."""
        return list(_rows(self.spans, self.spans.roots, 0))

    @property
    def svg(self) -> str:
        """The picture, as SVG."""
        return waterfallsvg.drawn(self.rows, self.title, self.text)

    @property
    def title(self) -> str:
        """What the picture shows."""
        parts = _count(len(self.spans.roots), "part")
        torn = f" in {parts}" if len(self.spans.roots) > 1 else ""
        return f"trace of {_count(len(self.spans), 'span')}{torn}"

    @property
    def html(self) -> str:
        """The picture in a frame that scrolls sideways where the page is narrow."""
        return scrolling(self.svg, "trace of the run") if self.spans else self.summary

    @property
    def text(self) -> str:
        """The same as a table with times, for reading and for screen readers."""
        zero = self.spans[0].start if self.spans else 0.0
        table = [("start", "took", "app", "span", "")]
        table += [_cells(row, zero) for row in self.rows]
        widths = [max(len(r[i]) for r in table) for i in range(4)]
        lines = ("  ".join(c.ljust(w) for c, w in zip(r, [*widths, 0], strict=True)) for r in table)
        return "\n".join([*(line.rstrip() for line in lines), *self._without()])

    @property
    def summary(self) -> str:
        """The tree of the spans in words that are the same in every run."""
        rows = [r for root in self.spans.roots for r in _ordered(self.spans, [root], 1)]
        return "\n".join([self.title, *map(_said, rows), *self._without()])

    def _without(self) -> list[str]:
        counts = Counter(
            f"{bar}{'' if bar.ended else ', which has not ended'}" for bar in self.missing
        )
        return [f"no span: {words}{f' × {n}' if n > 1 else ''}" for words, n in counts.items()]

    def __repr__(self) -> str:
        return self.summary

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.summary}


def _rows(trace: Trace, spans: Sequence[Span], depth: int) -> Iterator[Row]:
    many = {
        k for k, n in Counter(_kind(s) for s in spans if not trace.children(s)).items() if n > MANY
    }
    done: set[tuple[str, str]] = set()
    for span in spans:
        if _kind(span) in many and not trace.children(span):
            if _kind(span) not in done:
                done.add(_kind(span))
                yield _row(depth, [s for s in spans if _kind(s) == _kind(span)])
            continue
        yield _row(depth, [span])
        yield from _rows(trace, trace.children(span), depth + 1)


def _ordered(trace: Trace, spans: Sequence[Span], depth: int) -> Iterator[Row]:
    """The rows by the numbers of the steps, for which a clock is not asked."""
    own = sorted(spans, key=lambda s: (s.task_id is None, s.task_id or 0, s.step))
    for row in _rows(trace, own, depth):
        if row.depth == depth:
            yield row
            if row.count == 1:
                yield from _ordered(trace, trace.children(row.span), depth + 1)


def _kind(span: Span) -> tuple[str, str]:
    return span.name, span.service


def _row(depth: int, spans: Sequence[Span]) -> Row:
    start, end = min(s.start for s in spans), max(s.end for s in spans)
    return Row(depth, spans[0], len(spans), sum(s.failed for s in spans), start, end)


def _cells(row: Row, zero: float) -> tuple[str, str, str, str, str]:
    took = f"{row.end - row.start:.3f} s"
    name = "  " * row.depth + row.name
    return f"{row.start - zero:.3f} s", took, row.span.service, name, row.words


def _said(row: Row) -> str:
    words = f": {row.words}" if row.words else ""
    return f"{'  ' * row.depth}{row.name} on {row.span.service}{words}"


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what if number == 1 else what + 's'}"
