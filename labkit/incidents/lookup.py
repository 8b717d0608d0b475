"""``./lab atlas TEXT``: from a symptom, or the text of a message, to its causes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict

from labkit.incidents.atlas import atlas, entries, search


def main(argv: Sequence[str]) -> int:
    """Print what the atlas says; exit code 1 when it knows nothing like the text."""
    parser = argparse.ArgumentParser(prog="./lab atlas", description=__doc__)
    parser.add_argument("text", nargs="*", help="words of a symptom, or a message; none: all of it")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(argv)
    text = " ".join(options.text)
    found = search(text) if text else entries()
    print(json.dumps({"entries": [asdict(e) for e in found]}) if options.json else atlas(text))
    return 0 if found else 1
