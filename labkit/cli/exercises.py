"""``./lab check``, ``./lab hint`` and ``./lab reset``: the engine of the notebooks."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from labkit import exercises, learn

DOES = {
    "check": "Looks at the running lab of an exercise, and judges. Exit code 1 if not passed.",
    "hint": "The next hint for an exercise, chosen by what is observed in its lab.",
    "reset": "Starts a lesson or exercise over: its notebook and its files. Yours are kept beside "
    "the new ones, as NAME.kept-1.",
}
NAMED = "an exercise: 03.1 or tell-the-manager"


def main(argv: Sequence[str]) -> int:
    """Run one of the three verbs; ``argv`` starts with it."""
    verb, rest = argv[0], argv[1:]
    parser = argparse.ArgumentParser(prog=f"./lab {verb}", description=DOES[verb])
    also = "; a lesson: 03" if verb == "reset" else ""
    parser.add_argument("id", help=NAMED + also)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(rest)
    if verb == "check":
        verdict = exercises.check(exercises.load(options.id).id)
        print(json.dumps(verdict.as_dict()) if options.json else verdict)
        return 0 if verdict.passed else 1
    if verb == "reset":
        said = "\n".join(_reset(options.id))
    else:
        said = str(exercises.hint(exercises.load(options.id).id))
    print(json.dumps({verb: said}) if options.json else said)
    return 0


def _reset(name: str) -> list[str]:
    """Start a lesson or exercise over; return what was done."""
    copy = learn.find(name)
    files = [] if copy.is_lesson else [str(exercises.reset(copy.id))]
    return [*files, *learn.restore(copy)]
