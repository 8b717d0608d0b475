"""ml-inference-service judges the whole report, and the workflow's output is its answer.

The reports of the counter-scenario say something else at both ends than as a whole and are too
large to be sent, compressed or not. The course's own copy of the model says what they score.
"""

import base64
import csv
import json
import random
import subprocess

from labkit import paths
from labkit.errors import ObservationError
from labkit.exercises.cases import Case
from labkit.exercises.observations import Check, ended, ordered, says
from labkit.exercises.reference import INFERENCE
from labkit.waiting import patience

MODEL = paths.repo() / "services" / INFERENCE
SCORES = """\
import json, main, sys
print(json.dumps(main.scores([open(file, encoding="utf-8").read() for file in sys.argv[1:]])))
"""
SECONDS = 30.0
SETTLE_SECONDS = 5.0
RANDOM_BYTES = 2_400_000
"""Of a report, without a pattern: more than a call may carry, however it is packed."""


def steps(lab):
    case = Case(lab, "report", "judge_report")
    yield ended(case, within=SETTLE_SECONDS)  # before its history, which can be too large to read
    yield ordered(case)
    yield from wishes(case, "")


def counter(trial):
    trial.lab()
    given = reports(trial)
    for file, score in zip(given, scores(given), strict=True):
        case = trial.order(given=str(file))
        yield ended(case, within=SETTLE_SECONDS)
        yield from wishes(case, f"score {score}")
        priority = "high" if score >= 0.5 else "normal"
        yield says(case, priority, checked="the output is the model's answer")


def wishes(case, expected):
    yield Check(
        "whole",
        f"{INFERENCE} judges the whole report" if expected else f"{INFERENCE} judges the report",
        expected or "an answer of the model",
        lambda: ", ".join(answers(case)) or "no answer of the model",
        f"lab.run({case.instance_id!r}).history.steps(), and the file that was judged",
        lambda seen: seen != "no answer of the model" and fits(expected, seen.split(", ")),
    )
    yield Check(
        "says",
        "the output is a priority that the model gave",
        "the answer of the model",
        lambda: case.output,
        f"lab.run({case.instance_id!r}).output",
        lambda seen: any(str(seen) in str(step.value) for step in judged(case)),
    )


def judged(case):
    return [s for s in case.steps(app_id=INFERENCE) if s.outcome == "completed"]


def answers(case):
    """What the model answered; its score, where the activity hands it on."""
    values = [s.value for s in judged(case)]
    scored = [isinstance(v, dict) and "score" in v for v in values]
    return [f"score {v['score']}" if s else str(v) for v, s in zip(values, scored, strict=True)]


def fits(expected, seen):
    """Whether one of the answers has the expected score, rounded or not.

    An activity may hand on none at all; then the priority says which part was judged.
    """
    scored = [one for one in seen if one.startswith("score ")]
    return not expected or not scored or any(rounded(expected, one) == one for one in scored)


def rounded(expected, like):
    """Return the expected score with as many digits as another one has."""
    digits = len(like.partition(".")[2])
    return f"score {round(float(expected.removeprefix('score ')), digits)}" if digits else expected


# --- the reports ------------------------------------------------------------------------------


def reports(trial):
    """Write two reports; one sounds urgent as a whole and calm at both ends, one the reverse.

    The part that decides is in the first half of one and in the second half of the other, far from
    the ends, so who judges a part only is wrong about one of them.
    """
    dice = random.Random(trial.draw.seed)
    with (MODEL / "tasks.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    titles = {p: [r["title"] for r in rows if r["priority"] == p] for p in ("high", "normal")}
    places = [dice.uniform(0.1, 0.4), dice.uniform(0.6, 0.9)]
    dice.shuffle(places)
    found = []
    for (whole, ends), place in zip((("high", "normal"), ("normal", "high")), places, strict=True):
        noise = base64.b64encode(dice.randbytes(RANDOM_BYTES)).decode()
        lines = [noise[i : i + 400] for i in range(0, len(noise), 400)]
        at = int(place * len(lines))
        middle = [*lines[at : at + 40], *dice.sample(titles[whole], 20)]
        dice.shuffle(middle)
        first, last = dice.sample(titles[ends], 6), dice.sample(titles[ends], 3)
        file = trial.folder / f"report-{whole}.txt"
        text = [*first, *lines[:at], *middle, *lines[at + 40 :], *last]
        file.write_text("\n".join(text), "utf-8")
        found.append(file)
    return found


def scores(files):
    """Return what the course's own model says about files, in their order.

    Raises:
        ObservationError: it did not say anything.
    """
    command = [str(MODEL / ".venv" / "bin" / "python"), "-c", SCORES, *map(str, files)]
    done = subprocess.run(
        command, cwd=MODEL, capture_output=True, text=True, timeout=SECONDS * patience()
    )
    if done.returncode:
        raise ObservationError(
            "the model of the course gave no answer",
            asked="the scores of two reports",
            found=done.stderr.strip().rpartition("\n")[2],
            look_at=str(MODEL / "main.py"),
            fix="./lab doctor",
        )
    return json.loads(done.stdout)
