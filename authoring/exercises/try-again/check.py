"""The workflow tries a refused mail again: often enough, one try after the other, at most six.

Tries are counted in the history, and by the connections that notification-service opens to the
mail server, whoever asks for them and whether anybody listens there.
"""

import time
from itertools import pairwise
from pathlib import Path

from labkit.exercises.cases import NOTIFICATIONS, StillWaiting
from labkit.exercises.observations import Check, as_before, came_true, ended, mailed
from labkit.waiting import patience

LEAST, MOST = 4, 6
GIVEN_UP_SECONDS = 20.0
LONG_SECONDS = 3.5
COUNTING = Path(__file__).parent / "counting"


def wished(case):
    yield ended(case)
    yield mailed(case)
    yield tried(case, 1, "the history records at most six tries, one after the other")


def counter(trial):
    """Refuse a mail twice, then take the mail server away: a try may not hide others in it.

    The first try takes long, so who counts seconds in place of tries makes too few.
    """
    lab = trial.lab(own={NOTIFICATIONS: {"PYTHONPATH": str(COUNTING)}})
    case = trial.order()
    yield from wished(case)
    yield from as_before(case)
    before = len(connections(lab))
    with trial.refusing() as refused:
        with lab.frozen("mail"):
            case = trial.order()
            came_true(lambda: tries(case), 10 * patience())
            time.sleep(LONG_SECONDS)
        came_true(lambda: len(refused()) >= 2 or case.run.has_ended, 10 * patience())
        lab.kill("mail")
        yield tried(case, LEAST, "a mail that is always refused is tried four to six times")
        yield Check(
            "tries",
            f"{NOTIFICATIONS} calls the mail server at most {MOST} times for it",
            f"at most {MOST} times",
            lambda: how_often(max(len(refused()), len(connections(lab)) - before)),
            "what tries again besides the workflow: a loop in an activity, a child with a policy",
            lambda told: told == f"at most {MOST} times",
        )
    lab.up(announce=False)


def connections(lab):
    file = lab.app(NOTIFICATIONS).ledger.with_name("connections.txt")
    return file.read_text("utf-8").splitlines() if file.exists() else []


def how_often(number):
    return f"at most {MOST} times" if number <= MOST else f"more than {MOST} times"


def tried(case, least, checked):
    def observe():
        if not case.is_own:
            wait_for_the_last(case)
        calls = tries(case)
        together = any(b.began < (a.ended or b.began) for a, b in pairwise(calls))
        how = "some at the same time" if together else "one after the other"
        number = len(calls) + erased(case)
        return f"{number} tries, {how}" if number <= MOST else f"more than {MOST} tries"

    return Check(
        "tries",
        checked,
        f"{least} to {MOST} tries, one after the other",
        observe,
        f"lab.run({case.instance_id!r}).history.steps(): their attempt, began and ended",
        lambda told: told.endswith("one after the other") and int(told.split()[0]) >= least,
    )


def tries(case):
    return case.steps("send_email", NOTIFICATIONS)


def erased(case):
    """Tries of a child workflow that was itself started again: only its newest one is kept."""
    children = [s for s in case.steps() if s.kind == "child"]
    return len(children) - len({s.child_instance_id for s in children})


def wait_for_the_last(case):
    """Wait until the workflow has ended, or has tried more often than it should."""

    def known():
        return case.run.has_ended or len(tries(case)) + erased(case) > MOST

    within = GIVEN_UP_SECONDS + 5 * patience()
    if not came_true(known, within):
        raise StillWaiting(
            f"{case.instance_id} has not given up",
            asked=f"how often {case.instance_id} tries a mail that is always refused",
            found=f"{len(tries(case))} tries in {within:.0f} s",
            look_at="the pauses of the retry policy",
            fix="choose shorter pauses, then check again",
        )
