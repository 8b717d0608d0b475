"""ml-inference-service does one inference at a time, whoever asks, and leaves none out.

How many run at once is seen from outside: an inference is given a pipe in place of a file, and goes
on when the check writes to it. What it gets then is long, so it is busy for a while. Where the
others come slowly after that, they may wait for a clock: then one is held for longer.
"""

import os
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from labkit.exercises.cases import ORCHESTRATOR, Case
from labkit.exercises.observations import Check, came_true, ended, ordered, rows_of, says
from labkit.exercises.reference import INFERENCE
from labkit.waiting import patience, poll, wait_until

CALLER = "another-caller"
MANY = 3
WORDS = 6
SECONDS = 30.0
HELD_SECONDS = 1.0
SLOW_SECONDS = 5.0
"""In so long the five short inferences that are left have ended, unless they wait for a clock."""
PACED_SECONDS = 10.5
"""Longest time between the begins of two inferences that is looked for."""
LONG = "Review the contract " * 260
"""To explain each word of it takes about a second."""
EARLY = 1 / 3
"""Part of the time of an inference: in the last part the next one may have begun, as the history
says a little later that the first one has ended."""


def steps(lab):
    cases = [Case(lab, name, "judge_many") for name in ("one", "two")]
    for case in cases:
        yield ordered(case)
        yield from explained(case, case.run.input)
    yield one_in_the_ledger(lab, cases)


def counter(trial):
    """Hold the first inference of another caller; meanwhile judge_many asks for its own."""
    lab = trial.lab()
    pipes = Pipes(lab.folder, MANY)
    start_caller(lab)
    titles = [trial.draw.text(WORDS) for _ in range(MANY)]
    with ExitStack() as released:
        released.callback(pipes.release)
        other = judge_files(trial, lab, pipes)
        wait_until(pipes.held, SECONDS * patience(), "the first inference has begun")
        case = trial.order(given=titles)
        yield asked(case)
        yield one_is_held(pipes, case)
        yield one_is_busy(pipes, case, other, lambda: paced(trial, lab))
    yield ended(other, id="all")
    yield from explained(case, titles)


def start_caller(lab):
    """Add an app of our own to the second lab; the learner's run file stays as it is."""
    spec = next(a for a in lab.run_file.apps if a.app_id == ORCHESTRATOR)
    own = replace(
        spec,
        app_id=CALLER,
        folder=Path(__file__).parent,
        command=("python3", "caller.py"),
        config=None,
        settings={},
    )
    lab.run_file = replace(lab.run_file, apps=(*lab.run_file.apps, own))
    lab.up(CALLER, within=SECONDS * patience(), announce=False)


def judge_files(trial, lab, pipes):
    case = Case(lab, trial.draw.instance_id(), "judge_files", pipes.names)
    lab.client(CALLER).schedule_new_workflow(
        "judge_files", input=pipes.names, instance_id=case.instance_id
    )
    return case


class Pipes:
    """Named pipes: whoever opens one to read waits until it is released."""

    def __init__(self, folder, many, name="report"):
        self.names = [str(folder / f"{name}-{number}") for number in range(many)]
        self.open = {}
        for name in self.names:
            os.mkfifo(name)

    def held(self):
        """How many inferences are reading now; each goes on reading."""
        for name in set(self.names) - set(self.open):
            with suppress(OSError):  # nobody reads it yet
                self.open[name] = os.open(name, os.O_WRONLY | os.O_NONBLOCK)
        return len([end for end in self.open.values() if end is not None])

    def release(self, text="Review the contract"):
        """Let the inferences that read now go on, with a text."""
        self.held()
        for name, end in self.open.items():
            if end is not None:
                with suppress(BrokenPipeError):  # the service has ended meanwhile
                    os.write(end, text.encode())
                os.close(end)
                self.open[name] = None


# --- what is observed -------------------------------------------------------------------------


def explained(case, titles):
    yield ended(case, within=10)
    yield Check(
        "all",
        f"the model has explained every title of the workflow {case.name}",
        f"{len(titles)} titles",
        lambda: f"{len(done(case, titles))} titles",
        f"lab.run({case.instance_id!r}).history.steps()",
    )
    yield says(case, len(titles), id="all", checked="its output is their number")


def done(case, titles):
    """The inferences that have answered one of these titles with an explanation."""
    found = [s for s in case.steps(app_id=INFERENCE) if s.outcome == "completed"]
    return [s for s in found if s.argument.get("title") in titles and "because" in s.value]


def asked(case):
    """The caller asks for all of its inferences at once, while another one is running."""

    def observe():
        within = SECONDS * patience() / 3
        poll(lambda: len(case.steps(app_id=INFERENCE)) >= MANY, within, 0.1)
        return len(case.steps(app_id=INFERENCE))

    return Check(
        "callers",
        "the callers ask as before: for all titles at once",
        MANY,
        observe,
        f"lab.run({case.instance_id!r}).history",
    )


def one_is_held(pipes, case):
    """While one inference is held, no other one begins, whoever asks."""

    def together():
        others = [s for s in case.steps(app_id=INFERENCE) if s.ended]
        return pipes.held() + len(others)

    def observe():
        poll(lambda: together() > 1, HELD_SECONDS * patience(), 0.1)
        return f"{together()} at a time" if together() == 1 else "more than one at a time"

    return Check(
        "at-once",
        "while one inference is running, no other one runs, whoever asks",
        "1 at a time",
        observe,
        "the Configuration of the sidecar in which the inferences run",
    )


def one_is_busy(pipes, case, other, paced):
    """While one inference works on what it has read, no other one begins, whoever asks.

    ``paced`` says whether a clock keeps them apart; it is asked where the others come slowly.
    """

    def another():
        return pipes.held() or any(s.ended for s in case.steps(app_id=INFERENCE))

    def has_ended():
        return any(s.ended for s in other.steps(app_id=INFERENCE))

    def all_done():
        pipes.release()
        return case.run.has_ended and other.run.has_ended

    def is_slow():
        began = time.monotonic()
        poll(all_done, SECONDS * patience(), 0.1)
        return time.monotonic() - began > SLOW_SECONDS * patience()

    def observe():
        pipes.release(LONG)
        began, next_at = time.monotonic(), None
        deadline = began + SECONDS * patience()
        while not has_ended() and time.monotonic() < deadline:
            if next_at is None and another():
                next_at = time.monotonic()
            time.sleep(0.02)
        took = time.monotonic() - began
        early = next_at is not None and next_at - began < took * EARLY
        early = early or (is_slow() and paced())
        return "more than one at a time" if early else "1 at a time"

    return Check(
        "at-once",
        "until an inference has ended, no other one begins, whoever asks",
        "1 at a time",
        observe,
        "what holds the other inferences back, and for how long",
    )


def paced(trial, lab):
    """Whether another inference begins while one is held for long."""
    pipes = Pipes(lab.folder, MANY, "late")
    case = judge_files(trial, lab, pipes)
    try:
        wait_until(pipes.held, SECONDS * patience(), "an inference has begun")
        return came_true(lambda: pipes.held() > 1, PACED_SECONDS)
    finally:
        poll(lambda: pipes.release() or case.run.has_ended, SECONDS * patience(), 0.1)


def one_in_the_ledger(lab, cases):
    """A first look, by what the service has written; the second lab does not rely on it."""

    def observe():
        keys = {s.task_execution_id for case in cases for s in case.steps(app_id=INFERENCE)}
        rows = [r for r in rows_of(lab, INFERENCE, "inferences") if r["key"] in keys]
        rows.sort(key=lambda row: row["started"])
        overlap = any(a["ended"] > b["started"] for a, b in pairwise(rows))
        return "more than one at a time" if overlap else "1 at a time"

    return Check(
        "at-once",
        "no two inferences overlap in the ledger",
        "1 at a time",
        observe,
        f'lab.ledger("{INFERENCE}", "inferences"), started and ended',
    )
