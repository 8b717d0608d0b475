"""Whose code is read: the sources of each app of a run file, and those that were named."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from labkit.preflight import sources, started
from labkit.preflight.files import is_folder
from labkit.preflight.model import App
from labkit.preflight.module import Call
from labkit.preflight.sources import Sources


@dataclass
class Code:
    """Sources by owner.

    Attributes:
        of: the sources of an app; only apps with Python files in their folder are there.
        shared: apps that share their folder with another app, and whose command does not say
            which files it runs, so that nobody can tell whose code is whose.
        given: sources that were named; nobody says to which app they belong.
    """

    of: dict[App, Sources] = field(default_factory=dict)
    shared: set[App] = field(default_factory=set)
    given: Sources = field(default_factory=Sources)

    @cached_property
    def calls(self) -> list[tuple[App | None, Call]]:
        """All calls with the app that makes them, where that is known."""
        mine = [
            (None if app in self.shared else app, call)
            for app, read in self.of.items()
            for call in read.calls
        ]
        known = {call for caller, call in mine if caller}
        once = dict.fromkeys([*mine, *((None, call) for call in self.given.calls)])
        return [(caller, call) for caller, call in once if caller or call not in known]

    @cached_property
    def called(self) -> dict[str | None, set[str]]:
        """The app IDs that are called, each with the ways it is called."""
        found: dict[str | None, set[str]] = {}
        for _, call in self.calls:
            found.setdefault(call.app_id, set()).add(call.kind)
        return found


def read(apps: Sequence[App], given: Iterable[Path]) -> Code:
    """Read the sources of the apps and the given files; a file of an app is not read again."""
    code, taken, known = Code(), set[str](), dict[tuple[Path, ...], Sources]()
    for app in apps:
        if app.folder is None:
            continue
        here = os.path.realpath(app.folder)
        beside = [
            os.path.realpath(a.folder)
            for a in apps
            if a.folder and a.deployment == app.deployment and a is not app
        ]
        others = [folder for folder in beside if folder != here]
        own = _of_app(app.folder, app.command, others, known)
        if own.files or own.problems:
            code.of[app] = own
            taken |= {os.path.realpath(f) for f in own.files}
        if here in beside and not own.is_started:
            code.shared.add(app)
    named = [f for path in given for f in _named(path)]
    once = {os.path.realpath(f): f for f in reversed(named)}
    code.given = sources.read(f for real, f in reversed(once.items()) if real not in taken)
    return code


def _of_app(
    folder: Path,
    command: Sequence[str],
    others: Iterable[str],
    known: dict[tuple[Path, ...], Sources],
) -> Sources:
    """What the command of an app runs; where that cannot be told, all files of its folder.

    Args:
        known: what was read already; apps may share it.
    """
    files, is_all = sources.python_files(folder, others)
    run = started.files(folder, command)
    key = tuple(run or files)
    if key not in known:
        known[key] = sources.read(key, "cannot be known")
    found = replace(known[key], is_started=bool(run))
    if run:
        found.not_run = [file for file in files if file not in run]
    else:
        found.is_complete &= is_all
    return found


def _named(path: Path) -> list[Path]:
    return sources.python_files(path)[0] if is_folder(path) else [path]
