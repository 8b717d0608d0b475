"""Rules call somebody in each recorded fault, and nobody in a healthy run, whatever the names."""

from labkit.exercises import load
from labkit.exercises.alerting import RULES, calls, live, readable, renamed, silent
from labkit.prometheus import recordings

ID = "call-somebody"
OTHERS = ()


def steps(lab):
    yield from judged(load(ID).work / RULES, recordings())


def counter(trial):
    rules = trial.exercise.work / RULES
    others = renamed(recordings(), trial.draw)
    yield from judged(rules, others, " under other names")
    yield from live(trial)


def judged(rules, known, more=""):
    yield readable(rules)
    yield calls(rules, [r for r in known if not r.healthy], more)
    yield silent(rules, [r for r in known if r.healthy], more)
