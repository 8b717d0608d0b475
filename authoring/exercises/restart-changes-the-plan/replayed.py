"""Runs a recorded history over a service, as a process does that has just been started.

Started by the check with the path of the service and of a pickled pair: an instance ID and its
events. The last line that it prints is what the workflow did, as JSON. Its activities are asked
again, too: where all of them come to the same answers, nothing outside of their input was needed.
"""

import json
import logging
import multiprocessing
import pickle
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from dapr.ext.workflow._durabletask.worker import _ActivityExecutor

from labkit.replay import restarted, runtime_of
from labkit.turns import registry_of

SECONDS = 5.0
FORK = multiprocessing.get_context("fork")


def main(service: Path, recorded: Path) -> None:
    """Replay everything up to the last turn, as what has happened before this process.

    Once with the recorded answers; when that goes well, again with those of this process.
    """
    _, events = pickle.loads(recorded.read_bytes())
    runtime = runtime_of(service)
    anew = asked_again(registry_of(runtime).activities, events)
    turn, is_anew = restarted(runtime, events), False
    if not turn.failure and "end" in turn.asks:
        turn, is_anew = restarted(runtime_of(service), anew), True
    print(json.dumps({"asks": turn.asks, "failure": turn.failure, "anew": is_anew}))


def asked_again(activities, events):
    """Return the events with the answers that the activities of this service give now."""
    calls = {e.event_id: e for e in events if e.kind == "taskScheduled"}
    return [
        replace(e, output=answer(activities, calls[e.task_id], e.output))
        if e.kind == "taskCompleted" and e.task_id in calls
        else e
        for e in events
    ]


def answer(activities, call, recorded):
    """Return what an activity answers in a process of its own, without the memory of others.

    The recorded answer stays where nobody answers: another app has the activity, it fails here,
    or it takes long. What it looks for and does not find is no answer: null.
    """
    function = activities.get(call.name)
    if call.target_app_id not in (None, "", call.app_id) or function is None:
        return recorded
    here, there = FORK.Pipe(duplex=False)

    def run():
        executor = _ActivityExecutor(logging.getLogger(__name__))
        given = (call.instance_id, call.name, call.event_id, call.input)
        with suppress(Exception):
            try:
                there.send(executor.execute(function, *given, call.task_execution_id or ""))
            except LookupError:
                there.send(None)

    process = FORK.Process(target=run, daemon=True)
    process.start()
    there.close()
    try:
        return here.recv() if here.poll(SECONDS) else recorded
    except EOFError:
        return recorded
    finally:
        process.kill()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
