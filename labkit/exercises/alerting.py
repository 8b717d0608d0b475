"""Checks of rules of alerts: against recordings of the course, and on a running lab.

promtool plays the recordings, in which everything is as it was; a counter-scenario gives their
apps, workflows and activities other names, so that a rule cannot know them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from labkit import prometheus
from labkit.exercises.cases import NOTIFICATIONS, ORCHESTRATOR
from labkit.exercises.drawing import Draw
from labkit.exercises.observations import Check, ended, mailed
from labkit.exercises.trial import Trial
from labkit.prometheus import Grade, Recording, WrongRules
from labkit.waiting import poll

RULES = "alerts.yml"
LIVE_SECONDS = 60.0
_NAMED = re.compile(r'(?:activity_name|workflow_name|app_id|instance)="([^"]+)"')
KEPT = {"placement", "scheduler"}
QUIET_SECONDS, HOUR = 600, 3600


def readable(rules: Path, named: str = RULES) -> Check:
    """Prometheus reads the rules, and there are some."""

    def observe() -> str:
        try:
            prometheus.check_rules(rules)
        except WrongRules as problem:
            return f"{problem.title}: {problem.found.splitlines()[-1]}"
        return "it reads them" if "alert:" in rules.read_text("utf-8") else "there is no alert"

    return Check("readable", f"Prometheus reads {named}", "it reads them", observe, str(rules))


def calls(rules: Path, against: Iterable[Recording], more: str = "") -> Check:
    """An alert fires in each of these recordings; ``more`` says what is special about them."""
    chosen = list(against)

    def observe() -> str:
        silent = [g.recording.name for g in _graded(rules, chosen) if not g.fired]
        return f"nobody{more} in: {', '.join(silent)}" if silent else "somebody in each"

    checked = f"somebody is called in each fault{more}"
    return Check("faults", checked, "somebody in each", observe, _look_at(rules))


def silent(rules: Path, against: Iterable[Recording], more: str = "") -> Check:
    """No alert fires in these healthy runs."""
    return quiet(rules, against, "healthy", f"nobody is called in a healthy run{more}")


def quiet(rules: Path, against: Iterable[Recording], id: str, checked: str) -> Check:
    """No alert fires in these recordings."""
    chosen = list(against)

    def observe() -> str:
        loud = [g for g in _graded(rules, chosen) if g.fired]
        return "; ".join(f"{g.recording.name}: {', '.join(g.fired)}" for g in loud) or "nobody"

    return Check(id, checked, "nobody", observe, _look_at(rules))


def afterwards(recording: Recording, name: str) -> Recording:
    """Return a healthy run: this one, and then more than an hour in which nothing is counted.

    What has fired in its last hour counts, so alerts have ten minutes to end. Histograms, which are
    most of the series, are left out.
    """
    series = {
        metric: [*values, *values[-1:] * (QUIET_SECONDS + HOUR)]
        for metric, values in recording.series.items()
        if "_bucket{" not in metric
    }
    return replace(recording, name=name, healthy=True, series=series)


def renamed(recordings: Iterable[Recording], draw: Draw) -> list[Recording]:
    """Return recordings whose apps, workflows and activities have names that nobody knew."""
    found = list(recordings)
    names = {n for r in found for series in r.series for n in _NAMED.findall(series)} - KEPT
    new = {name: draw.word() for name in sorted(names)}
    return [replace(r, series=_renamed(r.series, new)) for r in found]


def _renamed(
    series: Mapping[str, list[float | None]], new: Mapping[str, str]
) -> dict[str, list[float | None]]:
    def other(match: re.Match[str]) -> str:
        return match[0].replace(f'"{match[1]}"', f'"{new.get(match[1], match[1])}"')

    return {_NAMED.sub(other, name): values for name, values in series.items()}


def live(trial: Trial) -> Iterable[Check]:
    """Start the learner's files with Prometheus, place an order, and take the target away."""
    lab = trial.lab(ORCHESTRATOR, NOTIFICATIONS)
    case = trial.order()
    yield ended(case)
    yield mailed(case)
    handle = lab.prometheus(RULES)

    def observe() -> str:
        lab.kill(NOTIFICATIONS)
        trial.order()
        fires, _ = poll(handle.firing, LIVE_SECONDS, grows=True)
        return "somebody" if fires else "nobody"

    yield Check(
        "live",
        f"somebody is called when {NOTIFICATIONS} is gone and an order waits for it",
        "somebody",
        observe,
        "lab.prometheus().alerts(), and its metrics: lab.prometheus().query(…)",
    )


def _graded(rules: Path, chosen: list[Recording]) -> list[Grade]:
    return prometheus.graded(rules, chosen)


def _look_at(rules: Path) -> str:
    return f"graded({rules.name!r}) of labkit.prometheus, and docs/views.md"
