"""An order that ends its worker is set aside after some runs, and all others are carried out."""

import shutil
from contextlib import suppress
from dataclasses import replace

from labkit.errors import LabError
from labkit.exercises.cases import NOTIFICATIONS, ORCHESTRATOR, Case, part
from labkit.exercises.observations import Check, as_before, besides, ended, mailed, ordered, says
from labkit.waiting import patience, wait_until

WORKFLOW = "task_processing_multi_app"
MOST = 4
READY_SECONDS = 20.0
AFTER = "the output of the order after it"


def steps(lab):
    poison, other = Case(lab, "poison", WORKFLOW), Case(lab, "next", WORKFLOW)
    yield ordered(poison)
    yield ordered(other)
    yield from wished(poison, other, deaths(poison))


def counter(trial):
    word = trial.draw.word()
    lab = trial.lab(ORCHESTRATOR)
    with_renderer(lab, word)
    poison = trial.order(title=f"Review {word} now")
    supervise(lab, poison)
    other = trial.order()
    supervise(lab, other)
    for one in wished(poison, other, deaths(poison)):
        is_last = one.id == "next" and one.checked == AFTER
        yield besides(one, lambda: spoiled(trial, lab)) if is_last else one


def spoiled(trial, lab):
    """What else has changed: another team's file, or later orders for one person."""
    text = next(e.put for e in trial.exercise.fault if e.file.endswith("renderer.py"))
    file = trial.exercise.work / NOTIFICATIONS / "renderer.py"
    if file.read_text("utf-8").strip() != text.strip():
        return "renderer.py, which is another team's, has changed"
    first = trial.order()  # of another person: the mails of the order before are counted after this
    later = [first, *(trial.again(first) for _ in range(MOST))]
    for case in later:
        case.settled()
    found = {str(part(case.output, "status")) for case in later} - {"completed"}
    return f"the same order {MOST + 1} times: {', '.join(sorted(found))}" if found else ""


def with_renderer(lab, word):
    """Start the notification service with a renderer of tomorrow, which another text ends.

    What it fails on stands in none of its names: the files are a copy of the learner's.
    """
    spec = next(a for a in lab.run_file.apps if a.app_id == NOTIFICATIONS)
    folder = lab.folder / "tomorrow" / NOTIFICATIONS
    left_out = shutil.ignore_patterns("__pycache__", "*.sqlite*")
    shutil.copytree(spec.folder, folder, symlinks=True, ignore=left_out)
    file = folder / "renderer.py"
    text = file.read_text("utf-8").replace("if FAILS_ON in text:", f"if {word!r} in text:")
    file.write_text(text, "utf-8")
    copied = [replace(a, folder=folder) if a is spec else a for a in lab.run_file.apps]
    lab.run_file = replace(lab.run_file, apps=tuple(copied))
    lab.up(within=READY_SECONDS * patience(), announce=False)


def wished(poison, other, ends):
    yield Check(
        "runs",
        f"the service goes down {MOST} times at most",
        f"at most {MOST} times",
        lambda: f"at most {MOST} times" if len(ends) <= MOST else f"{len(ends)} times or more",
        f"lab.app({NOTIFICATIONS!r}).past; lab.ledger({NOTIFICATIONS!r}, 'attempts')",
        lambda seen: str(seen).startswith("at most"),
    )
    yield ended(poison)
    yield says(
        poison, "set aside", "status", checked="the output of the order that ends its worker"
    )
    yield mailed(poison, count=0)
    yield ended(other, id="next")
    yield says(other, "completed", "status", id="next", checked=AFTER)
    yield mailed(other, id="next")
    yield from as_before(other)


def deaths(case):
    """The ends of the service since the order began that nobody has brought about from outside."""
    began = case.history.events[0].time.timestamp()
    past = case.lab.app(NOTIFICATIONS).past
    ends = [x for part, x in past if part == "worker" and (x.ended_at or 0) > began]
    return [x for x in ends if not x.was_killed]


def supervise(lab, case):
    """Start again what has ended, until the order has ended or this is in vain."""
    for _ in range(MOST + 1):
        with suppress(LabError):
            wait_until(lambda: case.run.has_ended or lab.troubles(), 15 * patience())
        if not lab.troubles():
            break
        with suppress(LabError):
            lab.up(within=READY_SECONDS * patience(), announce=False)
