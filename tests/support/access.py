"""Who may do what to another app of its namespace: three apps, one of them attacked.

``caller`` and ``other`` do to ``target`` what an app can do to another one: call its activities and
workflows from a workflow of their own, and speak to the actors behind its workflows through the
public API of their own sidecar (``InvokeActor``), which needs no workflow, no worker, and no more
than the token that the app has anyway.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dapr.ext.workflow as wf
import grpc
from dapr.ext.workflow._durabletask.internal import protos as pb
from dapr.proto import api_service_v1, api_v1

from labkit.labs.lab import Lab
from labkit.labs.workflowrun import state_of
from labkit.waiting import patience, poll, wait_until
from tests.support.deployments import STORE

CALLER = """
import signal
import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.workflow(name="call")
def call(ctx, name):
    return (yield ctx.call_activity(name, input=1, app_id="target"))


@wfr.workflow(name="call_showing")
def call_showing(ctx, name):
    own = wf.PropagationScope.OWN_HISTORY
    return (yield ctx.call_activity(name, input=1, app_id="target", propagation=own))


@wfr.workflow(name="call_child_showing")
def call_child_showing(ctx, name):
    own = wf.PropagationScope.OWN_HISTORY
    return (yield ctx.call_child_workflow(name, input=1, app_id="target", propagation=own))


@wfr.workflow(name="call_child")
def call_child(ctx, name):
    return (yield ctx.call_child_workflow(name, input=1, app_id="target"))


@wfr.workflow(name="hold_child")
def hold_child(ctx, child_id):
    return (yield ctx.call_child_workflow(
        "waiting", input=1, instance_id=child_id, app_id="target"))


wfr.start()
signal.pause()
"""

TARGET = """
import signal
import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.activity(name="charge")
def charge(ctx, given):
    return "charged"


@wfr.activity(name="refund")
def refund(ctx, given):
    return "refunded"


@wfr.workflow(name="settle")
def settle(ctx, given):
    return (yield ctx.call_activity("charge", input=given))


@wfr.workflow(name="waiting")
def waiting(ctx, given):
    return (yield ctx.wait_for_external_event("go"))


wfr.start()
signal.pause()
"""

MTLS = """\
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata:
  name: certificates
spec:
  mtls:
    enabled: true
"""
APPS = ("caller", "other", "target")
MOST_SECONDS = 30.0
RESULT_REFUSED = "failed to invoke 'AddWorkflowEvent' on remote app"
"""What the sidecar of the target logs each second while a child's result is refused."""

Outcome = str
"""``allowed``, ``denied``, ``stays RUNNING``, or in other words what happened."""


def write_apps(folder: Path, *, mtls: bool) -> Path:
    """Write the deployment of the three apps, with a folder for policies; return its run file."""
    (folder / "policies").mkdir(parents=True)
    (folder / "components").mkdir()
    (folder / "components" / "statestore.yaml").write_text(STORE, "utf-8")
    (folder / "mtls.yaml").write_text(MTLS, "utf-8")
    lines = ["version: 1", "common:", "  resourcesPaths: [components, policies]"]
    lines += ["  configFilePath: mtls.yaml"] if mtls else []
    lines += ["apps:"]
    for app in APPS:
        code = TARGET if app == "target" else CALLER
        (folder / app).mkdir()
        (folder / app / "main.py").write_text(textwrap.dedent(code), "utf-8")
        lines += [f"- appID: {app}", f"  appDirPath: {app}", '  command: ["python3", "main.py"]']
    (folder / "dapr.yaml").write_text("\n".join([*lines, ""]), "utf-8")
    return folder / "dapr.yaml"


def policy(name: str, rules: str, scopes: str = "[target]") -> str:
    """Return a policy; ``rules`` is YAML of the list, ``[]`` allows nothing."""
    return (
        "apiVersion: dapr.io/v1alpha1\nkind: WorkflowAccessPolicy\n"
        f"metadata: {{name: {name}}}\nscopes: {scopes}\nspec:\n  rules: {rules}\n"
    )


def put(lab: Lab, rules: str | None, scopes: tuple[str, ...] = ("target",)) -> None:
    """Let one policy be in sight of the apps in ``scopes``, or none; wait until they have it.

    Sidecars read it again by themselves. Each gets a new name, so that one can see which is there.
    """
    folder = lab.run_file.path.parent / "policies"
    number = 1 + max((int(f.stem) for f in folder.glob("*.yaml")), default=0)
    for file in folder.glob("*.yaml"):
        file.unlink()
    if rules is not None:
        text = policy(f"p{number}", rules, f"[{', '.join(scopes)}]")
        (folder / f"{number}.yaml").write_text(text, "utf-8")
    for app_id in APPS:
        has = [f"p{number}"] if rules is not None and app_id in scopes else []
        wait_until(
            lambda a=app_id, h=has: _policies(lab, a) == h, what=f"{app_id} has {has}", usual=20
        )


def _policies(lab: Lab, app_id: str) -> list[str]:
    named = lab.app(app_id).metadata().get("workflowAccessPolicies") or []
    return [str(one.get("name")) for one in named]


@dataclass
class Attack:
    """What one app does to ``target``; every question returns an :data:`Outcome`."""

    lab: Lab
    app_id: str
    number: int = 0

    def activity(self, name: str) -> Outcome:
        """Call an activity from a workflow."""
        return self._run("call", name)

    def child(self, name: str) -> Outcome:
        """Call a workflow as a child of an own one."""
        return self._run("call_child", name)

    def showing(self, what: str) -> Outcome:
        """Call an activity or a workflow, and show it the history of the calling workflow."""
        kind, _, name = what.partition(" ")
        workflow = {"activity": "call_showing", "child": "call_child_showing"}[kind]
        return self._run(workflow, name)

    def schedule(self, name: str) -> Outcome:
        """Start a workflow there without one of one's own."""
        started = pb.HistoryEvent(
            executionStarted=pb.ExecutionStartedEvent(
                name=name, **{_INSTANCE: _instance(self._new_id())}
            )
        )
        data = _message(1, started.SerializeToString())
        return self._invoke(f"{self.app_id}-{self.number}", "CreateWorkflowInstance", data)

    def terminate(self, instance: str) -> Outcome:
        """End an instance there."""
        return self._event(instance, executionTerminated=pb.ExecutionTerminatedEvent())

    def raise_event(self, instance: str) -> Outcome:
        """Send an event to an instance there."""
        return self._event(instance, eventRaised=pb.EventRaisedEvent(name="go"))

    def pause(self, instance: str) -> Outcome:
        """Suspend an instance there."""
        return self._event(instance, executionSuspended=pb.ExecutionSuspendedEvent())

    def resume(self, instance: str) -> Outcome:
        """Let a suspended instance go on."""
        return self._event(instance, executionResumed=pb.ExecutionResumedEvent())

    def purge(self, instance: str) -> Outcome:
        """Remove what is stored of an instance there."""
        return self._invoke(instance, "PurgeWorkflowState", b"")

    def _run(self, workflow: str, given: str) -> Outcome:
        instance = self._new_id()
        client = self.lab.client(self.app_id)
        client.schedule_new_workflow(workflow, input=given, instance_id=instance)

        target = self.lab.app("target")

        def ended() -> str:
            state = state_of(self.lab, self.app_id, instance)  # 1.18.1 refuses it now and then
            if state and state.runtime_status.name in _ENDED:
                return _outcome(state)
            log = target.logs("sidecar").splitlines()
            refused = [n for n in log if f"'{instance}:" in n and RESULT_REFUSED in n]
            return "stays RUNNING" if len(refused) >= 2 else ""

        return poll(ended, MOST_SECONDS, grows=True)[0] or "no end and no refusal"

    def _event(self, instance: str, **event: Any) -> Outcome:
        data = pb.HistoryEvent(**event).SerializeToString()
        return self._invoke(instance, "AddWorkflowEvent", data)

    def _invoke(self, instance: str, method: str, data: bytes) -> Outcome:
        app = self.lab.app(self.app_id)
        request = api_v1.InvokeActorRequest(
            actor_type="dapr.internal.default.target.workflow",
            actor_id=instance,
            method=method,
            data=data,
        )
        with grpc.insecure_channel(app.grpc_address) as channel:
            stub = api_service_v1.DaprStub(channel)
            try:
                token = [("dapr-api-token", app.shared.token)]
                stub.InvokeActor(request, metadata=token, timeout=20 * patience())
            except grpc.RpcError as refused:
                said = str(refused.details())
                return "denied" if DENIED in said else f"{refused.code().name}: {said}"
        return "allowed"

    def _new_id(self) -> str:
        self.number += 1
        return f"{self.app_id}-{self.number}"


DENIED = "access denied by workflow access policy"
_ENDED = ("COMPLETED", "FAILED", "TERMINATED")
_INSTANCE = next(
    f.name for f in pb.ExecutionStartedEvent.DESCRIPTOR.fields if f.name.endswith("nstance")
    and not f.name.startswith("parent")
)  # fmt: skip


def _instance(instance_id: str) -> Any:
    field = pb.ExecutionStartedEvent.DESCRIPTOR.fields_by_name[_INSTANCE]
    return getattr(pb, field.message_type.name)(instanceId=instance_id)


def _message(number: int, data: bytes) -> bytes:
    """Return a message in a field below 16, as protobuf writes it."""
    size, out = len(data), bytearray([number << 3 | 2])
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    return bytes([*out, size]) + data


def _outcome(state: wf.WorkflowState) -> Outcome:
    failure = state.failure_details
    if failure is None:
        return "allowed" if state.runtime_status.name == "COMPLETED" else state.runtime_status.name
    is_denied = "WorkflowAccessPolicyDenied" in f"{failure.error_type} {failure.message}"
    return "denied" if is_denied or DENIED in failure.message else f"failed: {failure.message}"


def waiting_at_target(lab: Lab, instance: str) -> None:
    """Start an instance of ``waiting`` in the target, by itself; return when it waits."""
    client = lab.client("target")
    client.schedule_new_workflow("waiting", input=1, instance_id=instance)
    wait_until(lambda: lab.run(instance).status == "RUNNING", what=f"{instance} runs", usual=20)
