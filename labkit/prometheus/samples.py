"""Values of metrics, as a sidecar writes them in Prometheus' text format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_LINE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Sample:
    """One value of one metric."""

    name: str
    labels: Mapping[str, str]
    value: float


def samples(text: str) -> list[Sample]:
    """Return the values of a text; a line that is none is left out."""
    found = []
    for line in text.splitlines():
        if match := _LINE.match(line):
            name, labels, value = match.groups()
            found.append(Sample(name, dict(_LABEL.findall(labels or "")), float(value)))
    return found
