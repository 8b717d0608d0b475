"""An incident from the page to the report: begin, investigate, diagnose, repair, be judged.

The lab of an incident is an ordinary one, in the process that began it. Whoever leaves takes
nothing along: all processes end, files and stores stay, and :func:`resume` goes on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import Any

from labkit import paths
from labkit.course import evidence
from labkit.course.verdict import Verdict
from labkit.errors import LabError
from labkit.exercises.accidents import happen
from labkit.incidents import deployed, drawing, judging, kept, page, report
from labkit.incidents.asked import Asked
from labkit.incidents.deployed import folder, prepare, system_of
from labkit.incidents.desk import Desk
from labkit.incidents.drawing import Sealed
from labkit.incidents.faults import Fault, causes
from labkit.incidents.kept import Kept
from labkit.incidents.load import Load
from labkit.incidents.systems import System
from labkit.labs import runs
from labkit.labs.lab import Lab
from labkit.notebook.texts import Text
from labkit.waiting import patience, poll
from labkit.workfiles import set_aside

UP_SECONDS = 4.0
"""A start waits for so long, and longer on a busy machine (lab.up sees to that): a system in which
something is wrong may never be ready."""
CONNECTED_SECONDS = 10.0
MOST_STARTS = 4
MOMENT_SECONDS = 6.0
AWAY_SECONDS = 6.0
ALARM_SECONDS = 12.0


class Incident:
    """One incident, with its running lab.

    Attributes:
        lab: the lab; what is asked of it is noted for the report.

    Args:
        open_: what is kept of it.
        resumed: whether its files and its run are there already.
    """

    def __init__(self, open_: Kept, *, resumed: bool = False) -> None:
        self.kept = open_
        self.id = _id(open_)
        self._faults = open_.sealed.opened()
        self.system: System = system_of(self._faults[0])
        self._ended = False
        if not resumed:
            set_aside(folder())
            prepare(self._faults)
        self._lab = Lab(folder(), resume=resumed and _was_run())
        self.load = Load(lambda: self._lab, self.system, open_)
        try:
            self._begin(resumed)
        except BaseException:
            self.leave()
            raise

    # --- what somebody on call does ----------------------------------------------------------

    @property
    def lab(self) -> Any:
        """The lab as it is now, whose questions are noted."""
        return Asked(self._lab, self._note)

    @property
    def clock(self) -> Text:
        """The time on call, in minutes and seconds."""
        return Text(page.clock(self.kept.clock))

    @property
    def page(self) -> Text:
        """What you were called for."""
        return Text(page.of(self))

    def ask(self, line: str) -> Text:
        """Return the answer to a command of ``./lab incident``, e.g. ``"logs audit-service"``.

        Raises:
            LabError: it is no command, or what it asks has no answer.
            NotOnCall: the incident was closed or left.
        """
        self._require_on(f"ask({line!r})")
        return Text(Desk(self, ask=lambda prompt: "").run(line))

    def orders(self, newest: int = 12) -> Text:
        """Return the newest orders of the load, and how each of them stands."""
        self._note("orders", "")
        return Text(page.orders(self, newest))

    def restart(self, *app_ids: str) -> Text:
        """Start apps again with the files as they are now; without a name, the whole system.

        Stores, inbox and ledgers stay. The run file is read again only for the whole system.

        Raises:
            NotOnCall: the incident was closed or left.
        """
        self._require_on("restart()")
        self._note("restart", " ".join(app_ids))
        with self._no_orders():
            if app_ids:
                self._restart(app_ids)
            else:
                self._restart_all()
        return Text(self._lab.status())

    def up(self, *app_ids: str) -> Text:
        """Start what does not run; return the processes.

        Raises:
            NotOnCall: the incident was closed or left.
        """
        self._require_on("up()")
        self._note("up", " ".join(app_ids))
        with self._no_orders(), _Quietly():
            self._lab.up(*app_ids, within=UP_SECONDS, announce=False)
        return Text(self._lab.status())

    def places(self) -> list[str]:
        """Return the places that a diagnosis can name: files of the system, and processes."""
        files = sorted(
            str(f.relative_to(folder()))
            for f in folder().rglob("*")
            if f.suffix in (".py", ".yaml", ".sh") and "__pycache__" not in f.parts
        )
        parts = [f"{a.app_id} {p}" for a in self._lab.started_apps() for p in ("sidecar", "worker")]
        return [*files, *parts, "placement", "scheduler", "mail"]

    def causes(self) -> list[str]:
        """Return the causes that a diagnosis can name; one list for all incidents."""
        return causes()

    def diagnose(self, place: str, cause: str, words: str = "") -> Text:
        """Note what is wrong, and where. With two faults, say each in a diagnosis of its own.

        Args:
            place: one of :meth:`places`.
            cause: one of :meth:`causes`, or its number in the list, from 1.
            words: which observation led you there, in your own words. They are kept, not judged.

        Raises:
            WrongDiagnosis: there is no such place or cause; names the nearest.
            NotOnCall: the incident was closed or left.
        """
        self._require_on("diagnose()")
        found = judging.diagnosis(self, place, cause, words)
        self.kept.diagnoses.append(found)
        self.kept.save()
        facts = {"place": found.place, "cause": found.cause, "seconds": round(found.after)}
        evidence.note("incident", self.id, what="diagnosis", text=words, **facts)
        return Text(f"Noted at {page.clock(found.after)}. It is judged with your repair.")

    def verdict(self) -> Verdict:
        """Judge the diagnosis and the repair; closes the incident when both are right.

        Raises:
            NotOnCall: the incident was closed or left.
        """
        self._require_on("verdict()")
        found = judging.judge(self)
        evidence.note(
            "incident", self.id, what="verdict", outcome=found.outcome,
            seconds=round(self.kept.clock), step=found.rows[-1].step if found.rows else None,
        )  # fmt: skip
        if found.passed:
            self._close("solved")
        return found

    def give_up(self) -> Text:
        """End the incident and open the seal; one that was closed keeps its end."""
        if kept.is_open():
            self._close("given up")
        return Text(report.of(self.id))

    def hand_over(self) -> Text:
        """Let a colleague repair it as the reference does, and return the report.

        An incident that you have closed stays as it is.
        """
        if kept.is_open():
            self._require_on("hand_over()")
            texts = deployed.read(folder())
            for fault in self._faults:
                texts = deployed.repaired_or_same(texts, fault)
            deployed.write(folder(), texts)
            self.restart()
            rows = judging.repaired(self)
            for _ in range(MOST_STARTS):
                if self._lab.troubles():  # work of before may end a process once more
                    self.up()
                    rows = judging.repaired(self)
            how = "handed over" if all(r.outcome == "passed" for r in rows) else "given up"
            self._close(how)
        return Text(report.of(self.id))

    def answer(self) -> Text:
        """Return what was wrong, where, and what decides; after the incident."""
        if kept.is_open():
            return Text("The answer comes when the incident is closed.")
        return Text("\n".join(report.what(self._faults)))

    def where(self) -> str:
        """Return the kind of place where the first fault was; after the incident."""
        if kept.is_open():
            return "not known yet"
        own = self._faults[0].exercise
        if own.accident:
            return "a process"
        first = own.repair[0].file
        if not first.endswith((".py", ".sh")):
            return "the run file or a component"
        host = first.startswith(self.system.host)
        return "code of the app that calls" if host else "code of an app that is called"

    def report(self) -> Text:
        """Return what was wrong, how long it took, and what you asked; after the incident."""
        if kept.is_open():
            return Text("The report comes when the incident is closed: verdict() or give_up().")
        return Text(report.of(self.id))

    def leave(self) -> None:
        """End all processes, and keep the incident for later; the clock stands still."""
        if self._ended:
            return
        self._ended = True
        self.load.stop()
        if kept.is_open():
            self.kept.hurt = self.kept.hurt and judging.is_hurt(self)
            self.kept.spent, self.kept.since = self.kept.clock, None
            self.kept.save()
        self._lab.down()

    def __enter__(self) -> Incident:
        return self

    def __exit__(self, *problem: object) -> None:
        self.leave()

    def __repr__(self) -> str:
        return str(self.page)

    # --- inside ------------------------------------------------------------------------------

    @property
    def bare(self) -> Lab:
        """The lab itself, for what is not the learner's question."""
        return self._lab

    def noted(self, kind: str, about: str) -> None:
        """Note a question that was not put to the lab itself."""
        self._note(kind, about)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is wrong; not for those who are on call."""
        return self._faults

    def _begin(self, resumed: bool) -> None:
        self._quiet_up()
        if not resumed:
            self._story()
        if self._accident and (self.kept.hurt or not resumed):
            for step in self._accident:
                with suppress(LabError):
                    happen(step, self._lab)
            self.kept.hurt = True
        if resumed:
            self.load.place_all()
        self.load.start()
        poll(lambda: page.is_clear(self), _within(ALARM_SECONDS), 0.5)
        self.kept.since = time.time()
        self.kept.save()
        event = "resumed" if resumed else "begun"
        evidence.note("incident", self.id, what=event, seconds=round(self.kept.clock))

    def _story(self) -> None:
        """Orders come, a machine is replaced while they are under way, more orders come."""
        lab, (host, other) = self._lab, self.system.replaced
        before = self._moment()
        self.load.place_all(special=True)
        poll(lambda: self._moment() > before, _within(MOMENT_SECONDS), 0.02)
        with suppress(LabError):
            for app_id in (other, host):
                lab.kill(app_id, "worker", announce=False)
            lab.app(host).start()
            poll(lambda: lab.app(host).connected_workers(), _within(CONNECTED_SECONDS), 0.2)
        self.load.place_all()
        poll(lambda: False, AWAY_SECONDS, 0.5)
        self._quiet_up()
        self.load.place_all()

    def _moment(self) -> int:
        with suppress(Exception):
            return self.system.moment(self._lab)
        return 0

    @property
    def _accident(self) -> tuple[str, ...]:
        return tuple(step for f in self._faults for step in f.exercise.accident)

    def _quiet_up(self) -> None:
        """Start everything; what does not start is for the learner to find out."""
        with _Quietly():
            self._lab.up(within=UP_SECONDS, announce=False)

    def _restart(self, app_ids: Sequence[str]) -> None:
        for app_id in app_ids:
            self._lab.app(app_id)
            with _Quietly():
                self._lab.restart(app_id, within=UP_SECONDS, announce=False)

    def _restart_all(self) -> None:
        """End everything and start it again; a run file that is wrong is an error, now."""
        self._lab.down()
        self._lab = Lab(folder(), resume=True)
        self.kept.hurt = False
        self._quiet_up()

    @contextmanager
    def _no_orders(self) -> Iterator[None]:
        """Within the block no order is placed; one of each kind comes after it."""
        self.load.stop()
        try:
            yield
            self.load.await_scheduler()
            self.load.place_all()
        finally:
            self.load.start()

    def _require_on(self, asked: str) -> None:
        """Raise NotOnCall when the processes of this incident have been ended."""
        if not self._ended:
            return
        left = kept.is_open()
        raise judging.NotOnCall(
            f"the incident was {'left' if left else 'closed'}, and its lab does not run",
            asked=f"{self.id}: {asked}",
            found="left, with all files and stores kept" if left else "closed, with a report",
            look_at="the file of what is kept: .lab/incident.json" if left else "report()",
            fix="go on with it: incident(resume=True)" if left else "begin another one: incident()",
        )

    def _note(self, kind: str, about: str) -> None:
        evidence.note("question", self.id, asked=kind, about=about)

    def _close(self, how: str) -> None:
        _note_end(self.kept, self._faults, how)
        self.leave()


class _Quietly:
    """Prints nothing, and lets a system that does not start be one."""

    def __enter__(self) -> None:
        self._out = redirect_stdout(StringIO())
        self._out.__enter__()

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> bool:
        self._out.__exit__(kind, value, traceback)
        return isinstance(value, LabError)


def _within(seconds: float) -> float:
    """Return a deadline: longer on a busy machine, but nobody waits for minutes."""
    return seconds * min(patience(), 4)


def _was_run() -> bool:
    run_file = str(folder() / "dapr.yaml")
    return any(r.facts.get("run_file") == run_file for r in runs.all_runs())


# --- beginning ---------------------------------------------------------------------------------


def incident(
    seed: int | None = None,
    *,
    file: str | Path | None = None,
    case: str | None = None,
    resume: bool = False,
) -> Incident:
    """Draw an incident and begin it, or go on with the one that was left.

    Args:
        seed: draws the same one again.
        file: one that was saved and sent to you.
        case: one that comes with the course, by its name in ``authoring/cases``.
        resume: go on with the one that was left. A case of the course is gone on with by itself.

    Raises:
        OneIsOpen: another one was left and not closed.
        NoIncident: there is none to go on with.
        WrongIncident: the file does not hold one.
    """
    if case:
        file = paths.repo() / "authoring" / "cases" / f"{case}.txt"
        resume = kept.is_open() and kept.load().sealed == drawing.read(file)
    if resume:
        return Incident(kept.load(), resumed=True)
    judging.require_none_open()
    sealed: Sealed = drawing.read(Path(file)) if file else drawing.draw(seed)
    return begin(sealed)


def given_up(open_: Kept) -> Text:
    """Close an incident that was left; nothing is started. Return its report."""
    _note_end(open_, open_.sealed.opened(), "given up")
    return Text(report.of(_id(open_)))


def _note_end(open_: Kept, faults: Sequence[Fault], how: str) -> None:
    facts = {"faults": [f.id for f in faults], "seconds": round(open_.clock)}
    to_cause = judging.cause_at(open_.diagnoses, faults)
    evidence.note("incident", _id(open_), what=how, to_cause=to_cause, **facts)
    open_.spent, open_.since = open_.clock, None
    open_.close()


def _id(open_: Kept) -> str:
    return f"incident-{open_.sealed.seed}"


def begin(sealed: Sealed) -> Incident:
    """Begin an incident that was drawn."""
    return Incident(Kept(sealed))
