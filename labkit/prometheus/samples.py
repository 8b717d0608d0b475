"""Values of metrics, as a sidecar writes them in Prometheus' text format."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

_LINE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Sample:
    """One value of one metric."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True)
class Series:
    """The values of one metric over a time.

    Attributes:
        points: the time, in seconds since the epoch, and the value; oldest first.
    """

    name: str
    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]

    @cached_property
    def values(self) -> tuple[float, ...]:
        """The values that are numbers: the quantile of nothing, for one, is none."""
        return tuple(value for _, value in self.points if math.isfinite(value))

    @property
    def most(self) -> float:
        """The highest value; 0 where none is a number."""
        return max(self.values, default=0.0)

    @property
    def least(self) -> float:
        """The lowest value; 0 where none is a number."""
        return min(self.values, default=0.0)


def samples(text: str) -> list[Sample]:
    """Return the values of a text; a line that is none is left out."""
    found = []
    for line in text.splitlines():
        if match := _LINE.match(line):
            name, labels, value = match.groups()
            found.append(Sample(name, dict(_LABEL.findall(labels or "")), float(value)))
    return found
