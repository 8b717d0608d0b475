"""The rule fires when mails fail, and neither for healthy runs nor for other activities."""

from dataclasses import replace

from labkit.exercises import load
from labkit.exercises.alerting import RULES, afterwards, quiet, readable
from labkit.exercises.observations import Check
from labkit.prometheus import graded, recordings

ID = "nobody-is-called"
OTHERS = ()
LAST_NIGHT, FINE = "retried", ("usual", "slow", "restarted")
MAIL = 'activity_name="send_email"'


def steps(lab):
    yield from judged(load(ID).work / RULES, known(LAST_NIGHT))


def counter(trial):
    rules = trial.exercise.work / RULES
    times = trial.draw.number(2, 9)
    night = multiplied(known(LAST_NIGHT), times)
    one, two = (few(known(LAST_NIGHT), *of) for of in (("one mail", 20), ("two mails", 10, 12)))
    past = afterwards(two, "more than ten minutes after mails have failed")
    yield from judged(rules, night, ", on a day with more mails", [one, past], [two])
    other = renamed(known(LAST_NIGHT), f'activity_name="send_{trial.draw.word()}"')
    yield quiet(rules, [other], "others", "it stays silent when another activity fails")


def judged(rules, night, more="", healthy=(), failing=()):
    yield readable(rules)
    nights = [night, *failing]
    yield Check(
        "fires",
        f"the alert fires when mails fail{more}",
        "it fires",
        lambda: "it fires" if all(g.fired for g in graded(rules, nights)) else "it stays silent",
        "the labels of the series in the recording, and those of the rule",
    )
    fine = [*(known(name) for name in FINE), *healthy]
    yield quiet(rules, fine, "silent", "it stays silent when all is well")


def known(name):
    return next(r for r in recordings() if r.name == name)


def multiplied(night, times):
    series = {n: [v and v * times for v in values] for n, values in night.series.items()}
    return replace(night, series=series)


def few(night, name, *at):
    """The same night, on which one mail failed after each of these numbers of samples."""
    series = {
        n: [float(sum(i >= s for s in at)) for i in range(len(values))]
        if _counts_failures(n)
        else values
        for n, values in night.series.items()
    }
    return replace(night, name=name, series=series)


def _counts_failures(name):
    return MAIL in name and 'status="failed"' in name


def renamed(night, other):
    """The same night, on which another activity failed as often as mails did, and mails did not."""
    series = {n.replace(MAIL, other): values for n, values in night.series.items()}
    return replace(night, name="another activity", series=series)
