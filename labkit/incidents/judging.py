"""The verdict on an incident: the diagnosis, and the repair.

A diagnosis is judged by the place and the cause that it names: the place is compared with where the
fault was put. Its words are kept and never judged. A repair is judged by what the system does:
orders that came after it are as promised, and the files pass the check of their break lab in a
second lab, with data nobody knew.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stdout, suppress
from io import StringIO
from typing import TYPE_CHECKING

import psutil

from labkit.course.verdict import Row, Verdict
from labkit.errors import LabError, ObservationError
from labkit.exercises.cases import Case
from labkit.exercises.checking import try_out
from labkit.exercises.trial import Trial
from labkit.incidents import kept
from labkit.incidents.deployed import exercise_of
from labkit.incidents.faults import Fault, causes
from labkit.incidents.kept import Diagnosis, Placed
from labkit.incidents.load import case_of, has_ended
from labkit.incidents.systems import KEPT, start
from labkit.incidents.systems import kept as promise_kept
from labkit.waiting import busy, patience, poll

if TYPE_CHECKING:
    from labkit.incidents.oncall import Incident

NEW_SECONDS = 12.0
"""For so long a verdict waits for new orders of each kind; no longer where they are there."""
PROOF_SECONDS = 12.0
MOST_PATIENCE = 5.0
NO_END = "no end yet"
MOST_EARLY = 1
"""So many orders of a kind may be refused while a system is being started."""


class WrongDiagnosis(ObservationError):
    """A diagnosis names a place or a cause that there is not."""

    code = "wrong-diagnosis"


class OneIsOpen(ObservationError):
    """Another incident was begun and not closed."""

    code = "one-incident-is-open"


class NotOnCall(ObservationError):
    """Something was asked of an incident that was closed or left; its lab does not run."""

    code = "not-on-call"


def require_none_open() -> None:
    """Raise OneIsOpen when an incident was left and not closed."""
    if kept.is_open():
        raise OneIsOpen(
            "another incident is open",
            asked="begin an incident",
            found="one was begun, and neither solved nor given up",
            look_at="./lab incident --resume",
            fix="go on with it: ./lab incident --resume, or end it: ./lab incident --give-up",
        )


# --- the diagnosis -------------------------------------------------------------------------------


def diagnosis(incident: Incident, place: str, cause: str, words: str) -> Diagnosis:
    """Return a diagnosis in the names that there are.

    Raises:
        WrongDiagnosis: with the nearest name.
    """
    known = causes()
    cause = known[int(cause) - 1] if cause.isdigit() and 0 < int(cause) <= len(known) else cause
    place = place.strip().removeprefix("./")
    _require_one_of("place", place, incident.places())
    _require_one_of("cause", cause, known)
    return Diagnosis(incident.kept.clock, place, cause, words)


def _require_one_of(what: str, name: str, known: Sequence[str]) -> None:
    if name in known:
        return
    near = difflib.get_close_matches(name, known, 1, 0.3)
    raise WrongDiagnosis(
        f"there is no {what} {name!r}",
        asked=f"a diagnosis with the {what} {name!r}",
        found=f"{len(known)} {what}s, none of this name",
        look_at=f"the list of {what}s",
        fix=f"did you mean {near[0]!r}?" if near else f"take a {what} as the list has it",
    )


def named(diagnoses: Iterable[Diagnosis], fault: Fault) -> Diagnosis | None:
    """Return the first diagnosis that names a fault: its cause, and a place where it is."""
    hits = (d for d in diagnoses if d.cause == fault.cause and d.place in fault.places)
    return next(hits, None)


def cause_at(diagnoses: Sequence[Diagnosis], faults: Sequence[Fault]) -> float | None:
    """Return after how many seconds on call all faults were named; None if they were not."""
    found = [named(diagnoses, f) for f in faults]
    times = [d.after for d in found if d is not None]
    return round(max(times), 1) if len(times) == len(found) else None


def diagnosed(incident: Incident) -> Iterator[Row]:
    """Yield what can be said of the diagnosis without giving the fault away."""
    given = incident.kept.diagnoses
    if not given:
        yield _row("diagnosis", "you have said what is wrong, and where", "a diagnosis", "none",
                   "diagnose(place, cause, words)", "unknown")  # fmt: skip
        return
    last = given[-1]
    where = any(last.place in f.places for f in incident.faults)
    yield _row(
        "place",
        "a fault is at the place of your last diagnosis",
        "a place where a fault is",
        last.place if where else f"no fault was put at {last.place}",
        "ask again who can know: history, sidecar, logs, placement, ledgers",
        "passed" if where else "failed",
    )
    there = [f for f in incident.faults if last.place in f.places]
    good = any(f.cause == last.cause for f in there)
    yield _row(
        "cause",
        "the cause of your last diagnosis is the one there",
        "the cause of the fault at this place",
        last.cause if good else f"{last.cause}: that is not what is wrong there",
        "which observation would be different if this were the cause? Ask for it",
        "passed" if good else "failed",
    )
    missing = sum(named(given, f) is None for f in incident.faults)
    if good and missing:
        yield _row(
            "all", "every fault is named", "no other fault", "there is another fault",
            "what is still not as promised?", "failed",
        )  # fmt: skip


# --- the repair ----------------------------------------------------------------------------------


def judge(incident: Incident) -> Verdict:
    """Return the verdict: first the diagnosis, then what the system does, then the second lab."""
    rows: list[Row] = []
    for row in _questions(incident):
        rows.append(row)
        if row.outcome != "passed":
            break
    return Verdict("incident", tuple(rows))


def read_only(incident: Incident) -> list[Row]:
    """Return the rows that need no second lab; for the bench."""
    return [*diagnosed(incident), *_running(incident)]


def _questions(incident: Incident) -> Iterator[Row]:
    yield from diagnosed(incident)
    yield from _running(incident)
    if any(f.exercise.fault for f in incident.faults):
        yield from _proved(incident)


def repaired(incident: Incident) -> list[Row]:
    """Return what the running system says of a repair; without a second lab."""
    return list(_running(incident))


def _running(incident: Incident) -> Iterator[Row]:
    lab = incident.bare
    newer = sorted({f for app in lab.started_apps() for f in app.newer_files()})
    yield _row(
        "loaded", "the system runs the files as they are now", "no newer file",
        f"newer than what runs: {', '.join(newer[:3])}" if newer else "no newer file",
        "restart the app, or the whole system where dapr.yaml has changed",
        "unknown" if newer else "passed",
    )  # fmt: skip
    gone = [str(t) for t in lab.troubles()]
    yield _row(
        "processes", "all processes run", "all of them", gone[0] if gone else "all of them",
        "lab.status()", "failed" if gone else "passed",
    )  # fmt: skip
    yield _new_orders(incident)


def _new_orders(incident: Incident) -> Row:
    """Orders that came after the last change are as promised, one of each kind at least."""
    lab = incident.bare
    if incident.load.await_scheduler():
        incident.load.place_all()
    within = NEW_SECONDS * min(patience(), MOST_PATIENCE)
    seen, _ = poll(lambda: _is_known(incident), within, 0.2)
    found = seen or _standing(incident)
    if not all(words.endswith(KEPT) for words in found):
        # Two tables are not read at one moment: what is wrong is asked for a second time.
        found = _standing(incident)
    bad = [words for words in found if not words.endswith(KEPT)]
    observed, outcome = "; ".join(bad[:2]) or "all as promised", "failed" if bad else "passed"
    if bad and (ended := lab.troubles()):
        observed = f"{ended[0]}; {bad[0]}"
    elif bad and all(words.endswith(NO_END) for words in bad) and busy():
        # Nobody can tell one that never ends from one that is slow.
        observed, outcome = f"{bad[0]}; {busy()}", "unknown"
    return _row(
        "orders", "orders that came after your last change are as promised", "all as promised",
        observed, "orders(), then the history of one that is not", outcome,
    )  # fmt: skip


def _is_known(incident: Incident) -> list[str]:
    """Return how each kind stands once every kind has an order that ended, or one that is bad."""
    found = _standing(incident)
    if incident.bare.troubles():
        return found
    waiting = [words for words in found if words.endswith(NO_END)]
    bad = [w for w in found if not w.endswith(KEPT) and w not in waiting]
    return found if bad or not waiting else []


def _standing(incident: Incident) -> list[str]:
    """Say how the newest orders of each kind stand, in words that end with ``KEPT`` when good."""
    found = []
    recent = incident.load.recent()
    for number, kind in enumerate(incident.system.kinds):
        if kind.placed == "at the start":
            continue
        mine = [o for o in recent if o.kind == number]
        taken = [o for o in mine if not o.refused]
        # One that came while the system was being started says nothing.
        said = [judged(incident, o) for o in taken[:2] or mine[MOST_EARLY:][:1]]
        known = [words for words in said if words]
        worst = next((w for w in known if w != KEPT), known[0] if known else NO_END)
        found.append(f"{kind.workflow} ({kind.name}): {worst}")
    return found


def judged(incident: Incident, order: Placed) -> str:
    """Return ``KEPT``, or what is wrong with an order; "" when that is not known yet."""
    if order.refused:
        return "was not accepted"
    kind = incident.system.kinds[order.kind]
    lab = incident.bare
    if kind.ends and not has_ended(lab, incident.system, order):
        return ""
    with suppress(Exception):
        if lab.app(incident.system.host).lacks_actor_store():
            return ""
    return promise_kept(kind, case_of(lab, incident.system, order))


# --- the second lab ------------------------------------------------------------------------------


def _proved(incident: Incident) -> Iterator[Row]:
    """Yield the rows of the second lab: for each fault the check of its break lab."""
    for fault in incident.faults:
        if fault.exercise.fault and not fault.more:
            yield from try_out(exercise_of(fault))
    if any(f.more for f in incident.faults):
        yield _promised_elsewhere(incident)


def _promised_elsewhere(incident: Incident) -> Row:
    """All kinds of orders are as promised in a second lab of the same files."""
    trial = Trial(exercise_of(incident.faults[0]))
    try:
        with redirect_stdout(StringIO()):
            seen = _all_kinds(incident, trial)
    except LabError as problem:
        seen = [f"{problem.title}: {problem.found}"]
    finally:
        trial.close()
    return Row(
        "again", "orders that nobody knew before are as promised", "all as promised",
        "; ".join(seen) or "as expected", f"the logs of the second lab: {trial.folder}",
        "failed" if seen else "passed", "second lab",
    )  # fmt: skip


def _all_kinds(incident: Incident, trial: Trial) -> list[str]:
    """Return what is not as promised in a second lab."""
    lab, cases = trial.lab(), []
    for kind in incident.system.kinds:
        if kind.placed != "always":
            continue
        id, given = trial.draw.instance_id(), kind.given(trial.draw)
        start(lab.app(incident.system.host), kind, id, given)
        if kind.tell:
            kind.tell(lab, id)
        cases.append((kind, Case(lab, id, kind.workflow, given)))
    within = PROOF_SECONDS * patience()
    poll(lambda: all(promise_kept(k, c) for k, c in cases), within, 0.2)
    found = [(k, promise_kept(k, c) or NO_END) for k, c in cases]
    return [f"{k.workflow} ({k.name}): {words}" for k, words in found if words != KEPT]


def is_hurt(incident: Incident) -> bool:
    """Whether something that an accident has ended or frozen is still ended or frozen."""
    lab = incident.bare
    names = {p for f in incident.faults if f.exercise.accident for p in f.places}
    mine = [p for p in lab.processes() if p.name in names]
    return any(not p.is_alive or _is_frozen(p.pid) for p in mine)


def _is_frozen(pid: int) -> bool:
    with suppress(psutil.Error):
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    return False


def _row(step: str, checked: str, expected: str, observed: str, look_at: str, outcome: str) -> Row:
    return Row(step, checked, expected, observed, look_at, outcome)  # type: ignore[arg-type]
