"""``./lab check ID``, ``./lab hint ID``, ``./lab reset ID``: the engine of the notebooks."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from labkit import exercises


def main(argv: Sequence[str]) -> int:
    """Run one of the three verbs; ``argv`` starts with it. ``check`` ends with 1 if not passed."""
    verb, rest = argv[0], argv[1:]
    parser = argparse.ArgumentParser(prog=f"./lab {verb}", description=__doc__)
    parser.add_argument("id", help="id of an exercise, as its notebook is named")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(rest)
    if verb == "check":
        verdict = exercises.check(options.id)
        print(json.dumps(verdict.as_dict()) if options.json else verdict)
        return 0 if verdict.passed else 1
    told = exercises.hint(options.id) if verb == "hint" else exercises.reset(options.id)
    print(json.dumps({verb: str(told)}) if options.json else told)
    return 0
