"""The questions to a lab that a started one and one seen from outside answer alike.

:class:`labkit.Lab` adds the power to start and to end; :class:`labkit.labs.attached.Attached` has
none, and reads from the run folder what the other one holds in its hands.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.apps.app import App, ledger_rows
from labkit.apps.client import client_of
from labkit.errors import ObservationError
from labkit.history.joined import RunHistory
from labkit.history.sidecar import events_of
from labkit.history.stillness import RESUMED, suspended_twice
from labkit.labs import readiness, workflowrun
from labkit.labs.workflowrun import Run
from labkit.mail.catcher import Inbox, inbox
from labkit.mail.server import MailServer
from labkit.processes import lives
from labkit.processes.lives import Life, Trouble
from labkit.waiting import Reason

if TYPE_CHECKING:
    from dapr.ext.workflow import DaprWorkflowClient


class View(ABC):
    """A lab, as far as it can be asked."""

    _clients: dict[str, DaprWorkflowClient]

    @property
    @abstractmethod
    def folder(self) -> Path:
        """The folder with the logs, stores and ledgers of this run."""

    @abstractmethod
    def app(self, app_id: str) -> App:
        """Return the handle of a started app.

        Raises:
            ObservationError: the lab has not started it.
        """

    @abstractmethod
    def started_apps(self) -> Iterable[App]:
        """Return the apps that were started, in the order of their start."""

    @abstractmethod
    def shared_lives(self) -> Sequence[Life]:
        """Return the newest process of each kind that belongs to no app."""

    @abstractmethod
    def silence(self) -> Reason | None:
        """Return why the scheduler serves nobody yet; None when it does, or does not run."""

    def client(self, app_id: str) -> DaprWorkflowClient:
        """Return the SDK's own workflow client, connected to the sidecar of an app.

        Its calls have a deadline, and fail at once when the sidecar or the worker has ended; see
        :mod:`labkit.apps.client`.

        Raises:
            ObservationError: the app was not started.
        """
        app = self.app(app_id)
        if app.name not in self._clients:
            self._clients[app.name] = client_of(app, lambda id: self._in_the_way(app, id))
        return self._clients[app.name]

    def replicas(self, app_id: str) -> list[App]:
        """Return the handles of an app: one, or those of its replicas, in their order.

        Raises:
            ObservationError: the app was not started.
        """
        self.app(app_id)
        return [a for a in self.started_apps() if app_id in (a.name, a.app_id)]

    def run(self, instance_id: str) -> Run:
        """Return the handle of a workflow instance, wherever it is hosted.

        Raises:
            InstanceUnknown: no running app knows it.
        """
        return workflowrun.find(self, instance_id)

    @property
    def inbox(self) -> Inbox:
        """The mails that the local mail catcher has received, oldest first."""
        return inbox(self.folder / "inbox")

    @property
    def mail_server(self) -> MailServer:
        """The local mail server, which can be made slow or refuse, and says what reached it."""
        return MailServer(self.folder / "inbox")

    def ledger(self, app_id: str, table: str) -> list[dict[str, Any]]:
        """Return the rows that a service wrote to a table of its ledger, oldest first.

        Raises:
            NoLedger: the service has not written such a table.
        """
        return ledger_rows(self.app(app_id), table)

    def troubles(self) -> list[Trouble]:
        """Return the processes that were started and have ended, the first one to end first."""
        if stopped := lives.stopped(self.folder):
            return [stopped]
        gone = [p for p in self.shared_lives() if not p.is_alive]
        found = [lives.trouble(p, "lab.up() starts it again") for p in gone]
        found += [t for app in self.started_apps() for t in app.ended()]
        return sorted(found, key=lambda t: t.since)

    def obstacles(self) -> list[Reason]:
        """Return what keeps workflows from going on although every process runs."""
        silence = self.silence()
        return [*([silence] if silence else []), *readiness.hindrances(self.started_apps())]

    def _in_the_way(self, app: App, instance_id: str) -> list[Reason]:
        """Return what keeps one workflow of an app from going on, or all of them.

        It is asked when a call of the client is late. It makes none itself: that would be late too.
        """
        found = self.obstacles()
        if found or not instance_id:
            return found
        with suppress(ObservationError):
            events = events_of(app.grpc_address, app.shared.token, app.app_id, instance_id)
            if suspended_twice(RunHistory(app.app_id, instance_id, tuple(events))):
                look_at = f"lab.run({instance_id!r}).history"
                return [Reason("the workflow was suspended twice", look_at, RESUMED)]
        return []
