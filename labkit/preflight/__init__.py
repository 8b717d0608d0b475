"""Reads manifests and says what a workflow over several apps needs and does not get.

Files only: nothing is started or asked. It knows ``dapr.yaml``, and Kubernetes YAML: workloads with
Dapr annotations, Components, Configurations, Resiliency; what it does not know it leaves alone.
Three requirements are judged: one namespace, an actor state store that the hosting app may see,
and names that exist. The apps of a run file bring their components and Python sources along; for
Kubernetes the source of the workflow can be given.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from labkit.preflight import names, owners, policies, requirements
from labkit.preflight.findings import Finding, State, shown
from labkit.preflight.model import App, Document, Manifests
from labkit.preflight.module import Call, Registration
from labkit.preflight.reading import load
from labkit.preflight.sources import calls_of

__all__ = [
    "App",
    "Call",
    "Document",
    "Finding",
    "Manifests",
    "Registration",
    "State",
    "calls_of",
    "inspect",
    "load",
    "main",
]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the findings.

    Exit codes: 0 nothing is broken, 1 something is, 2 wrong use.
    """
    parser = argparse.ArgumentParser(prog="./lab preflight", description=__doc__)
    parser.add_argument("path", nargs="+", type=Path, help="files or folders of manifests")
    what = "source of a workflow or of what it calls: app IDs, names called and registered"
    parser.add_argument("--source", type=Path, action="append", default=[], metavar="PY", help=what)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(argv)
    missing = [str(p) for p in [*options.path, *options.source] if not _is_there(p)]
    if missing:
        parser.error(_printable(f"there is no {', '.join(missing)}", sys.stderr.encoding))
    found = inspect(options.path, options.source)
    if options.json:
        print(json.dumps({"findings": [asdict(f) for f in found]}))
    else:
        print(_printable("\n".join(shown(f) for f in found), sys.stdout.encoding))
    return 1 if any(f.state == "broken" for f in found) else 0


def inspect(manifests: Iterable[Path], sources: Iterable[Path] = ()) -> list[Finding]:
    """Return all findings on manifests, and on the sources of their apps and those given."""
    read = load(manifests)
    known = owners.read(read.apps, sources)
    wrong = [f for one in [*known.of.values(), known.given] for f in one.problems]
    return [
        *dict.fromkeys([*read.unreadable, *wrong]),
        *requirements.namespaces(read, known),
        *requirements.stores(read, known),
        *names.names(read, known),
        *policies.resiliency(read, known),
        *policies.configurations(read, known),
    ]


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # in a folder that is closed: told by reading; a zero byte
        return "\0" not in str(path)


def _printable(text: str, encoding: str | None) -> str:
    """What this terminal can show; a file name may hold bytes that are no text."""
    name = encoding or "utf-8"
    return text.encode(name, "backslashreplace").decode(name)
