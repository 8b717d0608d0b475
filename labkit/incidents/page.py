"""What somebody on call reads first: the system, its promises, what happened, the alarm.

And the list of orders. Symptoms only: nothing here looks at the fault.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from labkit.history import ENDED
from labkit.incidents import judging
from labkit.incidents.kept import Placed
from labkit.incidents.load import case_of
from labkit.incidents.systems import KEPT
from labkit.waiting import patience

if TYPE_CHECKING:
    from labkit.incidents.oncall import Incident

LATE_SECONDS = 10.0
LOOKED_AT = 30


def clock(seconds: float) -> str:
    """Return a time on call as ``MM:SS``."""
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"


def of(incident: Incident) -> str:
    """Return the page."""
    system = incident.system
    wrong = alarms(incident)
    told = [
        f"You are on call for {system.title}.",
        f"Apps: {', '.join(system.apps)}.",
        "What it promises:",
        *(f"  - {promise}" for promise in system.promises),
        f"What happened: a machine was replaced. {system.replaced[0]} was started again at once,"
        f" {system.replaced[1]} some seconds later.",
        f"The alarm: {_said(wrong)}",
    ]
    return "\n".join(told)


def alarms(incident: Incident) -> Counter[str]:
    """Return by workflow how many of the newest orders are not as promised, or late."""
    found: Counter[str] = Counter()
    for order in incident.kept.orders[-LOOKED_AT:]:
        seen = standing(incident, order)
        if seen != KEPT and not seen.endswith("under way"):
            found[incident.system.kinds[order.kind].workflow] += 1
    return found


def is_clear(incident: Incident) -> bool:
    """Whether nothing is under way any more: then the alarm says all that it can."""
    seen = [standing(incident, o) for o in incident.kept.orders[-LOOKED_AT:]]
    return not any(words.endswith("under way") for words in seen)


def _said(wrong: Counter[str]) -> str:
    if not wrong:
        return "no order is late or wrong at this moment; users complain about some that were."
    named = ", ".join(f"{name}: {count}" for name, count in sorted(wrong.items()))
    return f"orders are late or not as promised: {named}."


def standing(incident: Incident, order: Placed) -> str:
    """Say how an order stands: ``KEPT``, what is wrong, late, or under way."""
    if order.refused:
        return "not accepted"
    seen = judging.judged(incident, order)
    if seen:
        return seen
    age = time.time() - order.at
    return f"no end after {age:.0f} s" if age > LATE_SECONDS * patience() else "under way"


def orders(incident: Incident, newest: int) -> str:
    """Return the newest orders, one a line."""
    rows = []
    for order in incident.kept.orders[-newest:]:
        kind = incident.system.kinds[order.kind]
        took = _took(incident, order)
        seen = order.refused or standing(incident, order)
        line = f"{order.id:<10} {kind.workflow:<28} {kind.name:<11} {took:>7}  {seen}"
        rows.append(line[:200])
    return "\n".join([f"{len(incident.kept.orders)} orders so far; the newest:", *rows])


def _took(incident: Incident, order: Placed) -> str:
    """Say how long an ended order took, by its history."""
    if order.refused:
        return "-"
    try:
        run = case_of(incident.bare, incident.system, order).run
        if run.status not in ENDED:
            return "…"
        events = run.history.events
        return f"{(events[-1].time - events[0].time).total_seconds():.1f} s"
    except Exception:
        return "?"
