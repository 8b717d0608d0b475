"""Rules call somebody in each recorded fault, and nobody in a healthy run, whatever the names."""

from dataclasses import replace

from labkit.exercises import load
from labkit.exercises.alerting import RULES, afterwards, calls, live, readable, renamed, silent
from labkit.prometheus import recordings

ID = "call-somebody"
OTHERS = ()


def steps(lab):
    yield from judged(load(ID).work / RULES, recordings())


def counter(trial):
    rules = trial.exercise.work / RULES
    others = renamed(recordings(), trial.draw)
    yield from judged(rules, [*others, repaired(others)], " under other names")
    yield from live(trial)


def repaired(known):
    """Long after two faults: orders have failed, and turns were tried again, and no more are."""
    by_name = {recording.name: recording for recording in known}
    fault, waiting = by_name["every-order-fails"], by_name["nobody-answers"]
    tried = {n: v for n, v in waiting.series.items() if 'status="recoverable"' in n}
    both = replace(fault, series={**fault.series, **tried})
    return afterwards(both, "more than ten minutes after a fault")


def judged(rules, known, more=""):
    yield readable(rules)
    yield calls(rules, [r for r in known if not r.healthy], more)
    yield silent(rules, [r for r in known if r.healthy], more)
