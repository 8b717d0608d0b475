"""``./lab runtime``: which Dapr programs are used, their hashes, where they came from."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from labkit.runtime import binaries, manifest
from labkit.runtime.found import PROGRAMS


def main(argv: Sequence[str]) -> int:
    """Print the programs.

    Raises:
        RuntimeDamaged: one is not what was put into the cache.
    """
    parser = argparse.ArgumentParser(prog="./lab runtime", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(argv)
    used = binaries(thorough=True)
    noted = manifest.read(used.folder)
    hashes = {p: manifest.sha256_of(f) for p in PROGRAMS if (f := used.folder / p).exists()}
    told = {
        "version": used.version,
        "folder": str(used.folder),
        "found_in": used.origin,
        "origin": noted.get("origin", "put there by somebody else"),
        "sha256": hashes,
    }
    if options.json:
        print(json.dumps(told))
    else:
        print("\n".join(f"{k:<9} {v}" for k, v in told.items() if k != "sha256"))
        print("\n".join(f"{p:<9} sha256 {h}" for p, h in hashes.items()))
    return 0
