"""The SDK's own workflow client, made so that none of its calls waits for ever in silence.

``lab.client(app_id)`` is a ``DaprWorkflowClient``, and its calls are the SDK's. What lies between
them and the sidecar is ours: before a call, and while it waits, the processes of the app are looked
at; each call has a deadline; and what the sidecar answers is raised in labkit's form. Such an error
is a ``grpc.RpcError``, too, as without us: it has ``code()`` and ``details()``.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc

from labkit import versions
from labkit.apps.app import App
from labkit.apps.parts import HOST
from labkit.errors import ObservationError
from labkit.notebook import cellerrors
from labkit.processes.lives import Trouble
from labkit.waiting import MOST_PATIENCE, Deadline, Reason, patience, pause

if TYPE_CHECKING:
    from dapr.ext.workflow import DaprWorkflowClient

CALL_SECONDS = 30.0
"""Deadline of a call; 23 s are the most that one of 1.18.1 was seen to need, while a scheduler that
was started again waits for the lease of the one that was killed; for an absent app it is 5 s."""
READ_SECONDS = 3.0
"""Deadline of a question that changes nothing; 1.18.1 answers in milliseconds."""
WAIT_SECONDS = 300.0
"""Deadline of a wait for which the caller names none."""
SLICE_SECONDS, LOOK_SECONDS, RETRY_SECONDS = 0.05, 0.25, 0.2
GONE_SECONDS = 1.0
"""A process may be gone for so long while a call waits: ``lab.restart`` in another thread."""
UNCONNECTED_SECONDS = 2.0
"""How long a call waits for a worker that runs and is not connected."""
SPEAK_SECONDS = 10.0
_WAITS = ("WaitForInstanceStart", "WaitForInstanceCompletion")
_NEEDS_NO_WORKER = ("GetInstance", "Hello", "ListInstanceIDs", "GetInstanceHistory")
_PASSING = (
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
)
_NAMES = {
    "StartInstance": "schedule_new_workflow",
    "GetInstance": "get_workflow_state",
    "WaitForInstanceStart": "wait_for_workflow_start",
    "WaitForInstanceCompletion": "wait_for_workflow_completion",
    "RaiseEvent": "raise_workflow_event",
    "TerminateInstance": "terminate_workflow",
    "SuspendInstance": "pause_workflow",
    "ResumeInstance": "resume_workflow",
    "PurgeInstances": "purge_workflow",
}


class NoClient(ObservationError):
    """The SDK cannot reach a sidecar."""

    code = "no-client"


class CallFailed(ObservationError, grpc.RpcError):  # type: ignore[misc]  # grpc has no types
    """A call of the SDK's client failed; a ``grpc.RpcError``, too, with code and details."""

    code = "call-failed"

    def __init__(self, title: str, *, asked: str, found: str, look_at: str, fix: str) -> None:
        super().__init__(title, asked=asked, found=found, look_at=look_at, fix=fix)
        self.answered(grpc.StatusCode.UNKNOWN, found)

    def answered(self, status: grpc.StatusCode, details: str) -> CallFailed:
        """Note what gRPC calls the failure; return this error."""
        # The code of a labkit error is a word, that of a gRPC error a method: this is both.
        self.__dict__["code"] = _Code(type(self).code, status)
        self._details, self.status = details, status
        return self

    def details(self) -> str:
        """Return what the sidecar said, or what was found without asking it."""
        return self._details


class _Code(str):
    """The word for an error; called, it is the status of gRPC."""

    status: grpc.StatusCode

    def __new__(cls, word: str, status: grpc.StatusCode) -> _Code:
        own = super().__new__(cls, word)
        own.status = status
        return own

    def __call__(self) -> grpc.StatusCode:
        return self.status


class WaitedTooLong(ObservationError, TimeoutError):
    """A wait of the SDK's client reached its deadline; a ``TimeoutError``, too, as the SDK's."""

    code = "waited-too-long"


def client_of(
    app: App, obstacles: Callable[[str], list[Reason]] = lambda _: []
) -> DaprWorkflowClient:
    """Return the SDK's own workflow client for an app, with a deadline for every call.

    Args:
        obstacles: asked with an instance ID, or "", when there was no answer in time: what keeps
            this workflow from going on.

    Raises:
        NoClient: the sidecar's API is a Unix socket, which the SDK cannot be given by its path.
    """
    if app.spec.socket_folder:
        raise NoClient(
            f"the SDK has no client for the sidecar of {app.name}",
            asked=f"a workflow client at {app.grpc_address}",
            found=f"DaprWorkflowClient {versions.PYTHON_SDK} takes no path in an address",
            look_at="unixDomainSocket in the run file",
            fix="use the client of another app, or remove unixDomainSocket",
        )
    from dapr.conf import settings
    from dapr.ext.workflow import DaprWorkflowClient

    # The SDK takes the token from its settings, which it read from the environment on import.
    # It also logs every refusal that it raises; a notebook shows the error once.
    logging.getLogger("DaprWorkflowClient").setLevel(logging.CRITICAL)
    settings.DAPR_API_TOKEN = app.shared.token  # type: ignore[attr-defined] # set on import
    client = DaprWorkflowClient(host=HOST, port=str(app.ports.grpc))
    inner = vars(client)["_DaprWorkflowClient__obj"]  # there is no public way to come between
    inner._stub = _Stub(app, inner._stub, obstacles)
    inner._TRANSIENT_RPC_CODES = ()  # it would try again in silence; a wait does that here
    return client


class _Stub:
    """The calls to one sidecar, each with a look at the processes of the app."""

    def __init__(self, app: App, stub: Any, obstacles: Callable[[str], list[Reason]]) -> None:
        self._app, self._stub, self._obstacles = app, stub, obstacles

    def __getattr__(self, name: str) -> Callable[..., Any]:
        send = getattr(self._stub, name)

        def call(request: Any, timeout: float | None = None) -> Any:
            call = _Call(self._app, name, request, send.future)
            try:
                return call.result(timeout)
            except (CallFailed, WaitedTooLong) as problem:
                if _came_too_late(problem):
                    _explain(problem, self._obstacles(call.instance_id))
                raise

        return call


class _Call:
    """One call: sent, watched, answered or given up."""

    def __init__(self, app: App, name: str, request: Any, send: Callable[..., Any]) -> None:
        self._app, self._name, self._request, self._send = app, name, request, send
        self._waits = name in _WAITS
        self._began = self._connected = time.monotonic()
        self._look = self._began + LOOK_SECONDS
        self._speaks = False

    @property
    def instance_id(self) -> str:
        """The workflow that the call is about, or "" where it is about none."""
        return str(getattr(self._request, "instanceId", ""))

    @property
    def _asked(self) -> str:
        method = _NAMES.get(self._name, self._name)
        return f"{method}, instance {self.instance_id}, on {self._app.name}"

    @property
    def _limit(self) -> float:
        if self._waits:
            return WAIT_SECONDS
        return READ_SECONDS if self._name in _NEEDS_NO_WORKER else CALL_SECONDS

    def result(self, timeout: float | None) -> Any:
        """Return the answer.

        Raises:
            CallFailed: no worker or no sidecar is there, or the sidecar refused.
            WaitedTooLong: a wait reached its deadline.
        """
        self._speaks = self._waits and not timeout
        deadline = Deadline(timeout or self._limit, grows=not timeout)
        self._require(grace=0)
        while True:
            # What gRPC is given cannot grow; where nobody named a deadline, ours is watched.
            left = deadline.left() if timeout else self._limit * MOST_PATIENCE
            sent = self._send(self._request, timeout=max(left, 0.001), wait_for_ready=True)
            try:
                return self._watched(sent, deadline)
            except CallFailed:
                raise
            except grpc.RpcError as problem:
                spent = timeout or self._spent()
                if not self._waits or not _is_passing(problem):
                    raise self._failed(problem, spent) from problem
                if deadline.left() < RETRY_SECONDS:
                    raise self._too_long(spent) from problem
            time.sleep(RETRY_SECONDS)

    def _spent(self) -> float:
        """Return the seconds since the call began, as an error names them."""
        return round(time.monotonic() - self._began, 1)

    def _watched(self, future: Any, deadline: Deadline) -> Any:
        try:
            while True:
                try:
                    return future.result(timeout=SLICE_SECONDS)
                except grpc.FutureTimeoutError as late:
                    self._watch()
                    # A named deadline is kept by gRPC itself, and by the sidecar.
                    if deadline.grows and deadline.left() <= 0:
                        raise self._late(self._spent()) from late
        finally:
            if not future.done():  # given up, or interrupted
                future.cancel()

    def _watch(self) -> None:
        now = time.monotonic()
        if now < self._look:
            return
        self._require(grace=GONE_SECONDS)
        self._require_connected(now)
        looked = time.monotonic()
        self._look = looked + pause(looked - now, LOOK_SECONDS)
        if self._speaks and now - self._began > SPEAK_SECONDS:
            self._speaks = False
            waiting = f"still waiting: {self._asked}; no timeout_in_seconds was given"
            print(f"{waiting}. Interrupt the kernel to stop waiting.", file=sys.stderr)

    def _require(self, grace: float) -> None:
        """Refuse when the sidecar has ended, or a service that the call needs."""
        for gone in self._app.ended():
            needed = gone.part != "worker" or self._name not in _NEEDS_NO_WORKER
            if needed and time.time() - gone.since >= grace:
                raise self._gone(gone)

    def _require_connected(self, now: float) -> None:
        # A silent sidecar says nothing about its workers: the call ends at its own deadline.
        if self._name in _NEEDS_NO_WORKER or self._app.connected_workers() != 0:
            self._connected = now
        elif now - self._connected > UNCONNECTED_SECONDS * patience():
            worker = self._app.process("worker")
            found = f"its process: {worker.ending()}" if worker else "it has no service"
            raise CallFailed(
                f"no worker is connected to the sidecar of {self._app.name}",
                asked=self._asked,
                found=f"connected workers 0; {found}",
                look_at=f"lab.app({self._app.name!r}).logs()",
                fix="let the service call WorkflowRuntime().start() and stay, then"
                f" lab.restart({self._app.name!r})",
            ).answered(grpc.StatusCode.FAILED_PRECONDITION, "no worker is connected")

    def _gone(self, gone: Trouble) -> CallFailed:
        app_id = self._app.name
        worker = gone.part == "worker"
        title = f"no worker is connected to {app_id}: " if worker else f"{app_id} has no sidecar: "
        if gone.part == "process":
            title = ""  # the whole lab was ended: there is nothing to add
        status = grpc.StatusCode.FAILED_PRECONDITION if worker else grpc.StatusCode.UNAVAILABLE
        return CallFailed(
            f"{title}{gone.title} {gone.how}",
            asked=self._asked,
            found=str(gone),
            look_at=str(gone.log),
            fix=gone.fix,
        ).answered(status, str(gone))

    def _failed(self, problem: Any, limit: float) -> ObservationError:
        status, details = problem.code(), problem.details() or ""
        if status is grpc.StatusCode.DEADLINE_EXCEEDED:
            return self._late(limit)
        return CallFailed(
            f"{status.name}: {cellerrors.cause_of(details)}",
            asked=self._asked,
            found=f"the sidecar answered {status.name}: {details}",
            look_at=f"lab.app({self._app.name!r}).logs('sidecar'); {cellerrors.MORE}",
            fix="correct what the details name, then run this cell again",
        ).answered(status, details)

    def _late(self, limit: float) -> ObservationError:
        return self._too_long(limit) if self._waits else self._unanswered(limit)

    def _unanswered(self, limit: float) -> CallFailed:
        status = grpc.StatusCode.DEADLINE_EXCEEDED
        workers = self._app.connected_workers()
        known = "unknown" if workers is None else workers
        return CallFailed(
            f"the sidecar of {self._app.name} did not answer within {limit:.0f} s",
            asked=self._asked,
            found=f"{status.name}; {self._parts()}; connected workers {known}",
            look_at=f"lab.app({self._app.name!r}).logs('sidecar'); {cellerrors.MORE}",
            fix=f"lab.restart({self._app.name!r}), then run this cell again",
        ).answered(status, f"no answer within {limit:.0f} s")

    def _too_long(self, limit: float) -> WaitedTooLong:
        instance = self._request.instanceId
        what = "started" if self._name == "WaitForInstanceStart" else "ended"
        return WaitedTooLong(
            f"workflow {instance} has not {what} after {limit:g} s",
            asked=self._asked,
            found=f"{self._parts()}; the workflow goes on",
            look_at=f"lab.run({instance!r}).history",
            fix="read the last history event: it names the step that is waited for;"
            " timeout_in_seconds=SECONDS waits longer",
        )

    def _parts(self) -> str:
        found = self._app.newest().items()
        return ", ".join(f"{part}: {life.ending()}" for part, life in found) or "nothing runs"


def _came_too_late(problem: ObservationError) -> bool:
    if isinstance(problem, CallFailed):
        return bool(problem.status is grpc.StatusCode.DEADLINE_EXCEEDED)
    return True


def _explain(problem: ObservationError, obstacles: list[Reason]) -> None:
    """Add to an error what keeps workflows from going on, where there is something."""
    if obstacles:
        problem.found = "; ".join([problem.found, *(o.found for o in obstacles)])
        problem.look_at, problem.fix = obstacles[0].look_at, obstacles[0].fix


def _is_passing(problem: Any) -> bool:
    """Whether a wait goes on: actors move, or the sidecar has just come back (seen on 1.18.1)."""
    closed = problem.code() is grpc.StatusCode.UNKNOWN and "actor is closed" in problem.details()
    return closed or problem.code() in _PASSING
