"""``./lab runtime``: which Dapr programs are used, their hashes, where they came from."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from labkit.runtime import binaries
from labkit.runtime.ensured import manifest_of, sha256_of
from labkit.runtime.found import PROGRAMS


def main(argv: Sequence[str]) -> int:
    """Print the programs; exit code 1 when one is not what was put into the cache."""
    parser = argparse.ArgumentParser(prog="./lab runtime", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(argv)
    used = binaries()
    noted = manifest_of(used.folder)
    hashes = {p: sha256_of(used.folder / p) for p in PROGRAMS if (used.folder / p).exists()}
    damaged = [p for p, found in hashes.items() if noted.get(p, found) != found]
    told = {
        "version": used.version,
        "folder": str(used.folder),
        "found_in": used.origin,
        "origin": noted.get("origin", "put there by somebody else"),
        "sha256": hashes,
        "damaged": damaged,
    }
    if options.json:
        print(json.dumps(told))
    else:
        print("\n".join(f"{k:<9} {v}" for k, v in told.items() if k not in ("sha256", "damaged")))
        print("\n".join(f"{p:<9} sha256 {h}" for p, h in hashes.items()))
        if damaged:
            print(f"damaged: {', '.join(damaged)}; fix: ./lab clean --all, then ./lab setup")
    return 1 if damaged else 0
