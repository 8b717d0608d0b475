"""The counter-scenario of a check: the learner's files in a second lab, with data nobody knew.

The lab is private: the learner's own lab, its inbox and its stores are not touched. Its folder is
kept until the next counter-scenario, so that what was observed can be looked at.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from labkit.apps.app import App
from labkit.exercises.cases import Case
from labkit.exercises.catalogue import Exercise
from labkit.exercises.drawing import Draw
from labkit.exercises.observations import Check, rejected, untouched
from labkit.exercises.reference import KNOWN, REJECTS
from labkit.labs.lab import Lab
from labkit.mail.catcher import REFUSE, REFUSED
from labkit.waiting import patience, settled, wait_until

READY_SECONDS = 30.0
BEGUN_SECONDS = 10.0
HANDED_OVER_SECONDS = 0.3


class Trial:
    """Starts second labs of one exercise, one after the other, and orders things in them.

    Attributes:
        draw: where its data come from.
        cases: what was ordered so far.
    """

    def __init__(self, exercise: Exercise, draw: Draw | None = None) -> None:
        self.exercise = exercise
        self.draw = draw or Draw()
        self.cases: list[Case] = []
        self._lab: Lab | None = None
        self._started_at = 0.0

    def lab(
        self, *app_ids: str, own: Mapping[str, Mapping[str, str]] | None = None, **env: str
    ) -> Lab:
        """Return a new lab of the learner's files, with apps started; ends the one before.

        Args:
            app_ids: what is started; none means all apps of the run file.
            own: environment variables of one service, by app ID.
            env: environment variables of all services; they win over those of the run file.

        Raises:
            StartError: it did not start.
        """
        self.close()
        self._started_at = time.time()
        self._lab = Lab(
            self.exercise.run_file,
            private=True,
            env=env,
            own_env=own,
            replicas=self.exercise.replicas,
        )
        self._lab.up(*app_ids, within=READY_SECONDS, announce=False)
        return self._lab

    def order(
        self,
        workflow: str | None = None,
        given: Any = None,
        *,
        instance_id: str | None = None,
        **changes: Any,
    ) -> Case:
        """Schedule a workflow in the current lab, with drawn data; does not wait for its end.

        Args:
            workflow: its name; None means that of the exercise.
            given: its input; None means a drawn order.
            changes: fields of the drawn order that have these values.
        """
        lab = self._lab or self.lab()
        name = workflow or self.exercise.workflow
        given = self.draw.order(**changes) if given is None else given
        id = instance_id or self.draw.instance_id()
        lab.client(self.exercise.host).schedule_new_workflow(name, input=given, instance_id=id)
        self.cases.append(Case(lab, id, name, given))
        return self.cases[-1]

    def again(self, case: Case, **changes: Any) -> Case:
        """Order the same once more, under another instance ID; each effect has its own run."""
        return self.order(case.workflow, {**case.given, **changes})

    @contextmanager
    def refusing(self) -> Iterator[Callable[[], list[str]]]:
        """Within the block the mail server refuses every mail, and counts them.

        Yields:
            A function that returns the recipients of the mails that were refused so far, one for
            each try; what the history says about tries is not asked.
        """
        lab = self._lab or self.lab()
        inbox = lab.folder / "inbox"
        inbox.mkdir(exist_ok=True)
        mark, log = inbox / REFUSE, inbox / REFUSED
        mark.touch()
        before = len(_lines(log))
        try:
            yield lambda: _lines(log)[before:]
        finally:
            mark.unlink(missing_ok=True)

    def replaced(self, app_id: str) -> None:
        """Kill an app and start it as on another machine, with the same Dapr store.

        Its files are a copy of the learner's, without those that were written since this lab was
        started; its ledger, home and temporary folder are empty. What a workflow needs to know
        must therefore stand in its history.
        """
        lab = self._lab or self.lab()
        lab.kill(app_id)
        app = lab.app(app_id)
        base = Path(tempfile.mkdtemp(prefix=f"{app_id}-", dir=lab.folder))
        folder = base / app_id
        source = app.spec.folder
        shutil.copytree(source, folder, ignore=self._left_out)
        if (source / ".venv").exists():
            (folder / ".venv").symlink_to((source / ".venv").resolve())
        places = {"LEDGER": base / "ledger.sqlite", "HOME": base / "home", "TMPDIR": base / "tmp"}
        for name in ("HOME", "TMPDIR"):
            places[name].mkdir()
        env = {**app.spec.env, **{name: str(place) for name, place in places.items()}}
        app.spec = replace(app.spec, folder=folder, env=env)
        lab.up(app_id, within=READY_SECONDS, announce=False)

    def _left_out(self, folder: str, names: list[str]) -> set[str]:
        """Return what a process leaves behind, which a fresh copy does not hold."""
        usual = shutil.ignore_patterns("__pycache__", "*.sqlite*", ".venv")(folder, names)
        files = {name: Path(folder, name) for name in names}
        return usual | {
            name
            for name, file in files.items()
            if file.is_file() and file.stat().st_mtime > self._started_at
        }

    def repeated(self, app_id: str, done: Callable[[Case], object], **order: Any) -> Case:
        """Order, and kill the app when its activity has done its work and nobody knows of its end.

        The activity is held at its ledger until the sidecar is frozen, so the end of this run
        cannot be recorded. The app is killed when ``done`` is true of the case and the ledger is
        quiet, then started again: the activity runs a second time.

        Args:
            order: arguments of :meth:`order`.

        Raises:
            NotInTime: the activity did not open its ledger, or did not do its work.
        """
        lab = self._lab or self.lab()
        app = lab.app(app_id)
        with closing(sqlite3.connect(app.ledger, timeout=5, isolation_level=None)) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            case = self.order(**order)
            wait_until(
                lambda: _uses_ledger(app) and _is_called(case, app_id),
                what=f"{app_id} is called and opens its ledger",
                usual=BEGUN_SECONDS,
            )
            # A process that keeps its ledger open has it open before the call arrives.
            time.sleep(HANDED_OVER_SECONDS * min(patience(), 10))
            with lab.frozen(app_id, "sidecar"):
                lock.execute("ROLLBACK")
                work = f"{app_id} has done its work"
                wait_until(lambda: done(case), what=work, usual=BEGUN_SECONDS)
                within = BEGUN_SECONDS * patience()
                settled(lambda: app.ledger.stat().st_mtime_ns, quiet=0.2, within=within)
                lab.kill(app_id)
        lab.up(app_id, within=READY_SECONDS, announce=False)
        return case

    def rejected(self) -> Iterable[Check]:
        """Order something without a title, where the workflow rejects that; yield one check."""
        if self.exercise.workflow in REJECTS:
            yield rejected(self.order(title=""))

    def others(self, names: Iterable[str] | None = None) -> Iterable[Check]:
        """Order the other workflows that the current lab has the apps for; yield one check.

        Args:
            names: of workflows; None means all of the course but that of the exercise.
        """
        asked = [n for n in KNOWN if n != self.exercise.workflow] if names is None else list(names)
        if not asked:
            return
        lab = self._lab or self.lab()
        started = {app.app_id for app in lab.started_apps()}
        cases = [self.order(name) for name in asked if KNOWN[name].apps <= started]
        if cases:
            yield untouched(cases)

    @property
    def folder(self) -> Path | None:
        """The folder of the newest lab; None when none was started."""
        return self._lab.folder if self._lab else None

    def close(self) -> None:
        """End the current lab; its folder stays."""
        if self._lab is not None:
            self._lab.down()


def _lines(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines() if file.exists() else []


def _is_called(case: Case, app_id: str) -> bool:
    return any(s.app_id == app_id and not s.ended for s in case.steps())


def _uses_ledger(app: App) -> bool:
    worker = app.process("worker")
    files = psutil.Process(worker.pid).open_files() if worker else ()
    return any(file.path == str(app.ledger) for file in files)
