"""The apps of a ``dapr.yaml``, with the files that each sidecar would read.

They are read by :mod:`labkit.runfile`, from which a lab starts, too; its faults become findings.
What ``dapr run`` refuses is broken. What it accepts, and a lab refuses, cannot be known; a key
that it ignores is a note.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from labkit import runfile
from labkit.infrastructure import components
from labkit.preflight.files import is_file, is_folder
from labkit.preflight.findings import Finding, State
from labkit.preflight.model import App
from labkit.preflight.parts import Part, wrong_key
from labkit.reading import plainfile
from labkit.reading.yamltree import NotYaml
from labkit.runfile import AppSpec, Fault

NAMES = ("dapr.yaml", "dapr.yml")
_STATES: dict[str, State] = {
    "refused": "broken",
    "doubtful": "cannot be known",
    "ignored": "note",
}
_EFFECTS = {
    "refused": "dapr run ends with an error",
    "doubtful": "dapr run accepts it, a lab refuses it",
    "ignored": "dapr run ignores it, a lab refuses it",
}


def is_run_file(body: Part) -> bool:
    """Whether a document is a run file: it has no ``kind``, and ``apps`` with ``version`` or paths.

    In a file that has the name of one either of the two will do.
    """
    if body.get("kind") or not body.keys:
        return False
    marks = [bool(body.get("version")), bool(body.get("apps"))]
    has_paths = any(item.get("appDirPath") for item in body.get("apps").items[: runfile.MOST_APPS])
    return all(marks) or has_paths or (body.file.name in NAMES and any(marks))


def counted(documents: Iterator[Part], found: list[Finding]) -> Iterator[Part]:
    """Yield the documents of a file that count, and add a finding on others.

    ``dapr run`` reads the first document of a file and stops there, even if the next is not valid
    YAML (measured with yaml.v2 2.4.0).
    """
    for number, body in enumerate(documents):
        if not is_run_file(body):
            yield body
        elif number:
            why = f"dapr run reads the first document of a file; this is number {number + 1}"
            fix = "give the run file a file of its own"
            found.append(Finding("file", "broken", body.where, why, fix))
        else:
            yield body
            found += _behind(documents)
            return


def _behind(documents: Iterator[Part]) -> Iterator[Finding]:
    with suppress(NotYaml, StopIteration):
        at = next(documents)
        if at:
            why = "dapr run does not read this document: it is not the first of the file"
            yield Finding("file", "note", at.where, why, "give it a file of its own")


def apps_of(body: Part) -> tuple[list[App], list[Finding]]:
    """Return the apps of a run file, and what is wrong with it.

    Its paths start at the run file, wherever a link to it lies.
    """
    read = runfile.read_root(body.file.absolute(), body.node)
    wrong = [_finding(body.file, fault) for fault in read.faults]
    folders = dict.fromkeys(folder for app in read.apps for folder in app.resources)
    wrong += [*_key_twice(body), *(one for folder in folders for one in _stuck(folder))]
    return [_app(spec, body.file) for spec in read.apps], wrong


def _finding(file: Path, fault: Fault) -> Finding:
    effect = "" if fault.is_fine_in_a_lab else f"; {_EFFECTS[fault.effect]}"
    where, state = f"{file}:{fault.line}", _STATES[fault.effect]
    return Finding("file", state, where, fault.what + effect, fault.fix)


def _key_twice(body: Part) -> Iterable[Finding]:
    found = wrong_key(body)
    if found and found[0] is not None:
        name, at = found
        why = f"the key {name} stands twice in one map; dapr run takes the last one"
        yield Finding("file", "note", at.where, why, "remove one of the two")


def _app(spec: AppSpec, file: Path) -> App:
    def where(what: str) -> str:
        return f"{file}:{spec.lines.get(what, spec.lines['app'])}"

    verb = "set" if "NAMESPACE" in spec.lines else "add to env"
    return App(
        spec.app_id,
        spec.env.get("NAMESPACE", "default"),  # an empty one is one of its own (1.18.1)
        where=where("app"),
        namespace_at=where("NAMESPACE"),
        set_namespace=f"{verb} NAMESPACE: {{}} in {where('NAMESPACE')}",
        deployment=str(file),
        resources=tuple(dict.fromkeys(f for r in spec.resources for f in _resource_files(r))),
        resources_at=where("resources") if spec.resources else "",
        folder=spec.folder if is_folder(spec.folder) else None,
        config=str(spec.config or ""),
        config_at=where("config"),
        # With a path of its own nobody knows what it imports.
        command=() if "PYTHONPATH" in spec.env else spec.command,
    )


def _resource_files(folder: Path) -> list[Path]:
    """What daprd reads: YAML files directly in the folder."""
    return [file for file in components.files([folder]) if is_file(file)]


def _stuck(folder: Path) -> Iterator[Finding]:
    """Name files at which a sidecar would wait for ever."""
    for file in components.files([folder]):
        try:
            plainfile.require_regular(file)
        except OSError as problem:
            if problem.errno == errno.EINVAL:
                why = f"{problem.strerror}; a sidecar that reads it is never ready"
                yield Finding("file", "broken", str(file), why, "remove it from the folder")
