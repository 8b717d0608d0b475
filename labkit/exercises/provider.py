"""What the exercises about overload observe: how many mails are at the provider at once.

In the second lab the provider holds every mail and nobody gives up, so what is there at once is
counted, and no clock decides. The mails are those of mail-service, and no order is done without
its mail. Then the provider delivers, and each order has its mail, once. Where the mails come slowly
then, they may have been sent by a clock, as no limit does: the provider holds mails again, for so
long that the clock would show.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence

from labkit.exercises.cases import Case
from labkit.exercises.observations import Check, besides, came_true
from labkit.exercises.trial import Trial
from labkit.labs.lab import Lab
from labkit.waiting import patience

MANY = 10
SECONDS = 30.0
HELD_SECONDS = 1.5
SLOW_SECONDS = 4.0
"""In so long a provider that takes its time for none has delivered all mails, unless they wait."""
PACED_SECONDS = 10.5
"""Longest time between two mails that is looked for; slower ones are found to stand still."""
NOBODY_GIVES_UP = "600"
SENDER = "mail-service"


def flood(trial: Trial, most: int, orders: int = MANY) -> Iterator[Check]:
    """Order many mails while the provider holds them; then let it deliver ``most`` at once.

    Args:
        orders: so many that each replica has work: which of them gets an activity is a matter of
            its ID.
    """
    lab = trial.lab(GIVE_UP_SECONDS=NOBODY_GIVES_UP)
    lab.mail_server.limit(at_once=0)
    cases = many(trial, orders)
    yield at_once(lab, most, cases)
    delivers = time.time()
    lab.mail_server.limit(at_once=most, seconds=0.05)
    yield all_ended(cases)
    last = max((m.received_at for m in lab.inbox), default=delivers)
    is_slow = last > delivers + SLOW_SECONDS * patience()
    mails = one_mail_each(lab, cases)
    yield besides(mails, lambda: paced(trial, lab, most)) if is_slow else mails


def many(trial: Trial, orders: int = MANY) -> list[Case]:
    """Order so many mails that a limit has to keep some back."""
    return [
        trial.order(given={"to": trial.draw.email(), "attempts": trial.draw.number(2, 4)})
        for _ in range(orders)
    ]


def paced(trial: Trial, lab: Lab, most: int) -> str:
    """Say that the provider has too many mails when it holds them for long; "" when it has not."""
    lab.mail_server.limit(at_once=0)
    many(trial)
    here = lab.mail_server.waiting
    if came_true(lambda: here() > most, PACED_SECONDS * most):
        return f"but when the provider holds mails for longer, it gets more than {most}"
    return ""


def at_once(lab: Lab, most: int, cases: Sequence[Case]) -> Check:
    """No more than so many mails are at the provider at the same time."""

    def observe() -> str:
        here = lab.mail_server.waiting

        def begun() -> bool:
            return here() > 0 or all(case.run.has_ended for case in cases)

        if not came_true(begun, SECONDS * patience()) or not here():
            return "no mail came"
        more = came_true(lambda: here() > most, HELD_SECONDS * patience())
        seen = f"more than {most}" if more else f"{most} or fewer"
        return "; ".join(filter(None, [seen, elsewhere(lab), too_early(cases)]))

    return Check(
        "at-once",
        f"of {len(cases)} orders at once, so many mails are at the provider at the same time",
        f"{most} or fewer",
        observe,
        "whose sidecar reads which Configuration, and what each line of it counts",
    )


def elsewhere(lab: Lab) -> str:
    """Say that other apps than mail-service hand over mails; "" when none does."""
    others = [name for name in lab.callers("mail") if name.partition("#")[0] != SENDER]
    return f"and mails of {' and '.join(others)}" if others else ""


def too_early(cases: Sequence[Case]) -> str:
    """Say that orders are done while the provider still holds every mail; "" when none is."""
    done = sum(case.run.status == "COMPLETED" for case in cases)
    return f"and {done} of the orders COMPLETED before their mails are delivered" if done else ""


def all_ended(cases: Sequence[Case]) -> Check:
    """Every order is completed once the provider delivers."""

    def observe() -> str:
        ends = Counter(case.settled(10).partition(":")[0] for case in cases)
        return ", ".join(f"{n} {status}" for status, n in ends.most_common())

    return Check(
        "ended",
        "every order ends with COMPLETED when the provider delivers again",
        f"{len(cases)} COMPLETED",
        observe,
        "lab.run(ID).history of an order that does not",
    )


def one_mail_each(lab: Lab, cases: Sequence[Case]) -> Check:
    """Each customer has one mail, and nobody else has any."""

    def observe() -> str:
        mails = Counter(mail.to for mail in lab.inbox)
        wanted = Counter(str(case.order["to"]) for case in cases)
        if mails == wanted:
            return "1 mail each"
        without = sum(to not in mails for to in wanted)
        more = sum(n > wanted[to] for to, n in mails.items())
        return f"{without} without a mail, {more} with more than one"

    return Check(
        "mails",
        "each customer gets one mail",
        "1 mail each",
        observe,
        "lab.inbox, and the activity that sends",
    )
