"""``./lab status`` and ``./lab next``: how far you are, computed from the evidence."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict

from labkit import exercises
from labkit.course import progress


def main(argv: Sequence[str]) -> int:
    """Run one of the two verbs; ``argv`` starts with it."""
    verb, rest = argv[0], argv[1:]
    parser = argparse.ArgumentParser(prog=f"./lab {verb}", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(rest)
    if verb == "next":
        return _next(as_json=options.json)
    told = _tallies()
    states, practised = progress.status(told), exercises.overview(told)
    if options.json:
        rows = {"lessons": [asdict(s) for s in states], "exercises": [asdict(s) for s in practised]}
        print(json.dumps(rows))
        return 0
    labels = {e.id: e.label for e in exercises.in_order()}
    for s in states:
        row = f"{s.slug:<40} {s.minutes:>3} min  {s.state:<10}"
        print(f"{row} {_counted(s.predictions, 'prediction')}")
        for e in practised:
            if e.lesson == s.slug[:2]:
                row = f"  {labels[e.id]:<5} {e.id:<32} {e.minutes:>3} min  {e.state:<10}"
                print(f"{row} {_counted(e.hints, 'hint') if e.hints else ''}".rstrip())
    return 0


def _next(*, as_json: bool) -> int:
    told = _tallies()
    slug = progress.next_lesson(progress.status(told))
    exercise = exercises.next_exercise(told)
    if as_json:
        print(json.dumps({"lesson": slug, "exercise": exercise}))
        return 0
    print(f"{slug}: ./lab start {slug[:2]}")
    if exercise:
        label = exercises.load(exercise).label
        print(f"to practise: {label} {exercise}: ./lab start {label}")
    return 0


def _tallies() -> progress.Tallies:
    """Read the evidence; what was skipped is said in one line, as a command says things."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        told = progress.tallies()
    for warning in caught:
        print(warning.message, file=sys.stderr)
    return told


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
