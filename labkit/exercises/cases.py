"""One workflow under observation, in the learner's lab or in the lab of a counter-scenario."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Protocol

from labkit.errors import ObservationError
from labkit.history import RunHistory, Step
from labkit.labs.workflowrun import NotFinished, Run

if TYPE_CHECKING:
    from pathlib import Path

    from labkit.apps.app import App
    from labkit.mail.catcher import Inbox

ORCHESTRATOR = "task-orchestrator-service"
NOTIFICATIONS = "notification-service"
AUDIT = "audit-service"
QUIET_SECONDS = 3.0
TIMER_SECONDS = 60.0
"""How long a counter-scenario waits for timers of the workflow before it gives up."""


class StillWaiting(ObservationError):
    """A workflow waits for a timer, so nobody can say yet how it ends."""

    code = "still-waiting"


class View(Protocol):
    """What an observation needs of a lab; ``Lab`` and ``Attached`` give it."""

    def app(self, app_id: str) -> App: ...
    def started_apps(self) -> Iterable[App]: ...
    def run(self, instance_id: str) -> Run: ...
    def ledger(self, app_id: str, table: str) -> list[dict[str, Any]]: ...
    @property
    def inbox(self) -> Inbox: ...
    @property
    def folder(self) -> Path: ...


@dataclass(frozen=True)
class Case:
    """A workflow instance and what is known of it.

    Attributes:
        workflow: the name of the workflow that should run under this ID.
        given: the input as the check has scheduled it; None in the learner's lab, where the
            history records it.
    """

    lab: View
    instance_id: str
    workflow: str
    given: Any = None

    @property
    def is_own(self) -> bool:
        """Whether this is the learner's own lab, in which more may have happened than this run."""
        return self.given is None

    @property
    def name(self) -> str:
        """How rows call it; a drawn ID would differ each time."""
        return f'"{self.instance_id}"' if self.is_own else "of the new order"

    @property
    def run(self) -> Run:
        """The handle of the instance.

        Raises:
            InstanceUnknown: no running app knows it.
        """
        return self.lab.run(self.instance_id)

    @property
    def history(self) -> RunHistory:
        """The history of the instance and its children."""
        return self.run.history

    @property
    def order(self) -> dict[str, Any]:
        """The input of the workflow; empty when it is not a JSON object."""
        given = self.given
        if given is None:
            started = [e for e in self.history.events if e.kind == "executionStarted"]
            given = started[0].argument if started else None
        return given if isinstance(given, dict) else {}

    @property
    def output(self) -> Any:
        """The result of the workflow; None as long as there is none."""
        return self.run.output

    def steps(self, name: str | None = None, app_id: str | None = None) -> list[Step]:
        """Return the steps of the instance and its children, by the time they began."""
        steps = self.history.steps()
        return [s for s in steps if name in (None, s.name) and app_id in (None, s.app_id)]

    def settled(self, within: float = QUIET_SECONDS) -> str:
        """Return the status, and the message of a failure, once it has ended or stands still.

        Raises:
            StillWaiting: a timer is due later. In a counter-scenario this waits for timers, at
                most for ``TIMER_SECONDS``; the learner can ask again.
        """
        deadline = time.monotonic() + TIMER_SECONDS
        while True:
            status = self.run.settle(within)
            due = self._next_timer() if status == "RUNNING" else None
            if due is None:
                failure = self.run.failure
                return f"{status}: {failure.message}" if failure else status
            if self.is_own or time.monotonic() + due > deadline:
                raise self._still_waiting(due)
            with suppress(NotFinished):
                self.run.wait(due + within)

    def _next_timer(self) -> float | None:
        """Seconds until the next timer of the workflow or its children fires; None if none."""
        now = datetime.now(timezone.utc)
        waits = [(s.due - now).total_seconds() for s in self.steps() if s.due and not s.ended]
        return min((w for w in waits if w > 0), default=None)

    def _still_waiting(self, due: float) -> StillWaiting:
        return StillWaiting(
            f"{self.instance_id} is waiting for a timer",
            asked=f"how {self.instance_id} ends",
            found=f"status RUNNING; its next timer is due in {due:.0f} s",
            look_at=f"lab.run({self.instance_id!r}).history",
            fix=f"check again after lab.run({self.instance_id!r}).wait()",
        )


def part(value: Any, *keys: str | int) -> Any:
    """Return a part of an output; where it has no such part, the output in words."""
    found = value
    for key in keys:
        try:
            found = found[key]
        except (TypeError, KeyError, IndexError):
            return f"another form: {value}"
    return found
