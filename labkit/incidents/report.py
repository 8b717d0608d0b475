"""The report after an incident: what was wrong, how long it took, what was asked; and earlier ones.

All of it comes from the file of evidence, so it can be made again at any time.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from labkit.course import evidence
from labkit.incidents.faults import Fault, faults
from labkit.incidents.page import clock

CLOSED = ("solved", "handed over", "given up")


@dataclass(frozen=True)
class Past:
    """An incident that was closed.

    Attributes:
        how: one of ``CLOSED``.
        to_cause: seconds until every fault was named; None if that never happened.
        asked: kind of evidence to how often it was asked for.
        acts: how often something was started again.
    """

    id: str
    how: str
    seconds: float
    to_cause: float | None
    faults: tuple[str, ...]
    diagnoses: int
    verdicts: int
    asked: Counter[str]
    acts: int


def past() -> list[Past]:
    """Return the incidents that were closed, oldest first."""
    found: list[Past] = []
    asked: dict[str, Counter[str]] = {}
    told: dict[str, Counter[str]] = {}
    for entry in evidence.scan():
        if entry.kind == "question":
            asked.setdefault(entry.id, Counter())[str(entry.facts.get("asked"))] += 1
        elif entry.kind == "incident":
            what = str(entry.facts.get("what"))
            if what == "begun":  # one that was neither solved nor given up is forgotten
                asked.pop(entry.id, None)
                told.pop(entry.id, None)
            told.setdefault(entry.id, Counter())[what] += 1
            if what in CLOSED:
                own = asked.pop(entry.id, Counter())
                found.append(_past(entry, own, told.pop(entry.id)))
    return found


def _past(entry: evidence.Entry, asked: Counter[str], told: Counter[str]) -> Past:
    facts: dict[str, Any] = entry.facts
    acts = asked.pop("restart", 0) + asked.pop("up", 0)
    return Past(
        entry.id, str(facts["what"]), float(facts.get("seconds") or 0), facts.get("to_cause"),
        tuple(facts.get("faults") or ()), told["diagnosis"], told["verdict"], asked, acts,
    )  # fmt: skip


def of(id: str) -> str:
    """Return the report of an incident that was closed, the newest of this ID."""
    known = past()
    mine = next((p for p in reversed(known) if p.id == id), None)
    if mine is None:
        return "There is no report: nothing of this incident was noted."
    return "\n".join([*_what(mine), *_how_long(mine), *_asked(mine), *_earlier(known, mine)])


def _what(mine: Past) -> list[str]:
    known = [faults()[id] for id in mine.faults if id in faults()]
    return [f"{mine.id}: {mine.how}", *what(known)]


def what(known: Iterable[Fault]) -> list[str]:
    """Return what was wrong, where, and what decides, for each fault."""
    lines = []
    for fault in known:
        where = ", ".join(sorted(fault.places))
        lines += [
            f"What was wrong: {fault.cause} ({where})",
            f"  seen:    {fault.seen}",
            f"  decides: {fault.evidence}",
        ]
    return lines


def _how_long(mine: Past) -> list[str]:
    cause = f"after {clock(mine.to_cause)}" if mine.to_cause is not None else "never"
    return [
        f"Time on call: {clock(mine.seconds)}. The cause was named: {cause}."
        f" Diagnoses: {mine.diagnoses}. Verdicts: {mine.verdicts}. Restarts: {mine.acts}."
    ]


def _asked(mine: Past) -> list[str]:
    if not mine.asked:
        return ["You asked the lab nothing; what you asked by curl or read in files is not seen."]
    listed = ", ".join(f"{kind} {count}" for kind, count in mine.asked.most_common())
    return [f"You asked for ({sum(mine.asked.values())} questions): {listed}."]


def _earlier(known: list[Past], mine: Past) -> list[str]:
    earlier = [p for p in known if p is not mine and p.to_cause is not None]
    if not earlier:
        return ["It is the first incident whose cause you have named." if mine.to_cause else ""]
    times = [p.to_cause for p in earlier if p.to_cause is not None]
    questions = [sum(p.asked.values()) for p in earlier]
    middle, asked = statistics.median(times), statistics.median(questions)
    return [
        f"Your {len(earlier)} earlier ones: cause named after {clock(middle)} (median),"
        f" with {asked:g} questions (median)."
    ]
