"""The handle of one workflow instance: wait for it, read its state, history and picture."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import grpc

from labkit.apps import App, Down
from labkit.errors import ObservationError
from labkit.history import HistoryEvent, RunHistory, cuts, events_of, join
from labkit.swimlane import Swimlane
from labkit.widgets import Picture

if TYPE_CHECKING:
    from dapr.ext.workflow import DaprWorkflowClient, WorkflowState

ENDED = frozenset({"COMPLETED", "FAILED", "TERMINATED"})
POLL_SECONDS = 0.1
"""Polling a state more often makes 1.18.1 fail now and then with "inbox key ... missing"."""
PASSING_SECONDS = 5.0
SETTLE_SECONDS = 60.0


class InstanceUnknown(ObservationError):
    """No running app knows the instance ID."""

    code = "instance-unknown"


class NotFinished(ObservationError):
    """A workflow did not end before the deadline."""

    code = "not-finished"


class StateNotReadable(ObservationError):
    """A sidecar refused to tell the state of an instance."""

    code = "state-not-readable"


class LabView(Protocol):
    """What a run needs of its lab."""

    def client(self, app_id: str) -> DaprWorkflowClient: ...
    def app(self, app_id: str) -> App: ...
    def started_apps(self) -> Iterable[App]: ...
    def troubles(self) -> list[str]: ...


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
        """PENDING, RUNNING, COMPLETED, FAILED, TERMINATED or SUSPENDED.

        Raises:
            InstanceUnknown: the app's sidecar has no such instance.
        """
        return str(self._state().runtime_status.name)

    @property
    def output(self) -> Any:
        """The result of the workflow, parsed from JSON; None as long as there is none."""
        state = self._state()
        # A failed workflow's output is no JSON: read ``failure`` instead.
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
        """The history of this instance and of its children, each read from the app that ran it."""
        return join(self.app_id, self.instance_id, self._fetch)

    def wait(self, within: float = 30) -> Run:
        """Wait until the workflow has ended, in whatever way; return this run.

        Args:
            within: deadline in seconds.

        Raises:
            NotFinished: it still runs at the deadline; says which processes are not there.
            KeyboardInterrupt: the stop button; the workflow goes on.
        """
        deadline = time.monotonic() + within
        status = "not known yet"
        while True:
            try:
                status = self.status
            except StateNotReadable as problem:
                status = f"not readable ({problem.found})"
            if status in ENDED:
                return self
            if time.monotonic() >= deadline:
                raise self._not_finished(within, status)
            time.sleep(POLL_SECONDS)

    def settle(self, within: float = 5) -> str:
        """Wait until the workflow has ended, or stands still; return the status then.

        Args:
            within: it stands still when its history has had no new event for so many seconds. On a
                slow machine this goes on as long as there are some, at most for 60 s more.
        """
        left, end = within, time.monotonic() + within + SETTLE_SECONDS
        while left >= 0 and time.monotonic() < end:
            with suppress(NotFinished):
                self.wait(left)
                break
            left = within - self._quiet_seconds() if within else -1
        return self.status

    def _quiet_seconds(self) -> float:
        """How long ago the last event came; infinite when nobody can tell."""
        try:
            return time.time() - max(e.time for e in self.history.all_events).timestamp()
        except (ObservationError, ValueError):
            return math.inf

    def swimlane(self) -> Swimlane:
        """Return the picture of this run: one lane per app ID."""
        history, now = self.history, time.time()
        since = min(event.time for event in history.all_events).timestamp()
        apps = list(self._lab.started_apps())
        downs: list[Down] = [d for app in apps for d in app.downs(since)]
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
                with suppress(ObservationError):  # a sidecar that is down: draw again later
                    ended = self.has_ended
                    view.value = self.swimlane().html

        threading.Thread(target=redraw, daemon=True, name=f"live {self.instance_id}").start()
        return view

    def _state(self) -> WorkflowState:
        state = state_of(self._lab, self.app_id, self.instance_id)
        if state is None:
            raise unknown(self.instance_id, [self.app_id])
        return state

    def _fetch(self, app_id: str, instance_id: str) -> list[HistoryEvent]:
        app = self._lab.app(app_id)
        return events_of(app.grpc_address, app.shared.token, app_id, instance_id)

    def _not_finished(self, within: float, status: str) -> NotFinished:
        troubles = self._lab.troubles()
        return NotFinished(
            f"workflow {self.instance_id} has not ended after {within:g} s",
            asked=f"wait for {self.instance_id} on {self.app_id}, at most {within:g} s",
            found=f"status {status}; " + ("; ".join(troubles) or "all processes are running"),
            look_at=f"lab.run({self.instance_id!r}).history, and lab.app({self.app_id!r})"
            ".logs('sidecar')",
            fix="lab.up() starts again what has ended"
            if troubles
            else "read the last history event: it names the step, and the app, that is waited for",
        )


def find(lab: LabView, instance_id: str, known: Callable[[App, str], bool] | None = None) -> Run:
    """Return the handle of an instance, from the first running app that knows it.

    Raises:
        InstanceUnknown: no running app knows it.
    """
    known = known or (lambda app, iid: state_of(lab, app.app_id, iid) is not None)
    silent = []
    apps = list(lab.started_apps())
    for app in apps:
        try:
            if known(app, instance_id):
                return Run(lab, instance_id, app.app_id)
        except StateNotReadable as problem:
            silent.append(f"{app.app_id}: {problem.found}")
    raise unknown(instance_id, [a.app_id for a in apps], silent)


def state_of(lab: LabView, app_id: str, instance_id: str) -> WorkflowState | None:
    """Return the state that an app's sidecar tells; None when it has no such instance.

    A refusal is passing while actors move: FAILED_PRECONDITION, CANCELLED, UNKNOWN and UNAVAILABLE
    were all seen on 1.18.1 with a workflow that was fine, up to seconds after a restart. So the
    question is repeated, as long as the sidecar's process lives.

    Raises:
        StateNotReadable: still refused after 5 s, or the sidecar is not running.
    """
    client, sidecar = lab.client(app_id), lab.app(app_id).process("sidecar")
    if lab.app(app_id).lacks_actor_store():
        return None  # nothing can be stored there, and to ask would end the sidecar
    deadline = time.monotonic() + PASSING_SECONDS
    while True:
        try:
            return client.get_workflow_state(instance_id)
        except grpc.RpcError as problem:
            gone = not lab.app(app_id).is_healthy() if sidecar is None else not sidecar.is_alive
            if gone or time.monotonic() > deadline:
                raise StateNotReadable(
                    f"the state of {instance_id} cannot be read",
                    asked=f"the state of {instance_id} from the sidecar of {app_id}",
                    found="its sidecar is not running" if gone else _reason(problem),
                    look_at=f"lab.status(), and lab.app({app_id!r}).logs('sidecar')",
                    fix="lab.up() starts again what has ended",
                ) from problem
        time.sleep(POLL_SECONDS)


def unknown(instance_id: str, asked: list[str], silent: Iterable[str] = ()) -> InstanceUnknown:
    """Return the error for an instance that nobody knows."""
    answers = "; ".join(silent)
    return InstanceUnknown(
        f"no running app knows the instance {instance_id}",
        asked=f"the state of {instance_id}, from: {', '.join(asked) or 'no app is running'}",
        found="none of them has it" + (f"; no answer from {answers}" if answers else ""),
        look_at="the instance_id given to schedule_new_workflow",
        fix="schedule it first, or correct the instance ID; a child is known to its own app only",
    )


def _reason(problem: grpc.RpcError) -> str:
    code = getattr(problem, "code", lambda: None)()
    return getattr(code, "name", str(problem))
