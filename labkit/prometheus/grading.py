"""Plays rules of alerts against recorded metrics, by ``promtool test rules``, without waiting.

A recording holds the values that Prometheus had of one run, one each second. promtool plays an
hour in milliseconds, and always the same.
"""

from __future__ import annotations

import gzip
import json
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from labkit.prometheus.rules import check_rules, tested

FOLDER = Path(__file__).with_name("recorded")
FIRED = "max by (alertname) (max_over_time(ALERTS{alertstate='firing'}[1h]))"
PLAY = "labkit_play"
_PAIR = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_LABELS = re.compile(rf"\{{((?:{_PAIR.pattern},? ?)+)\}}")


@dataclass(frozen=True)
class Recording:
    """What Prometheus had of one run, a value each second.

    Attributes:
        name: of the break lab, or of the healthy run.
        healthy: whether nobody has to be called.
        series: a metric with its labels, as PromQL writes it, to its values; None where it had
            none.
    """

    name: str
    words: str
    healthy: bool
    series: Mapping[str, list[float | None]]

    @property
    def seconds(self) -> int:
        """How long it is."""
        return max((len(values) for values in self.series.values()), default=0)


@dataclass(frozen=True)
class Grade:
    """What rules did with one recording: the names of the alerts that fired.

    Attributes:
        mark: "" for what promtool says now; else what says that it was recorded.
    """

    recording: Recording
    fired: tuple[str, ...]
    mark: str = ""

    @property
    def good(self) -> bool:
        """Whether somebody was called where it was needed, and nobody where not."""
        return bool(self.fired) != self.recording.healthy

    @property
    def said(self) -> str:
        """Which alerts fired, in words."""
        return f"fires: {', '.join(self.fired)}" if self.fired else "silent"

    def __str__(self) -> str:
        mark = f" ({self.mark})" if self.mark else ""
        return f"{self.recording.name}: {self.said}{mark}"


def recordings() -> list[Recording]:
    """Return the recordings of the course: healthy runs first, then break labs, by name."""
    found = [load(file) for file in sorted(FOLDER.glob("*.json.gz"))]
    return sorted(found, key=lambda r: (not r.healthy, r.name))


def load(file: Path) -> Recording:
    """Return one recording."""
    with gzip.open(file, "rt", encoding="utf-8") as opened:
        return Recording(**json.load(opened))


def save(recording: Recording, file: Path) -> None:
    """Write one recording; the same values give the same bytes."""
    file.parent.mkdir(exist_ok=True)
    told = {**recording.__dict__, "series": dict(sorted(recording.series.items()))}
    file.write_bytes(gzip.compress(json.dumps(told, ensure_ascii=False).encode(), mtime=0))


def graded(rules: str | Path, against: Iterable[Recording] | None = None) -> list[Grade]:
    """Return what rules do with each recording; with those of the course when none is named.

    Raises:
        WrongRules: promtool refuses the rules; names the line.
        NoPrometheus: promtool is not on this machine.
    """
    chosen = recordings() if against is None else list(against)
    fired = _fired(Path(rules), [_Play(r.name, _noted(r), r.seconds) for r in chosen])
    return [Grade(recording, fired[recording.name]) for recording in chosen]


def played(rules: str | Path, series: Mapping[str, str], seconds: int = 60) -> list[str]:
    """Return the names of the alerts that fire when metrics have the values that are given.

    Args:
        rules: a file with rules.
        series: a metric with its labels to its values, one each second, in promtool's notation:
            ``_x9 1x50`` is nothing for ten seconds, then 1 for 51 seconds.
        seconds: how long it goes on.

    Raises:
        WrongRules: promtool refuses the rules; names the line.
        NoPrometheus: promtool is not on this machine.
    """
    return list(_fired(Path(rules), [_Play("values", series, seconds)])["values"])


@dataclass(frozen=True)
class _Play:
    name: str
    series: Mapping[str, str]
    seconds: int


def _noted(recording: Recording) -> dict[str, str]:
    return {name: notation(values) for name, values in recording.series.items()}


def _fired(rules: Path, plays: Iterable[_Play]) -> dict[str, tuple[str, ...]]:
    """Ask promtool which alerts have fired: it complains about each that nobody expects."""
    check_rules(rules)
    plays = list(plays)
    with tempfile.TemporaryDirectory() as name:
        tests = Path(name) / "tests.yml"
        tests.write_text(yaml.safe_dump(document(rules, plays)), "utf-8")
        said = tested(tests)
    found: dict[str, set[str]] = {play.name: set() for play in plays}
    for labels in _LABELS.finditer(said):
        pairs = dict(_PAIR.findall(labels[1]))
        if pairs.get(PLAY) in found and "alertname" in pairs:
            found[pairs[PLAY]].add(pairs["alertname"])
    return {name: tuple(sorted(alerts)) for name, alerts in found.items()}


def document(rules: Path, plays: Iterable[_Play]) -> dict[str, Any]:
    """Return a file of unit tests, as promtool reads it, that expects no alert to fire."""
    return {
        "rule_files": [str(rules.absolute())],
        "evaluation_interval": "1s",
        "tests": [_test(play) for play in plays],
    }


def _test(play: _Play) -> dict[str, Any]:
    series = [{"series": name, "values": values} for name, values in play.series.items()]
    fired = f'label_replace({FIRED}, "{PLAY}", "{play.name}", "", "")'
    asked = {"expr": fired, "eval_time": f"{play.seconds}s", "exp_samples": []}
    return {"interval": "1s", "input_series": series, "promql_expr_test": [asked]}


def notation(values: Iterable[float | None]) -> str:
    """Return values as promtool reads them, equal ones together: ``0x3 1 _ 2``."""
    words: list[str] = []
    last, count = "", 0
    for word in [*("_" if v is None else f"{v:.12g}" for v in values), ""]:
        if word == last:
            count += 1
            continue
        if last:
            words += [f"{last}x{count}"] if count and last != "_" else [last] * (count + 1)
        last, count = word, 0
    return " ".join(words)
