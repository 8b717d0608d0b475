"""Measures what each view shows of the fault of each break lab.

    python -m tests.support.measure_views [ID ...]

Plays each break lab with its fault, and whole, with spans sent to the lab; asks the four views of
each run, and writes ``tests/data/views.json`` and the table of ``docs/views-of-faults.md``. What
was asked is kept in ``.lab/views``: a break lab that is there is not played again, unless named.
"""

from __future__ import annotations

import json
import pickle
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from labkit import paths, runfile, runtime
from labkit.build.attack import own_state
from labkit.build.proof import staged
from labkit.course.verdict import Verdict
from labkit.errors import ObservationError
from labkit.exercises import Exercise, in_order, load
from labkit.exercises.catalogue import Edit
from labkit.exercises.checking import look, try_out
from labkit.exercises.deployment import prepare
from labkit.history import instance_ids_of
from labkit.infrastructure.surroundings import sends_spans
from labkit.labs.attached import Attached
from labkit.labs.workflowrun import Run
from tests.support.deployments import EXPORTERS, TRACING
from tests.support.view_marks import VIEWS, Asked, Mark, gaps, marks

DATA = paths.repo() / "tests" / "data" / "views.json"
PAGE = paths.repo() / "docs" / "views-of-faults.md"
KEPT = paths.repo() / ".lab" / "views"
TABLE = re.compile(r"(?s)(<!-- table -->\n).*?(<!-- end -->)")
CONTROL_PLANE = ("scheduler", "placement")
STATES = ("fault", "whole")
MOST_RUNS = 6
MOST_TEXT = 100
NO_RUN = "no run"
SENDING = yaml.safe_load(TRACING.format(exporter=EXPORTERS["zipkin"]))


def main(asked: Sequence[str]) -> None:
    """Play what is asked, or what is missing; write the data and the table after each."""
    for exercise in [load(id) for id in asked] or break_labs():
        file = KEPT / runtime.binaries().version / f"{exercise.id}.pickle"
        if asked or not file.exists():
            began = time.monotonic()
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(pickle.dumps({state: play(exercise, state) for state in STATES}))
            print(f"{exercise.id}: {time.monotonic() - began:.0f} s", flush=True)
        write(exercise, pickle.loads(file.read_bytes()))


def break_labs() -> list[Exercise]:
    """Return the break labs, lesson by lesson."""
    return [e for e in in_order() if e.kind == "break"]


# --- playing ----------------------------------------------------------------------------------


def play(exercise: Exercise, state: str) -> tuple[bool, Asked]:
    """Play the scenario of a break lab; return whether its check says what is due, and the views.

    Args:
        state: "fault", where the symptom is due, or "whole", where all is well.
    """
    with lab_of(exercise, state):
        verdict = look(exercise, counter=False)
        asked = asked_of(exercise)
        if state == "whole":
            return verdict.passed or bool(exercise.accident), asked
        if verdict.passed:  # some symptoms are seen in the check's own lab only
            verdict = Verdict(exercise.id, tuple(try_out(exercise)))
        return shows(exercise, verdict), asked


@contextmanager
def lab_of(exercise: Exercise, state: str) -> Iterator[None]:
    """Run the scenario in a lab whose sidecars send their spans; its end ends the lab."""
    is_whole = state == "whole"
    edits = exercise.healthy if is_whole else exercise.fault
    more = tracing(exercise, edits)
    with own_state(), staged(exercise, (*edits, *more), accident=not is_whole):
        yield


def shows(exercise: Exercise, verdict: Verdict) -> bool:
    """Whether a check has stopped at the symptom of the fault."""
    stopped, symptom = verdict.stopped_at, exercise.symptom
    return bool(
        stopped and stopped.step == symptom["step"] and symptom["words"] in stopped.observed
    )


def tracing(exercise: Exercise, edits: Iterable[Edit]) -> list[Edit]:
    """Return edits that let each sidecar send its spans to the lab.

    There are none where some do so already, nor for manifests: a lab of manifests sends no spans.
    """
    if exercise.manifests:
        return []
    with own_state():
        deployed = runfile.load(prepare(exercise, edits))
        own = {app.config for app in deployed.apps}
        if any(sends_spans(config) for config in own if config):
            return []
        here = exercise.work.resolve()
        found = [_traced(config, here) for config in own if config]
        if None in own:
            told = yaml.safe_load(deployed.path.read_text("utf-8"))
            told.setdefault("common", {})["configFilePath"] = "views.yaml"
            found += [_edit("dapr.yaml", told), _edit("views.yaml", SENDING)]
        return found


def _traced(config: Path, here: Path) -> Edit:
    told = yaml.safe_load(config.read_text("utf-8"))
    told["spec"] |= SENDING["spec"]
    return _edit(str(config.resolve().relative_to(here)), told)


def _edit(file: str, told: object) -> Edit:
    return Edit(file, yaml.safe_dump(told, sort_keys=False))


def asked_of(exercise: Exercise) -> Asked:
    """Return the views of each run in the lab of an exercise that was played, without children."""
    seen = Attached(exercise.run_file)
    try:
        runs = list(_runs(seen))
        children = set()
        for run in runs:
            with suppress(ObservationError):  # its first turn is not written
                children |= {child.instance_id for child in run.history.children}
        runs = [run for run in runs if run.instance_id not in children]
        # Each asks all logs, which are long where much is tried again.
        runs.sort(key=_is_completed)
        return [run.views().views for run in runs[:MOST_RUNS]]
    finally:
        seen.close()


def _is_completed(run: Run) -> bool:
    with suppress(ObservationError):
        return run.status == "COMPLETED"
    return False


def _runs(seen: Attached) -> Iterator[Run]:
    for app_id in dict.fromkeys(app.app_id for app in seen.started_apps()):
        app = seen.app(app_id)
        with suppress(ObservationError):  # its sidecar has ended
            for id in instance_ids_of(app.grpc_address, app.shared.token):
                yield Run(seen, id, app_id)


# --- the table --------------------------------------------------------------------------------


def write(exercise: Exercise, kept: Mapping[str, tuple[bool, Asked]]) -> None:
    """Write the row of a break lab into the data, and the table into its page."""
    told = measured()
    if told["runtime"] != runtime.binaries().version:
        told = {"runtime": runtime.binaries().version, "labs": {}}
    told["labs"][exercise.id] = row(exercise, kept)
    lines = [f" {json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(told["labs"].items())]
    labs = ",\n".join(lines)
    DATA.write_text(f'{{"runtime": "{told["runtime"]}", "labs": {{\n{labs}\n}}}}\n', "utf-8")
    PAGE.write_text(page(), "utf-8")


def measured() -> dict[str, Any]:
    """Return the data as they are written down."""
    return dict(json.loads(DATA.read_text("utf-8")))


def row(exercise: Exercise, kept: Mapping[str, tuple[bool, Asked]]) -> dict[str, Any]:
    """Return what the views show of a fault, and not of the whole system."""
    names = (*exercise.apps, *CONTROL_PLANE)
    shown: dict[str, list[Mark] | None] = {}
    for view in VIEWS:
        of_fault, of_whole = (marks(kept[state][1], view, names) for state in STATES)
        usual = {m[:3] for m in of_whole or ()}
        new = None if of_fault is None else {_short(m) for m in of_fault if m[:3] not in usual}
        shown[view] = None if new is None else sorted(new)
    return {
        "right": {state: kept[state][0] for state in STATES},
        "runs": len(kept["fault"][1]),
        "places": places(exercise),
        "gaps": {s: sorted({g for run in kept[s][1] for g in gaps(run)}) for s in STATES},
        "shown": shown,
    }


def _short(mark: Mark) -> Mark:
    return mark._replace(step=mark.step[:MOST_TEXT])


def places(exercise: Exercise) -> list[str]:
    """Return where a fault is: apps, where files of theirs are others than in the whole system.

    Else it is a file that all apps share, or the part of the control plane that has ended.
    """
    if exercise.accident:
        return [exercise.accident[0].split()[1]]
    whole, fault = (_files(exercise, edits) for edits in (exercise.healthy, exercise.fault))
    found: list[str] = []
    for file in sorted(whole.keys() | fault.keys()):
        if whole.get(file) != fault.get(file):
            found += _places_in(file, exercise, whole.get(file, ""), fault.get(file, ""))
    return list(dict.fromkeys(found))


def _files(exercise: Exercise, edits: Iterable[Edit]) -> dict[str, str]:
    with own_state():
        here = exercise.work
        prepare(exercise, edits)
        files = [f for f in here.rglob("*") if f.is_file() and ".venv" not in f.parts]
        return {str(f.relative_to(here)): f.read_text("utf-8", "replace") for f in files}


def _places_in(file: str, exercise: Exercise, *texts: str) -> list[str]:
    if file == "dapr.yaml":
        before, after = ({a["appID"]: a for a in yaml.safe_load(x)["apps"]} for x in texts)
        return [app for app in exercise.apps if before.get(app) != after.get(app)] or [file]
    owners = [app for app in exercise.apps if app in (Path(file).parts[0], Path(file).stem)]
    return owners or [file]


def page() -> str:
    """Return the page with its table as the data make it."""
    told = measured()["labs"]
    known = [e for e in break_labs() if e.id in told]
    cells = {e.id: _cells(e, told[e.id]) for e in known}
    head = f"| break lab | fault in | {' | '.join(VIEWS)} |\n|---|---|{'---|' * len(VIEWS)}"
    rows = [
        f"| {e.id} | {', '.join(told[e.id]['places'])} | {' | '.join(cells[e.id])} |" for e in known
    ]
    text = "\n".join([head, *rows, "", *_counts(cells)])
    return TABLE.sub(lambda m: f"{m[1]}\n{text}\n\n{m[2]}", PAGE.read_text("utf-8"))


def _counts(cells: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield in words how many faults each view shows, and which none shows."""
    asked = {id: row for id, row in cells.items() if NO_RUN not in row}
    yield f"{len(asked)} of {len(cells)} break labs have a run that can be asked:"
    yield ""
    for number, view in enumerate(VIEWS):
        own = [row[number] for row in asked.values()]
        shown, here = sum(":" in c for c in own), sum(c.startswith("here:") for c in own)
        yield f"- {view}: something of {shown} faults, at their place of {here}"
    none = [id for id, row in asked.items() if not any(":" in cell for cell in row)]
    yield f"- no view: {len(none)}: {', '.join(none)}"


def _cells(exercise: Exercise, row: Mapping[str, Any]) -> list[str]:
    if not row["runs"]:
        return [NO_RUN] * len(VIEWS)
    is_shared = not set(row["places"]) & {*exercise.apps, *CONTROL_PLANE}
    return [_cell(row["shown"][view], None if is_shared else row["places"]) for view in VIEWS]


def _cell(shown: Sequence[Sequence[Any]] | None, own: Sequence[str] | None) -> str:
    """Return what a view shows, and where: here, at the place of the fault, or elsewhere."""
    if shown is None:
        return "not asked"
    here = {what for what, app, _, names in shown if own and {app, *names} & set(own)}
    other = {what for what, *_ in shown} - here
    where = {"here": here, "shown" if own is None else "elsewhere": other}
    said = [f"{word}: {', '.join(sorted(found))}" for word, found in where.items() if found]
    return "; ".join(said) or "—"


if __name__ == "__main__":
    main(sys.argv[1:])
