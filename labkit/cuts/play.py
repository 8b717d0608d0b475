"""Plays one cut: a lab of its own, one run, one cut, the end, the question."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.cuts.invariant import Answer, Invariant, InvariantHangs, ask, load
from labkit.cuts.outcome import Outcome, Result
from labkit.cuts.plan import Cut, Point, points_of
from labkit.cuts.raising import hooked, raised_in
from labkit.errors import LabError, ObservationError
from labkit.history import ENDED, HistoryEvent, events_of
from labkit.labs.lab import Lab
from labkit.labs.workflowrun import NotFinished
from labkit.waiting import Deadline, patience

READY_SECONDS = 60.0
PICTURE, WORDS = "swimlane.html", "swimlane.txt"
LOOK_SECONDS = 0.004
"""Between two looks at a history; a step of a workflow takes 10 ms and more on SQLite."""
REACH_SECONDS = 30.0
QUIET_SECONDS = 0.3
ASK_SECONDS = 30.0
"""How long an invariant may take."""
SECOND_SECONDS = 2.0
"""A promise that seems broken is asked about again after so long: something may be on its way."""


@dataclass(frozen=True)
class Task:
    """What every run of a study has in common.

    Attributes:
        host: the app whose client starts the workflow.
        given: the input of the workflow.
        events: external events that are raised right after the start, name to value.
        delay: seconds from the event to the cut: the middle of an activity that takes a while.
        away: seconds until what was killed is brought back, or goes on after a stop.
        end: deadline for the end of the workflow, in seconds; longer on a busy machine.
        asking: seconds that the invariant may take; longer on a busy machine.
        keep: folder for the run folders that are kept.
    """

    run_file: str
    workflow: str
    host: str
    given: Any
    invariant: str
    instance_id: str = "order"
    events: Mapping[str, Any] = field(default_factory=dict)
    delay: float = 0.0
    away: float = 0.5
    end: float = 60.0
    asking: float = ASK_SECONDS
    keep: str = ""


def longest(task: Task) -> float:
    """Return the seconds that one cut takes at most; longer on a busy machine."""
    asked = 2 * task.asking + SECOND_SECONDS + QUIET_SECONDS
    return 2 * READY_SECONDS + REACH_SECONDS + task.delay + task.away + task.end + asked


def record(task: Task) -> tuple[Result, list[Point]]:
    """Play the run without a cut; return its result, and the points where it can be cut."""
    points: list[Point] = []

    def learn(lab: Lab) -> None:
        points.extend(points_of(lab.run(task.instance_id).history))

    return _played(task, None, learn), points


def play(task: Task, cut: Cut, *, keep: bool = False) -> Result:
    """Play the run with one cut.

    Args:
        keep: keep the run folder whatever comes of it; else that of a bad result only.
    """
    return _played(task, cut, keep=keep)


def _played(task: Task, cut: Cut | None, learn: Any = None, *, keep: bool = False) -> Result:
    name = cut.name if cut else "uncut"
    try:
        invariant = load(task.invariant)
        lab = Lab(task.run_file, private=True, env=_env(cut))
    except LabError as problem:
        return Result(name, "no lab", words=_words(problem))
    began = time.monotonic()
    try:
        lab.up(within=READY_SECONDS * patience(), announce=False)
        began = time.monotonic()
        result = _run(task, cut, lab, invariant, name)
        if learn is not None:
            learn(lab)
        if keep or result.is_bad:
            _draw(lab, task.instance_id)
    except LabError as problem:
        result = Result(name, "no lab", time.monotonic() - began, words=_words(problem))
    finally:
        lab.down()
    kept = _kept(task, lab.folder, name) if keep or result.is_bad else ""
    shutil.rmtree(lab.folder, ignore_errors=True)
    return Result(**{**result.as_dict(), "folder": kept})


def _run(task: Task, cut: Cut | None, lab: Lab, invariant: Invariant, name: str) -> Result:
    client, began = lab.client(task.host), time.time()
    client.schedule_new_workflow(task.workflow, input=task.given, instance_id=task.instance_id)
    for event, value in task.events.items():
        client.raise_workflow_event(task.instance_id, event, data=value)
    if cut is not None and cut.how != "raise":
        at = struck(lab, cut, task.instance_id, delay=task.delay, away=task.away)
        if at is None:
            return Result(name, "not reached", words=f"no {cut.point} in this run")
        began = at
    run = lab.run(task.instance_id)
    try:
        run.wait(usual=task.end)
    except NotFinished as problem:
        took = time.time() - began
        return Result(
            name, "not ended", took, _late(lab, task, cut, began), *_state(lab, task, problem)
        )
    took = time.time() - began
    if cut is not None and cut.how == "raise" and not raised_in(lab).exists():
        return Result(name, "not reached", words=f"{cut.point.name} was not called")
    holds, words = _asked(invariant, lab, task)
    outcome: Outcome = "no answer" if holds is None else "held" if holds else "violated"
    return Result(name, outcome, took, _late(lab, task, cut, began), run.status, words)


def _asked(invariant: Invariant, lab: Lab, task: Task) -> Answer:
    time.sleep(QUIET_SECONDS * patience())
    try:
        holds, words = ask(invariant, lab, task.instance_id, task.asking * patience())
        if holds:
            return holds, words
        time.sleep(SECOND_SECONDS * patience())
        return ask(invariant, lab, task.instance_id, task.asking * patience())
    except InvariantHangs as problem:
        return None, _words(problem)


# --- the cut ----------------------------------------------------------------------------------


def struck(
    lab: Lab, cut: Cut, instance_id: str, *, delay: float = 0.0, away: float = 0.5
) -> float | None:
    """Wait for the event of a cut in a run that is under way, make the cut, and end it.

    Args:
        cut: kill or stop; its point is one of this run, or of its children.
        instance_id: of the run.
        delay, away: see :class:`Task`.

    Returns:
        When it was made, in seconds since the epoch; None when the run ended without the event.
    """
    if not _reached(lab, instance_id, cut.point):
        return None
    time.sleep(delay)
    at = time.time()
    _made(lab, cut, away)
    return at


def _reached(lab: Lab, instance_id: str, point: Point) -> bool:
    """Wait until the event of a point is recorded; False when the run ends without it."""
    deadline = Deadline(REACH_SECONDS)
    look, ended_at = 0.0, 0.0
    while deadline.left() > 0:
        with suppress(ObservationError):
            if point.is_in(_events(lab, point)):
                return True
        if ended_at and time.monotonic() > ended_at:
            return False
        if not ended_at and time.monotonic() > look:
            look = time.monotonic() + 0.2
            with suppress(ObservationError):
                if lab.run(instance_id).status in ENDED:
                    ended_at = time.monotonic() + 0.1  # one more look at the history
        time.sleep(LOOK_SECONDS)
    return False


def _events(lab: Lab, point: Point) -> list[HistoryEvent]:
    app = lab.app(point.app_id)
    return events_of(app.grpc_address, app.shared.token, point.app_id, point.instance_id)


def _made(lab: Lab, cut: Cut, away: float) -> None:
    """Make the cut, and bring back what was hit."""
    if cut.how == "stop":
        with _stopped(lab, cut):
            time.sleep(away)
        return
    if cut.victim == "everything":
        for process in lab.processes():
            if process.is_alive:
                process.kill()
    for victim, part in cut.victims:
        lab.kill(victim, part, announce=False)
    time.sleep(away)
    lab.up(within=READY_SECONDS * patience(), announce=False)


@contextmanager
def _stopped(lab: Lab, cut: Cut) -> Iterator[None]:
    if cut.victim != "everything":
        (victim, part) = cut.victims[0]
        with lab.frozen(victim, part):
            yield
        return
    held = [p for p in lab.processes() if p.is_alive]
    for process in held:
        process.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in held:
            process.signal(signal.SIGCONT)


def _env(cut: Cut | None) -> dict[str, str]:
    """The environment that lets an activity raise an exception; empty for other cuts."""
    if cut is None or cut.how != "raise":
        return {}
    # An activity of this name in another app raises, too; names are unique in the course.
    return hooked(f"{cut.victim}:{cut.point.nth}:{cut.point.name}")


def _draw(lab: Lab, instance_id: str) -> None:
    """Leave the swimlane of a run in its folder, for the report."""
    with suppress(ObservationError):
        swimlane = lab.run(instance_id).swimlane()
        (lab.folder / PICTURE).write_text(swimlane.html, "utf-8")
        (lab.folder / WORDS).write_text(repr(swimlane), "utf-8")


# --- what is told -----------------------------------------------------------------------------


def _late(lab: Lab, task: Task, cut: Cut | None, at: float) -> int:
    """How many events were recorded between the event of the cut and the cut."""
    if cut is None or cut.how == "raise":
        return 0
    with suppress(ObservationError):
        events = [
            e for e in lab.run(task.instance_id).history.all_events if e.time.timestamp() < at
        ]
        places = [i for i, e in enumerate(events) if cut.point.is_in([e])]
        return len(events) - places[-1] - 1 if places else 0
    return 0


def _state(lab: Lab, task: Task, problem: NotFinished) -> tuple[str, str]:
    with suppress(ObservationError):
        run = lab.run(task.instance_id)
        return run.status, f"{problem.found}; last event: {run.history.all_events[-1]}"
    return "", problem.found


def _words(problem: LabError) -> str:
    return f"{problem.title}: {problem.found}"


def _kept(task: Task, folder: Path, name: str) -> str:
    """Copy a run folder to where it stays, without the scheduler's data (130 MB)."""
    target = Path(task.keep) / name
    shutil.rmtree(target, ignore_errors=True)
    left_out = shutil.ignore_patterns("scheduler", "lock", "*.sock")
    with suppress(OSError, shutil.Error):
        shutil.copytree(folder, target, ignore=left_out)
    return str(target)
