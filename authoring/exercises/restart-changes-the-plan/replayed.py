"""Runs a recorded history over a service, as a process does that has just been started.

Started by the check with the path of the service and of a pickled pair: an instance ID and its
events. The last line that it prints is what the workflow did, as JSON.
"""

import json
import logging
import pickle
import sys
from pathlib import Path

from dapr.ext.workflow._durabletask import worker as sdk

from labkit.replay import _BEGINNINGS, _EVENTS, _WORKER, _turn_of, runtime_of


def main(service: Path, recorded: Path) -> None:
    """Replay everything up to the last turn, as what has happened before this process."""
    instance_id, events = pickle.loads(recorded.read_bytes())
    sys.path.insert(0, str(service.parent))
    registry = getattr(runtime_of(service), _WORKER)._registry
    made = [(e.kind, _EVENTS[e.kind](e)) for e in events if e.kind in _EVENTS]
    last = max(i for i, (kind, _) in enumerate(made) if kind == "workflowStarted")
    new = [event for kind, event in made[last:] if kind not in _BEGINNINGS]
    executor = sdk._OrchestrationExecutor(registry, logging.getLogger("replayed"))
    turn = _turn_of(executor.execute(instance_id, [e for _, e in made[:last]], new).actions, ())
    print(json.dumps({"asks": turn.asks, "failure": turn.failure}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
