"""Runs a recorded history over a service, as a process does that has just been started.

Started by the check with the path of the service and of a pickled pair: an instance ID and its
events. The last line that it prints is what the workflow did, as JSON.
"""

import json
import pickle
import sys
from pathlib import Path

from labkit.replay import restarted, runtime_of


def main(service: Path, recorded: Path) -> None:
    """Replay everything up to the last turn, as what has happened before this process."""
    _, events = pickle.loads(recorded.read_bytes())
    turn = restarted(runtime_of(service), events)
    print(json.dumps({"asks": turn.asks, "failure": turn.failure}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
