"""Workflows with what happens to them, run on the real runtime or in process.

Each deployment is a folder with a run file; each of its workflows has one scenario or more. What
the runtime made of them is kept in ``tests/data/runs``; to record again, with the runtime that is
installed: ``python -m tests.support.scenarios``, or with the names of deployments behind it.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dapr.ext.workflow as wf

from labkit import versions
from labkit.errors import LabError
from labkit.history import ENDED, KINDS, HistoryEvent, RunHistory, from_json, status_of, to_json
from labkit.inprocess import InProcess
from labkit.labs.lab import Lab
from labkit.labs.workflowrun import Run
from labkit.replay import Turn, replay, runtime_of
from labkit.runfile import load
from labkit.turns import registry_of
from labkit.waiting import wait_until

DATA = Path(__file__).parents[1] / "data"
RUNS = DATA / "runs"
AT_REST, ENDS_AFTER, STUCK_AFTER = 0.7, 3.0, 8.0
"""Seconds without an event: then the next act of a scenario is due; then it is over."""


@dataclass(frozen=True)
class Scenario:
    """One workflow instance.

    Attributes:
        acts: what happens to it, each as soon as it is at rest: ``("event", name, data)``,
            ``("suspend",)``, ``("resume",)``, ``("terminate",)``, ``("release",)`` for the next
            release of the app and ``("rollback",)`` for the one before, ``("wait", kind)`` until
            the history has such an event.
        large: its history is too large to be kept.
        begins_newer: whether the app is of the next release from the start.
        only_real: why the run in process ends otherwise; empty when it ends the same.
    """

    name: str
    app_id: str
    workflow: str
    given: Any = None
    acts: tuple[tuple[Any, ...], ...] = ()
    large: bool = False
    begins_newer: bool = False
    only_real: str = ""

    @property
    def ends_newer(self) -> bool:
        """Whether the app is of the next release in the end."""
        newer = self.begins_newer
        for act in self.acts:
            newer = {"release": True, "rollback": False}.get(act[0], newer)
        return newer

    @property
    def is_released(self) -> bool:
        """Whether the app is restarted, and so whatever else runs in it is disturbed."""
        return self.begins_newer or bool({"release", "rollback"} & {act[0] for act in self.acts})


@dataclass(frozen=True)
class Outcome:
    """What became of an instance: its status, output and failure, and its history."""

    status: str
    output: Any
    failure: list[str] | None
    events: tuple[HistoryEvent, ...]


Outcomes = Mapping[str, Outcome]
"""By ``app ID/instance ID``: an instance and its children."""


@dataclass(frozen=True)
class Deployment:
    """A folder with a run file.

    Attributes:
        activities_are_run: whether activities run in process; else they answer as recorded, since
            they need a mail server, a ledger, packages of their own.
    """

    name: str
    run_file: Path
    scenarios: tuple[Scenario, ...]
    activities_are_run: bool = False

    @property
    def apps(self) -> dict[str, Path]:
        """The Python file of each app."""
        return {a.app_id: a.folder / "main.py" for a in load(self.run_file).apps}


def workflows_of(deployment: Deployment) -> set[tuple[str, str]]:
    """Return app ID and name of each workflow that the apps register."""
    found = set()
    for app_id, file in deployment.apps.items():
        if has_workflows(file):
            registry = registry_of(service(file))
            names = {*registry.orchestrators, *registry.versioned_orchestrators}
            found |= {(app_id, name) for name in names}
    return found


def service(file: Path) -> wf.WorkflowRuntime:
    """Load a service as in a lab, where each has a ledger."""
    with patch.dict(os.environ, {"LEDGER": str(file.with_name("ledger.sqlite"))}):
        return runtime_of(file)


def has_workflows(file: Path) -> bool:
    """Whether a service names workflows; one with activities only may need what is not here."""
    return "workflow(" in file.read_text("utf-8").replace("child_workflow(", "")


# --- on the real runtime ---------------------------------------------------------------------


def on_the_runtime(deployment: Deployment, lab: Lab) -> dict[str, Outcomes]:
    """Run all scenarios of a deployment in a lab; return what became of each, by its name."""
    together = [s for s in deployment.scenarios if not s.is_released]
    apart = [s for s in deployment.scenarios if s.is_released]
    with ThreadPoolExecutor(16) as pool:
        outcomes = dict(zip([s.name for s in together], pool.map(_in(lab), together), strict=True))
    for scenario in apart:
        _release(lab, scenario.app_id, scenario.begins_newer)
        outcomes[scenario.name] = _in(lab)(scenario)
    return outcomes


def _release(lab: Lab, app_id: str, newer: bool) -> None:
    _set_release(lab.app(app_id).spec.folder, newer)
    lab.restart(app_id, announce=False)


def _in(lab: Lab) -> Callable[[Scenario], Outcomes]:
    def played(scenario: Scenario) -> Outcomes:
        began = time.monotonic()
        made = _played(lab, scenario)
        print(f"{time.monotonic() - began:6.1f} s  {scenario.name}", flush=True)
        return made

    return played


def _played(lab: Lab, scenario: Scenario) -> Outcomes:
    lab.client(scenario.app_id).schedule_new_workflow(
        scenario.workflow, input=scenario.given, instance_id=scenario.name
    )
    run, waited = lab.run(scenario.name), False
    for act in scenario.acts:
        if act[0] == "wait":
            waited = bool(wait_until(lambda act=act: act[1] in run.history.kinds, 30, act[1]))
            continue
        before = run.history.events if waited else _rested(run, AT_REST)
        waited = False
        _act(lab, scenario, act)
        if act[0] not in ("release", "rollback"):
            wait_until(lambda before=before: run.history.events != before, 30, str(act))
    _rested(run, ENDS_AFTER)
    return wait_until(
        lambda: _outcomes(lab, run), what=f"{run.instance_id} and its children", usual=30
    )


def _outcomes(lab: Lab, run: Run) -> Outcomes:
    """Return what became of a workflow and its children; empty while one is still moving."""
    made = {f"{h.app_id}/{h.instance_id}": _outcome(lab, h) for h in run.history.walk()}
    return {} if any(_moves(made, name) for name in made) else made


def _moves(made: Outcomes, name: str) -> bool:
    """Whether more will be written for an instance: to itself, or to children that it saw end.

    A child tells its parent that it has ended before its own end is written.
    """
    events = made[name].events
    if status_of(events) != made[name].status:
        return True
    done = {e.task_id for e in events if e.kind.startswith("childWorkflowInstance")}
    terminated = any(e.kind == "executionTerminated" for e in events)
    for event in events:
        child = f"{event.target_app_id or event.app_id}/{event.child_instance_id}"
        if event.child_instance_id and event.event_id in done and child not in made:
            return True
        due = terminated or event.event_id in done
        if due and child in made and made[child].status not in ENDED:
            return True
    return False


def _rested(run: Run, quiet: float) -> tuple[HistoryEvent, ...]:
    """Wait until a workflow has ended, or waits for nothing but events; return its history."""
    last: tuple[HistoryEvent, ...] = ()
    since = time.monotonic()

    def rests() -> bool:
        nonlocal last, since
        with suppress(LabError):
            history = run.history
            if history.events != last:
                last, since = history.events, time.monotonic()
            if history.status in ENDED:
                return True
            free = ("event ", "a timer") if quiet == AT_REST else ("event ",)
            waits = [w for w in history.awaited() if not w.startswith(free)]
            held = history.status in ("SUSPENDED", "STALLED")
            still = time.monotonic() - since
            # A turn that calls an absent app is not written, so its history says nothing of it.
            return still > quiet if held or not waits else still > STUCK_AFTER
        return False

    wait_until(rests, what=f"{run.instance_id} is at rest", usual=60)
    return last


def _act(lab: Lab, scenario: Scenario, act: tuple[Any, ...]) -> None:
    client, name = lab.client(scenario.app_id), scenario.name
    if act[0] == "event":
        client.raise_workflow_event(name, act[1], data=act[2])
    elif act[0] == "suspend":
        client.pause_workflow(name)
    elif act[0] == "resume":
        client.resume_workflow(name)
    elif act[0] == "terminate":
        client.terminate_workflow(name)
    elif act[0] in ("release", "rollback"):
        _release(lab, scenario.app_id, act[0] == "release")


def _set_release(folder: Path, newer: bool) -> None:
    if newer:
        (folder / "newer").touch()
    else:
        (folder / "newer").unlink(missing_ok=True)


def _outcome(lab: Lab, history: RunHistory) -> Outcome:
    # By its own app: the instance ID of a child may be that of its parent.
    run = Run(lab, history.instance_id, history.app_id)
    failure = run.failure
    words = [failure.error_type, failure.message] if failure else None
    return Outcome(run.status, run.output, words, history.events)


# --- in process ------------------------------------------------------------------------------


def in_process(
    deployment: Deployment, scenario: Scenario, recorded: Outcomes, folder: Path
) -> Outcomes:
    """Run a scenario in process; return what became of it.

    Args:
        recorded: what the runtime made of it; its activities answer from there where the
            deployment's own cannot run here.
        folder: a copy of the deployment's folder, if there are releases.
    """
    files = {app_id: _file_of(deployment, app_id, folder) for app_id in deployment.apps}
    if deployment.activities_are_run:
        _set_release(files[scenario.app_id].parent, scenario.begins_newer)

    def app(app_id: str) -> wf.WorkflowRuntime:
        if deployment.activities_are_run:
            return service(files[app_id])
        return answering(files[app_id], recorded)

    system = InProcess({app_id: app(app_id) for app_id in files})
    system.schedule(scenario.app_id, scenario.workflow, scenario.given, scenario.name)
    for act in scenario.acts:
        if act[0] == "wait":
            _run_until(system, scenario.name, act[1])
            continue
        system.run(within=timedelta(0))
        if act[0] == "event":
            system.raise_event(scenario.name, act[1], act[2])
        elif act[0] in ("suspend", "resume", "terminate"):
            getattr(system, act[0])(scenario.name)
        elif act[0] in ("release", "rollback"):
            _set_release(files[scenario.app_id].parent, act[0] == "release")
            system.connect(scenario.app_id, app(scenario.app_id))
    system.run(within=timedelta(hours=1))
    ids = (name.split("/", 1) for name in recorded)
    return {f"{a}/{i}": _made(system, i, a) for a, i in ids}


def _run_until(system: InProcess, instance_id: str, kind: str) -> None:
    while kind not in [e.kind for e in system.history(instance_id)]:
        assert system.step(), f"{kind} does not come"


def _made(system: InProcess, instance_id: str, app_id: str) -> Outcome:
    instance = system.instance(instance_id, app_id)
    failure = instance.failure
    words = [failure.error_type, failure.message] if failure else None
    output = None if failure else instance.output
    events = tuple(system.history(instance_id, app_id))
    return Outcome(instance.status, output, words, events)


def answering(file: Path, recorded: Outcomes) -> wf.WorkflowRuntime:
    """Return the runtime of a service whose activities answer as they were recorded."""
    runtime = service(file) if has_workflows(file) else wf.WorkflowRuntime()
    registry = registry_of(runtime)
    answers = {
        (e.instance_id, e.task_id): e
        for o in recorded.values()
        for e in o.events
        if e.kind in ("taskCompleted", "taskFailed")
    }

    def answer(ctx: Any, _: Any = None) -> Any:
        # Not written: a call before the workflow continued as new, or before one to an absent app.
        event = answers.get((ctx.orchestration_id, ctx.task_id))
        if event is None:
            return None
        if event.failure is not None:
            raise type(event.failure.error_type, (Exception,), {})(event.failure.message)
        return event.value

    names = {e.name for o in recorded.values() for e in o.events if e.kind == "taskScheduled"}
    registry.activities = {str(name): answer for name in {*names, *registry.activities}}
    return runtime


# --- what is compared ------------------------------------------------------------------------


def same_end(outcome: Outcome) -> tuple[str, Any, list[str] | None]:
    """Return how an instance ended; of a failure its class and the first line of its message."""
    failure = outcome.failure and [outcome.failure[0], outcome.failure[1].splitlines()[0]]
    return outcome.status, outcome.output, failure or None


def misfits(
    deployment: Deployment, scenario: Scenario, outcomes: Outcomes, folder: Path
) -> list[str]:
    """Return in words where the code, replayed, decides other than the recorded histories hold.

    The code is of the release that the scenario ends with. What the runtime has stalled is replayed
    with the release that it began with, too: there it has to fit.

    Args:
        folder: empty; for a copy of the deployment.
    """
    copied(deployment, folder)
    found = []
    for name, outcome in outcomes.items():
        turns = _replayed(deployment, scenario, outcomes, name, folder, scenario.ends_newer)
        if outcome.status == "STALLED" and scenario.is_released:
            if turns[-1].status != "STALLED":
                found.append(f"{name}: is not held: {turns[-1]}")
            turns = _replayed(deployment, scenario, outcomes, name, folder, scenario.begins_newer)
        found += [f"{name}: {words}" for words in _differences(turns, outcome)]
    return found


def _replayed(
    deployment: Deployment,
    scenario: Scenario,
    outcomes: Outcomes,
    name: str,
    folder: Path,
    newer: bool,
) -> list[Turn]:
    app_id = name.split("/", 1)[0]
    file = _file_of(deployment, app_id, folder)
    if app_id == scenario.app_id and deployment.activities_are_run:
        _set_release(file.parent, newer)
    return replay(service(file), outcomes[name].events, _ancestors(name, outcomes))


def _file_of(deployment: Deployment, app_id: str, folder: Path) -> Path:
    file = deployment.apps[app_id]
    if not deployment.activities_are_run:
        return file
    return folder / file.relative_to(deployment.run_file.parent)


def _ancestors(name: str, outcomes: Outcomes) -> list[RunHistory]:
    found = []
    while name:
        started = (e for e in outcomes[name].events if e.kind == "executionStarted")
        start = next(started)
        name = f"{start.parent_app_id}/{start.parent_instance_id}" if start.parent_app_id else ""
        if name:
            app_id, instance_id = name.split("/", 1)
            found.append(RunHistory(app_id, instance_id, outcomes[name].events))
    return found


def _differences(turns: list[Turn], outcome: Outcome) -> Iterable[str]:
    """Compare turn by turn what was asked for; a call may wait for the next turn to be written."""
    held: list[str] = []
    parts = _parts(outcome.events)
    if len(turns) != len(parts):
        yield f"{len(turns)} turns of {len(parts)}; the last: {turns[-1:]}"
    for number, (turn, part) in enumerate(zip(turns, parts, strict=False)):
        asks = [a for a in turn.asks if a not in ("end", "again")]
        wrong = [name for name in part if name not in asks]
        if wrong or (turn.status is None and held and not set(held) <= set(asks)):
            yield f"turn {number} asks for {asks}, the history holds {part}"
        held = [name for name in asks if name not in part]
    ended = outcome.events[-1]
    if ended.kind == "executionCompleted":
        made = (turns[-1].status, turns[-1].output, turns[-1].failure)
        failure = ended.failure.message if ended.failure else None
        if made != (ended.status, ended.output, failure):
            yield f"ends with {made}, the history with {ended}"
    elif turns[-1].status:
        yield f"ends with {turns[-1]}, the history goes on"


def _parts(events: Iterable[HistoryEvent]) -> list[list[str]]:
    parts: list[list[str]] = []
    for event in events:
        if event.kind == "workflowStarted":
            parts.append([])
        elif KINDS[event.kind].replay == "decided":
            parts[-1].append(event.name or "timer")
    return parts


# --- recordings ------------------------------------------------------------------------------


def save(name: str, outcomes: Mapping[str, Outcomes]) -> None:
    """Keep what the runtime made of a deployment's scenarios."""
    told = {
        scenario: {
            key: {
                "status": o.status,
                "output": o.output,
                "failure": o.failure,
                "events": [_short(row) for row in to_json(o.events)],
            }
            for key, o in made.items()
        }
        for scenario, made in outcomes.items()
    }
    head = {"runtime": versions.DAPR_RUNTIME, "sdk": versions.PYTHON_SDK}
    text = json.dumps({**head, "scenarios": told}, sort_keys=True)
    RUNS.mkdir(exist_ok=True)
    with gzip.GzipFile(RUNS / f"{name}.json.gz", "wb", mtime=0) as file:
        file.write(text.encode())


def _short(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out the stack: it holds the paths of the machine."""
    if "failure" in row:
        row["failure"] = {**row["failure"], "stack": ""}
    return row


def recorded_runs(name: str) -> dict[str, Outcomes]:
    """Return what the runtime made of a deployment's scenarios, by their names."""
    with gzip.open(RUNS / f"{name}.json.gz") as file:
        told = json.loads(file.read())["scenarios"]
    return {
        scenario: {
            key: Outcome(o["status"], o["output"], o["failure"], tuple(from_json(o["events"])))
            for key, o in made.items()
        }
        for scenario, made in told.items()
    }


def record(deployment: Deployment, folder: Path) -> dict[str, Outcomes]:
    """Run a deployment's scenarios on the real runtime, in a lab of their own."""
    run_file = copied(deployment, folder)
    env = {"APPROVAL_SECONDS": "3", "REMIND_SECONDS": "2", "ESCALATE_SECONDS": "2"}
    with Lab(run_file, env=env) as lab:
        lab.up(announce=False)
        return on_the_runtime(deployment, lab)


def copied(deployment: Deployment, folder: Path) -> Path:
    """Return the run file; of a copy in ``folder``, if its apps have releases."""
    if not deployment.activities_are_run:
        return deployment.run_file
    skip = shutil.ignore_patterns("__pycache__", "newer")
    shutil.copytree(deployment.run_file.parent, folder, ignore=skip, dirs_exist_ok=True)
    return folder / deployment.run_file.name


def by_name(names: Iterable[str] = ()) -> list[Deployment]:
    from tests.support.scenario_table import DEPLOYMENTS

    chosen = set(names)
    return [d for d in DEPLOYMENTS if not chosen or d.name in chosen]


def main(names: list[str]) -> None:
    for deployment in by_name(names):
        with tempfile.TemporaryDirectory() as folder:
            outcomes = record(deployment, Path(folder) / "deployment")
        kept = {s.name for s in deployment.scenarios if not s.large}
        save(deployment.name, {n: o for n, o in outcomes.items() if n in kept})
        for name, made in outcomes.items():
            for key, o in made.items():
                print(deployment.name, name, key, o.status, str(o.output)[:100], o.failure)


if __name__ == "__main__":
    main(sys.argv[1:])
