"""Reads the verb, hands over, and turns errors into messages and exit codes.

Exit codes: 0 good, 1 the thing asked about is not good, 2 wrong use, 130 interrupted.
"""

from __future__ import annotations

import difflib
import importlib
import json
import os
import sys
from collections.abc import Sequence

from labkit.errors import LabError
from labkit.host import foreign, hosterrors, packages, sdk

# verb: (module with main(argv) -> exit code, what it does)
VERBS = {
    "start": ("labkit.cli.start", "set up if needed, open JupyterLab on the next lesson"),
    "setup": ("labkit.cli.setup", "only the set-up: environment, Dapr runtime, your notebooks"),
    "demo": ("labkit.cli.demo", "one cross-app workflow in the terminal, in a few seconds"),
    "test": ("labkit.cli.test", "everything that CI runs"),
    "status": ("labkit.cli.progress", "what you have done, lesson by lesson"),
    "next": ("labkit.cli.progress", "the lesson to go on with"),
    "check": ("labkit.cli.exercises", "look at the running lab of an exercise, and judge"),
    "hint": ("labkit.cli.exercises", "the next hint for an exercise, from what is observed"),
    "reset": ("labkit.cli.exercises", "start a lesson or exercise over; yours is kept"),
    "doctor": ("labkit.machine", "problems of this machine, and the commands that fix them"),
    "cuts": ("labkit.cuts.command", "kill anything at every event, and ask what still holds"),
    "incident": ("labkit.incidents.command", "you are on call, and something is wrong"),
    "atlas": ("labkit.incidents.lookup", "from a symptom or a message to its causes"),
    "preflight": ("labkit.preflight", "what manifests do not give a workflow over several apps"),
    "ps": ("labkit.cli.processes", "the labs that run now, and their processes"),
    "stop": ("labkit.cli.processes", "end labs that run"),
    "logs": ("labkit.cli.processes", "follow the log of an app"),
    "bench": ("labkit.bench", "benchmarks: what the course costs over plain Dapr"),
    "build": ("labkit.build", "make the notebooks from their sources"),
    "runtime": ("labkit.cli.runtime", "which Dapr programs are used, and where they came from"),
    "prometheus": ("labkit.prometheus.getting", "get Prometheus for the views of a run"),
    "zipkin": ("labkit.tracing.getting", "get Zipkin for the traces of a run; it needs Java"),
    "clean": ("labkit.cli.clean", "remove what runs have left; --all the caches too"),
}
TAKE_VERB = {"labkit.cli.exercises", "labkit.cli.progress", "labkit.cli.processes"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    verb, rest = arguments[0], arguments[1:]
    if verb not in VERBS:
        near = difflib.get_close_matches(verb, VERBS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        print(f"no verb {verb!r}{hint}\n\n{usage()}", file=sys.stderr)
        return 2
    given = [verb, *rest] if VERBS[verb][0] in TAKE_VERB else rest
    try:
        module = importlib.import_module(VERBS[verb][0])
        # Its docstring is the help text; a terminal shows no RST.
        module.__doc__ = (module.__doc__ or "").replace("``", "")
        code = int(module.main(given) or 0)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader has seen enough, e.g. `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except LabError as problem:
        _show(problem, "--json" in rest)
    except KeyboardInterrupt:
        print("\nInterrupted. Run the same command again: it goes on.", file=sys.stderr)
        return 130
    except Exception as problem:
        told = _explained(problem)
        if told is None:
            raise
        _show(told, "--json" in rest)
    return 1


def _explained(problem: Exception) -> LabError | None:
    ways = (foreign.explained, sdk.explained, packages.explained, hosterrors.explained)
    return next((told for way in ways if (told := way(problem))), None)


def usage() -> str:
    """Return the list of verbs."""
    rows = [f"  {verb:<10} {does}" for verb, (_, does) in VERBS.items()]
    return "\n".join(["usage: ./lab VERB [--help]", "", *rows])


def _show(problem: LabError, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"error": problem.as_dict()}))
    else:
        print(problem, file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
