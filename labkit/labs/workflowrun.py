"""The handle of one workflow instance: wait for it, read its state, history and picture."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import grpc

from labkit import prometheus, tracing
from labkit.apps import replicas
from labkit.apps.app import App
from labkit.apps.parts import PARTS
from labkit.apps.sidecar import SidecarSilent
from labkit.errors import LabError, ObservationError
from labkit.history import (
    ENDED,
    HistoryEvent,
    RunHistory,
    SidecarUnreachable,
    UnknownInstance,
    cuts,
    events_of,
    instance_ids_of,
    join,
    standstill,
)
from labkit.notebook.widgets import Picture
from labkit.processes import lives
from labkit.processes.lives import Trouble
from labkit.prometheus import Sample, samples
from labkit.runfile import app_id_of
from labkit.swimlane import Swimlane
from labkit.telemetry import RunLogs, RunMetrics, Views, Waterfall, lines_of
from labkit.telemetry.views import Shown
from labkit.waiting import Deadline, Reason, patience, pause

if TYPE_CHECKING:
    from dapr.ext.workflow import DaprWorkflowClient, WorkflowState

POLL_SECONDS, WAIT_SECONDS = 0.1, 30.0
"""Polling a state more often makes 1.18.1 fail now and then with "inbox key ... missing"."""
PASSING_SECONDS = 5.0
SETTLE_SECONDS = 60.0
GONE_SECONDS = 1.0
"""A process that a workflow needs may be gone for so long: another thread may start it again."""
QUIET_SECONDS = 1.5
"""A workflow stands still when its history has had no event for so long, and its app has ended."""
LOOK_SECONDS = 0.5
MOST_LOOKED_AT = 50
BUSY_SECONDS = 3.0
TRACE_SECONDS = 3.0
"""Spans come 0.2 s after their end; those of a sidecar that was killed never come."""
COUNTED_SECONDS = 1.0
COUNTERS = '{__name__=~"dapr_runtime_workflow_(activity_)?execution_(count|latency_(count|sum))"}'


class InstanceUnknown(ObservationError):
    """No running app knows the instance ID."""

    code = "instance-unknown"


class NotFinished(ObservationError):
    """A workflow did not end before the deadline."""

    code = "not-finished"


class NotBegun(UnknownInstance):
    """An instance was accepted, and its first turn has not been written: it has no history yet."""

    code = "not-begun"


class StateNotReadable(ObservationError):
    """A sidecar refused to report the state of an instance."""

    code = "state-not-readable"


class NotTraced(ObservationError):
    """The apps of a run send no spans to the lab."""

    code = "not-traced"


class LabView(Protocol):
    """What a run needs of its lab."""

    @property
    def folder(self) -> Path: ...
    def client(self, app_id: str) -> DaprWorkflowClient: ...
    def app(self, app_id: str) -> App: ...
    def started_apps(self) -> Iterable[App]: ...
    def troubles(self) -> list[Trouble]: ...
    def obstacles(self) -> list[Reason]: ...


@dataclass(frozen=True)
class Failure:
    """Why a workflow failed, in the SDK's words."""

    error_type: str
    message: str


class Run:
    """One workflow instance, hosted by ``app_id``."""

    def __init__(self, lab: LabView, instance_id: str, app_id: str) -> None:
        self._lab = lab
        self.instance_id = instance_id
        self.app_id = app_id

    def __repr__(self) -> str:
        return f"Run({self.instance_id!r} on {self.app_id}: {self.status})"

    @property
    def status(self) -> str:
        """The runtime's word: RUNNING, COMPLETED, FAILED, TERMINATED and more.

        PENDING has been accepted and not begun; SUSPENDED goes on when it is resumed; STALLED is
        held by the runtime, and ``history`` says why. All of them: ``labkit.history.STATUSES``.

        Raises:
            InstanceUnknown: the app's sidecar has no such instance.
        """
        return str(self._state().runtime_status.name)

    @property
    def output(self) -> Any:
        """The result of the workflow, parsed from JSON; None as long as there is none."""
        state = self._state()
        # A failed workflow's output is not JSON: read ``failure`` instead.
        text = None if state.failure_details else state.serialized_output
        return json.loads(text) if text else None

    @property
    def input(self) -> Any:
        """The input of the workflow, parsed from JSON."""
        text = self._state().serialized_input
        return json.loads(text) if text else None

    @property
    def failure(self) -> Failure | None:
        """Why it failed; None when it did not."""
        details = self._state().failure_details
        return Failure(details.error_type, details.message) if details else None

    @property
    def has_ended(self) -> bool:
        """Whether the status is a final one."""
        return self.status in ENDED

    @property
    def history(self) -> RunHistory:
        """The history of this instance and of its children, each read from the app that ran it.

        Raises:
            NotBegun: its first turn is not written yet.
        """
        try:
            return join(self.app_id, self.instance_id, self._fetch)
        except UnknownInstance as problem:
            if (status := self._status_now()) in ("PENDING", "RUNNING", "SUSPENDED"):
                raise _not_begun(self, status) from problem
            raise

    def wait(self, within: float | None = None, *, usual: float = WAIT_SECONDS) -> Run:
        """Wait until the workflow has ended, in whatever way; return this run.

        Args:
            within: deadline in seconds, as named; None means ``usual``.
            usual: deadline on a usual machine, in seconds; on one that is busy or slow as many
                times that as :func:`labkit.waiting.patience` says until its end.

        Raises:
            NotFinished: it still runs at the deadline; says which processes have ended. Raised
                at once when it cannot go on, because the app that it waits for has ended.
            KeyboardInterrupt: the stop button; the workflow goes on.
        """
        began = time.monotonic()
        given = usual if within is None else within
        status, stuck = self._watch(given, grows=within is None)
        if status in ENDED:
            return self
        raise self._not_finished(time.monotonic() - began, status, stuck)

    def settle(self, within: float = 5) -> str:
        """Wait until the workflow has ended, or stands still; return the status then.

        Args:
            within: it stands still when its history has had no new event for so many seconds;
                on a busy machine 3 s more for each step of :func:`labkit.waiting.patience`. As
                long as there are some, this goes on, at most for 60 s more, and for as many times
                60 s on a busy machine.

        Raises:
            StateNotReadable: the sidecar of its app does not answer.
        """
        quiet, end = _quiet(within), time.monotonic() + within + SETTLE_SECONDS * patience()
        left = quiet
        while left >= 0 and time.monotonic() < end:
            status, stuck = self._watch(left)
            if status in ENDED or stuck:
                break
            quiet = max(quiet, _quiet(within))
            left = quiet - self._quiet_seconds() if within else -1
        return self.status

    def _watch(self, within: float, *, grows: bool = False) -> tuple[str, list[Trouble]]:
        """Return the status at the end, at the deadline, or when the workflow is stuck; and why.

        Args:
            grows: the deadline is later while the machine is busy.
        """
        deadline, look = Deadline(within, grows=grows), 0.0
        while True:
            asked = time.monotonic()
            status = self._status_now()
            if status in ENDED:
                return status, []
            if time.monotonic() >= look:
                look = time.monotonic() + LOOK_SECONDS
                if stuck := self._stuck():
                    return self._status_now(), stuck
            if deadline.left() <= 0:
                return status, []
            time.sleep(pause(time.monotonic() - asked, POLL_SECONDS))

    def _status_now(self) -> str:
        try:
            return self.status
        except StateNotReadable as problem:
            return f"not readable ({problem.found})"

    def _stuck(self) -> list[Trouble]:
        """Return the ended processes without which this workflow cannot go on; empty if it can."""
        gone = [t for t in self._lab.troubles() if time.time() - t.since >= GONE_SECONDS]
        away = replicas.all_gone(gone, self._lab.started_apps())
        if own := [t for t in gone if self._is_own(t, away)]:
            return own
        others = [t for t in gone if t.part != "process"]
        if not others or self._quiet_seconds() < QUIET_SECONDS * min(patience(), 3):
            return []
        return others if self._waits_for() <= away else []

    def _is_own(self, trouble: Trouble, away: set[str]) -> bool:
        """Whether it is about the app of this workflow, none of whose replicas is there, or all."""
        is_own = app_id_of(trouble.name) == self.app_id and self.app_id in away
        return is_own or trouble.name == lives.WHOLE

    def _waits_for(self) -> set[str]:
        """Return the apps in which a step of this workflow runs, or should; its own for a timer."""
        try:
            histories = list(self.history.walk())
        except ObservationError:
            return {self.app_id}
        read = {h.instance_id for h in histories}
        steps = [s for h in histories for s in h.own_steps() if s.ended is None]
        return {s.app_id for s in steps if s.child_instance_id not in read}

    def _quiet_seconds(self) -> float:
        """How long ago the last event came; infinite when it is not known."""
        try:
            return time.time() - max(e.time for e in self.history.all_events).timestamp()
        except (ObservationError, ValueError):
            return math.inf

    def swimlane(self) -> Swimlane:
        """Return the picture of this run: one lane per app ID."""
        history, now = self.history, time.time()
        since = min(event.time for event in history.all_events).timestamp()
        apps = list(self._lab.started_apps())
        downs = replicas.downs(apps, since)
        cut = [c for app in apps for c in cuts(app.app_id, app.logs("sidecar"))]
        return Swimlane(history, down=downs, cuts=cut, now=now)

    def show(self) -> Swimlane:
        """The same as :meth:`swimlane`, for the last line of a cell."""
        return self.swimlane()

    def live(self, within: float = 60, every: float = 0.5) -> Picture:
        """Return the picture as a widget that is redrawn while the run is going.

        Args:
            within: redrawn at most so long, in seconds.
            every: seconds between two drawings.
        """
        view = Picture(self.swimlane().html, lambda: repr(self.swimlane()))

        def redraw() -> None:
            deadline = time.monotonic() + within
            ended = False
            while not ended and time.monotonic() < deadline:
                time.sleep(every)
                with suppress(LabError):  # a sidecar that is down: draw again later
                    ended = self.has_ended
                    view.value = self.swimlane().html

        threading.Thread(target=redraw, daemon=True, name=f"live {self.instance_id}").start()
        return view

    # --- the other views ---------------------------------------------------------------------

    def trace(self, within: float = TRACE_SECONDS) -> Waterfall:
        """Return the spans of this run, where its apps send them (see docs/views.md).

        A span is sent some moments after what it stands for has ended, so those of ended steps are
        waited for.

        Args:
            within: at most so long, in seconds; those that have not come then are named as missing.

        Raises:
            NotTraced: no Configuration of the run file sends spans to the lab.
        """
        file, history = self._lab.folder / tracing.FILE, self.history
        if not file.exists():
            raise not_traced(f"the trace of {self.instance_id}")
        ids = [h.instance_id for h in history.walk()]

        def looked() -> Waterfall:
            return Waterfall(tracing.of_instance(tracing.read(file), ids), history)

        def whole(view: Waterfall) -> bool:
            return bool(view.spans) and not any(bar.ended for bar in view.missing)

        deadline = Deadline(within)
        while not whole(view := looked()) and deadline.left() > 0:
            time.sleep(POLL_SECONDS)
        return view

    def metrics(self) -> RunMetrics:
        """Return what the sidecars have counted of the steps of this run.

        Metrics know no instance IDs: the executions of other instances are in the counts, those
        before this run not, where Prometheus runs.
        """
        history, deadline = self.history, Deadline(COUNTED_SECONDS)
        before = self._counted_before(history)
        while True:
            found = RunMetrics(history, self._counted_now(), before)
            if not found.late or deadline.left() <= 0:
                return found
            time.sleep(POLL_SECONDS)

    def logs(self) -> RunLogs:
        """Return the lines of the logs that name this run, and the warnings of the same time."""
        history = self.history
        ids = [h.instance_id for h in history.walk()]
        times = [event.time.timestamp() for event in history.all_events]
        ended = max(times) if history.status in ENDED else time.time()
        found = [
            line
            for app in self._lab.started_apps()
            for part in PARTS
            for line in lines_of(app.app_id, part, app.logs(part), ids, min(times), ended)
        ]
        return RunLogs(sorted(found, key=lambda line: line.at or 0.0))

    def views(self) -> Views:
        """Return swimlane, trace, metrics and logs of this run, side by side."""
        asked: dict[str, Callable[[], Shown]] = {
            "swimlane": self.swimlane,
            "trace": self.trace,
            "metrics": self.metrics,
            "logs": self.logs,
        }
        return Views({name: _seen(view) for name, view in asked.items()})

    def _counted_now(self) -> list[Sample]:
        found: list[Sample] = []
        for app in self._lab.started_apps():
            with suppress(SidecarSilent):
                found += samples(app.metrics())
        return found

    def _counted_before(self, history: RunHistory) -> list[Sample] | None:
        """Return the values of the moment before the run began; None when nobody has kept them."""
        handle = prometheus.of_folder(self._lab.folder)
        if handle is None:
            return None
        began = min(event.time for event in history.all_events).timestamp()
        with suppress(prometheus.PrometheusSilent):
            return handle.query(COUNTERS, at=began)
        return None

    def _state(self) -> WorkflowState:
        state = state_of(self._lab, self.app_id, self.instance_id)
        if state is None:
            raise unknown(self.instance_id, [self.app_id])
        return state

    def _fetch(self, app_id: str, instance_id: str) -> list[HistoryEvent]:
        app = self._lab.app(app_id)
        try:
            return events_of(app.grpc_address, app.shared.token, app_id, instance_id)
        except SidecarUnreachable as problem:
            raise _not_readable(app, f"the history of {instance_id}", problem.found) from problem

    def _standstill(self, status: str) -> tuple[list[str], str]:
        try:
            return standstill(self.history, status)
        except ObservationError as problem:
            return [problem.found], problem.fix

    def _not_finished(self, late: float, status: str, stuck: list[Trouble]) -> NotFinished:
        troubles = stuck or self._lab.troubles()
        moving = status not in ("STALLED", "SUSPENDED")
        if moving and not troubles and (obstacles := self._lab.obstacles()):
            return self._held_up(late, status, obstacles)
        title = f"workflow {self.instance_id} has not ended after {late:.0f} s"
        if stuck:
            title = f"workflow {self.instance_id} cannot go on: {stuck[0].title} has ended"
        elif status == "STALLED":
            title = f"workflow {self.instance_id} cannot go on: the runtime holds it as STALLED"
        waits, fix = self._standstill(status)
        found = [f"status {status}", *waits, *map(str, troubles)]
        return NotFinished(
            title,
            asked=f"wait for {self.instance_id} on {self.app_id}",
            found="; ".join(found if troubles else [*found, "all processes are running"]),
            look_at=str(troubles[0].log)
            if troubles and status != "STALLED"
            else f"lab.run({self.instance_id!r}).history, and lab.app({self.app_id!r})"
            ".logs('sidecar')",
            fix=troubles[0].fix if troubles and status != "STALLED" else fix,
        )

    def _held_up(self, late: float, status: str, obstacles: Sequence[Reason]) -> NotFinished:
        return NotFinished(
            f"workflow {self.instance_id} has not ended after {late:.0f} s",
            asked=f"wait for {self.instance_id} on {self.app_id}",
            found=f"status {status}; " + "; ".join(o.found for o in obstacles),
            look_at=obstacles[0].look_at,
            fix=obstacles[0].fix,
        )


def _quiet(within: float) -> float:
    """Return after how many seconds without an event a workflow stands still, as it is now.

    Load adds to the time between two events; it does not multiply what a caller gives for known
    delays. Measured on 2 cores: a start of 1.1 s took 14 s at load 30, where this adds 42 s.
    """
    return within + (patience() - 1) * BUSY_SECONDS if within else 0.0


def find(lab: LabView, instance_id: str) -> Run:
    """Return the handle of an instance, from the first running app that knows it.

    Raises:
        InstanceUnknown: no running app knows it; says which processes have ended.
    """
    silent = []
    apps = [lab.app(app_id) for app_id in dict.fromkeys(a.app_id for a in lab.started_apps())]
    for app in apps:
        try:
            if state_of(lab, app.app_id, instance_id) is not None:
                return Run(lab, instance_id, app.app_id)
        except StateNotReadable as problem:
            if not app.ended():  # those are named anyway
                silent.append(f"{app.app_id}: {problem.found}")
    raise unknown(instance_id, [a.app_id for a in apps], silent, lab.troubles())


def failures(lab: LabView, app_id: str) -> list[Reason]:
    """Return the newest workflows of an app that have failed; none when its sidecar is silent."""
    app, found = lab.app(app_id), []
    if app.lacks_actor_store() or _sidecar_ended(app):
        return []
    with suppress(ObservationError):
        for id in instance_ids_of(app.grpc_address, app.shared.token)[:MOST_LOOKED_AT]:
            run = Run(lab, id, app_id)
            if run.status == "FAILED" and (failure := run.failure):
                said = f"workflow {id} on {app_id} has FAILED: {failure.message}"
                fix = "correct what it says, and start the workflow again"
                found.append(Reason(said, f"lab.run({id!r}).history", fix))
    return found


def state_of(lab: LabView, app_id: str, instance_id: str) -> WorkflowState | None:
    """Return the state that an app's sidecar reports; None when it has no such instance.

    A refusal is passing while actors move: FAILED_PRECONDITION, CANCELLED, UNKNOWN and UNAVAILABLE
    were all seen on 1.18.1 with a workflow that was fine, up to seconds after a restart. So the
    question is repeated, as long as the sidecar's process lives.

    Raises:
        StateNotReadable: still refused after 5 s, or the sidecar is not running.
    """
    client, app = lab.client(app_id), lab.app(app_id)
    if app.lacks_actor_store():
        return None  # nothing can be stored there, and to ask would end the sidecar
    deadline = Deadline(PASSING_SECONDS)
    while True:
        try:
            return client.get_workflow_state(instance_id)
        except grpc.RpcError as problem:
            if _sidecar_ended(app) or deadline.left() <= 0:
                what = f"the state of {instance_id}"
                raise _not_readable(app, what, _reason(problem)) from problem
        time.sleep(POLL_SECONDS)


def _sidecar_ended(app: App) -> list[Trouble]:
    return [t for t in app.ended() if t.part != "worker"]


def _not_readable(app: App, what: str, said: str) -> StateNotReadable:
    ended = _sidecar_ended(app)
    return StateNotReadable(
        f"{what} cannot be read" + (f": {ended[0].title} has ended" if ended else ""),
        asked=f"{what} from the sidecar of {app.app_id}",
        found=str(ended[0]) if ended else said,
        look_at=str(ended[0].log) if ended else f"lab.app({app.app_id!r}).logs('sidecar')",
        fix=ended[0].fix if ended else f"lab.restart({app.app_id!r}, 'sidecar')",
    )


def unknown(
    instance_id: str,
    asked: list[str],
    silent: Iterable[str] = (),
    troubles: Sequence[Trouble] = (),
) -> InstanceUnknown:
    """Return the error for an instance that nobody knows."""
    found = ["none of them has it", *(f"no answer from {s}" for s in silent), *map(str, troubles)]
    title = f"no running app knows the instance {instance_id}"
    if ended := [t.title for t in troubles]:
        title += f"; {' and '.join(ended)} {'has' if len(ended) == 1 else 'have'} ended"
    return InstanceUnknown(
        title,
        asked=f"the state of {instance_id}, from: {', '.join(asked) or 'no app is running'}",
        found="; ".join(dict.fromkeys(found)),
        look_at=str(troubles[0].log) if troubles else "the instance_id of schedule_new_workflow",
        fix=troubles[0].fix
        if troubles
        else "schedule it first, or correct the instance ID; a child is known to its own app only",
    )


def _seen(view: Callable[[], Shown]) -> Shown | str:
    """Return a view, or why it is not there."""
    try:
        return view()
    except ObservationError as problem:
        return f"{problem.title}; {problem.fix}"


def not_traced(asked: str) -> NotTraced:
    """Return the error of a lab whose files send no spans to it."""
    return NotTraced(
        "the apps of this lab send no spans to it",
        asked=asked,
        found=f"no Configuration of the run file names ${tracing.HOST_VARIABLE}",
        look_at="configFilePath in the run file, and docs/views.md",
        fix='let it name a Configuration with spec.tracing: samplingRate: "1" and'
        f" zipkin.endpointAddress: http://${tracing.HOST_VARIABLE}/api/v2/spans",
    )


def _not_begun(run: Run, status: str) -> NotBegun:
    return NotBegun(
        f"workflow {run.instance_id} has no history yet",
        asked=f"the history of {run.instance_id} from the sidecar of {run.app_id}",
        found=f"status {status}: it was accepted, and its first turn is not written",
        look_at=f"lab.app({run.app_id!r}).logs()",
        fix="wait until its worker has begun it; it begins at once when a worker is connected, "
        "unless it was scheduled for later",
    )


def _reason(problem: grpc.RpcError) -> str:
    code = getattr(problem, "code", lambda: None)()
    details = getattr(problem, "details", lambda: "")() or ""
    return f"{getattr(code, 'name', problem)}: {details}".removesuffix(": ")
