"""Reads manifests and says what a workflow over several apps needs and does not get.

Files only: nothing is started or asked. It knows ``dapr.yaml``, and Kubernetes YAML: whatever makes
pods with Dapr annotations, and Dapr's own kinds; what it does not know it leaves alone.
Three requirements are judged: one namespace, an actor state store that the hosting app may see,
and names that exist. Further it says which pods get no sidecar, what access policies refuse, and
which documents do not fit Dapr's schemas. The apps of a run file bring their components and Python
sources along; for Kubernetes the source of the workflow can be given.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from labkit.preflight import (
    access,
    controlplane,
    names,
    owners,
    policies,
    requirements,
    schema,
    twins,
)
from labkit.preflight.findings import Finding, State, shown
from labkit.preflight.links import links
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
    with _no_collector():
        return _inspect(manifests, sources)


def _inspect(manifests: Iterable[Path], sources: Iterable[Path]) -> list[Finding]:
    read = load(manifests)
    code = owners.read(read.apps, sources)
    refused = list(schema.problems(read))
    known = links(read.apps, code)
    wrong = [f for one in [*code.of.values(), code.given] for f in one.problems]
    found = [
        *dict.fromkeys([*read.unreadable, *wrong]),
        *refused,
        *twins.twins(read),
        *controlplane.addresses(read),
        *requirements.namespaces(read, known),
        *requirements.stores(read, code, known),
        *names.names(read, code),
        *access.policies(read, code),
        *policies.resiliency(read, code),
        *policies.configurations(read, known),
    ]
    return [_before_kustomize(f, read) for f in found]


@contextmanager
def _no_collector() -> Iterator[None]:
    """Trees of nodes have no cycles, and searching them for some takes half of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _before_kustomize(finding: Finding, read: Manifests) -> Finding:
    """What Kustomize changes is not broken as it stands."""
    file = finding.where.partition(":")[0]
    if finding.state != "broken" or not read.changed or not _is_changed(file, read):
        return finding
    return replace(finding, state="cannot be known", why=f"{finding.why} (before Kustomize)")


def _is_changed(file: str, read: Manifests) -> bool:
    return os.path.realpath(file) in read.changed


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # in a folder that is closed: told by reading; a zero byte
        return "\0" not in str(path)


def _printable(text: str, encoding: str | None) -> str:
    """What this terminal can show; a file name may hold bytes that are no text."""
    name = encoding or "utf-8"
    return text.encode(name, "backslashreplace").decode(name)
