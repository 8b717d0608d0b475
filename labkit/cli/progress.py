"""``./lab status`` and ``./lab next``: how far you are, computed from the evidence."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict

from labkit import progress


def main(argv: Sequence[str]) -> int:
    """Run one of the two verbs; ``argv`` starts with it."""
    verb, rest = argv[0], argv[1:]
    parser = argparse.ArgumentParser(prog=f"./lab {verb}", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(rest)
    if verb == "next":
        slug = progress.next_lesson()
        print(json.dumps({"lesson": slug}) if options.json else f"{slug}: ./lab start {slug[:2]}")
        return 0
    states = progress.status()
    if options.json:
        print(json.dumps({"lessons": [asdict(s) for s in states]}))
        return 0
    for s in states:
        print(f"{s.slug:<36} {s.minutes:>3} min  {s.state:<10} {s.predictions} predictions")
    return 0
