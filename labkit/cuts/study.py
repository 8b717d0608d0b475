"""A study: one workflow, all its cuts, played side by side; goes on where it was interrupted."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import queue
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from labkit import paths
from labkit.cuts.invariant import load
from labkit.cuts.outcome import MEANINGS, Result
from labkit.cuts.plan import Cut, How, Point, Victim, cuts_of
from labkit.cuts.play import ASK_SECONDS, PICTURE, WORDS, Task
from labkit.cuts.slots import EngineSilent, Slot, most_at_once
from labkit.errors import DeploymentError, ObservationError
from labkit.runfile import RunFile
from labkit.runfile import load as load_run_file
from labkit.swimlane.style import scrolling

LONGEST_NAME = 60

Told = Callable[[Result, int, int], None]
"""Is called after each cut: its result, how many are done, how many there are."""


class WrongStudy(DeploymentError):
    """A study cannot be made of what was given."""

    code = "wrong-study"


class StudyRuns(ObservationError):
    """Another process plays the same cuts."""

    code = "study-runs"


class NotKept(ObservationError):
    """A cut has no picture."""

    code = "not-kept"


@dataclass(frozen=True, repr=False)
class Swimlane:
    """The swimlane of a run that has ended, and the same in words."""

    html: str
    words: str

    def __repr__(self) -> str:
        return self.words

    def _repr_html_(self) -> str:
        return self.html


@dataclass(frozen=True, repr=False)
class Report:
    """What came of a study.

    Attributes:
        uncut: the result of the run without a cut.
        results: by the name of the cut; only those that were played.
        seconds: what the study took, earlier sittings not counted.
    """

    points: Sequence[Point]
    cuts: Sequence[Cut]
    uncut: Result
    results: Mapping[str, Result] = field(default_factory=dict)
    seconds: float = 0.0

    def __repr__(self) -> str:
        from labkit.cuts.table import table

        return str(table(self))

    def _repr_html_(self) -> str:
        from labkit.cuts.svg import picture

        return scrolling(picture(self), "cuts")

    def counts(self) -> dict[str, int]:
        """Return how many cuts had each outcome, e.g. ``{"held": 11, "violated": 1}``."""
        found = Counter(r.outcome for r in self.results.values())
        return {outcome: found[outcome] for outcome in MEANINGS if found[outcome]}

    def swimlane(self, cut: str) -> Swimlane:
        """Return the swimlane of a bad run, or of one that was kept.

        Raises:
            NotKept: there is none for this cut.
        """
        result = self.results.get(cut)
        folder = Path(result.folder) if result and result.folder else None
        if folder is None or not (folder / PICTURE).exists():
            kept = [r.cut for r in self.results.values() if r.folder]
            raise NotKept(
                f"there is no picture of the cut {cut}",
                asked=f"the swimlane of {cut}",
                found=f"pictures of: {', '.join(kept) or 'none, for only bad runs are kept'}",
                look_at="the table of the report",
                fix="name one of these, or play it again with keep=True",
            )
        return Swimlane((folder / PICTURE).read_text("utf-8"), (folder / WORDS).read_text("utf-8"))

    @property
    def bad(self) -> list[Result]:
        """The results that break the promise, or that nobody can judge."""
        return [r for r in (self.uncut, *self.results.values()) if r.is_bad]

    @property
    def held(self) -> bool:
        """Whether all cuts were played, at least one was reached, and none came out bad."""
        played = [self.results.get(c.name) for c in self.cuts]
        return (
            not self.bad
            and all(r is not None for r in played)
            and any(r.outcome == "held" for r in played if r)
        )

    def as_dict(self) -> dict[str, Any]:
        """Return everything, for JSON."""
        return {
            "held": self.held,
            "seconds": round(self.seconds, 1),
            "points": [{**asdict(p), "text": str(p)} for p in self.points],
            "uncut": self.uncut.as_dict(),
            "results": [r.as_dict() for r in self.results.values()],
        }


class Study:
    """One workflow of a run file, an input and a promise.

    Args:
        path: a run file, or its folder.
        workflow: the name of the workflow.
        given: its input.
        invariant: ``FILE:FUNCTION``; see :mod:`labkit.cuts.invariant`.
        host: the app that hosts the workflow; None means the first one of the run file.
        events: external events that are raised right after the start, name to value.
        delay: seconds from an event to its cut; more than 0 hits the middle of an activity.
        away: seconds until what was hit comes back.
        end: deadline for a workflow to end after a cut, in seconds.
        asking: seconds that the invariant may take.
        fresh: forget what an earlier, interrupted study of the same files has found.

    Raises:
        DeploymentError: the run file is wrong, has no such app, or the invariant cannot be loaded.
    """

    def __init__(
        self,
        path: str | Path,
        workflow: str,
        given: Any,
        invariant: str,
        *,
        host: str | None = None,
        events: Mapping[str, Any] | None = None,
        delay: float = 0.0,
        away: float = 0.5,
        end: float = 60.0,
        asking: float = ASK_SECONDS,
        fresh: bool = False,
    ) -> None:
        run_file = Path(path).resolve()
        run_file = run_file / "dapr.yaml" if run_file.is_dir() else run_file
        deployment = load_run_file(run_file)
        load(invariant)
        file, _, function = invariant.rpartition(":")
        task = Task(
            run_file=str(run_file),
            workflow=workflow,
            host=_host(deployment, host),
            given=given,
            invariant=f"{Path(file).resolve()}:{function}",
            events=dict(events or {}),
            delay=delay,
            away=away,
            end=end,
            asking=asking,
        )
        self.folder = paths.own(paths.state() / "cuts") / _key(task, deployment)
        self.task = replace(task, keep=str(self.folder / "kept"))
        if fresh:
            shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "kept").mkdir(parents=True, exist_ok=True)
        self._file = self.folder / "results.jsonl"

    def record(self) -> tuple[Result, list[Point]]:
        """Play the run without a cut, or return what an earlier sitting has recorded."""
        file = self.folder / "recorded.json"
        if not file.exists():
            try:
                with Slot(self.task, self.folder, 0) as slot:
                    answer = slot.ask(None)
            except EngineSilent as problem:
                return _silent("uncut", problem), []
            if Result(**answer["result"]).is_bad:
                return Result(**answer["result"]), [Point(**p) for p in answer["points"]]
            new = file.with_suffix(f".{os.getpid()}")
            new.write_text(json.dumps(answer), "utf-8")
            new.replace(file)
        try:
            found = json.loads(file.read_bytes())
            return Result(**found["result"]), [Point(**p) for p in found["points"]]
        except (ValueError, TypeError, KeyError, RecursionError):  # torn, or of another version
            file.unlink()
            return self.record()

    def cuts(self, victims: Sequence[Victim], how: How = "kill") -> list[Cut]:
        """Return the cuts at all recorded events."""
        return list(cuts_of(self.record()[1], victims, how))

    def run(
        self,
        cuts: Sequence[Cut],
        *,
        at_once: int | None = None,
        told: Told = lambda result, done, total: None,
        keep: bool = False,
        again: bool = False,
    ) -> Report:
        """Play the cuts that have no result yet.

        Args:
            at_once: labs side by side; None means as many as cores and memory allow.
            keep: keep every run folder, not only those of bad results.
            again: also play what has a result.

        Returns:
            The report over all of ``cuts``. An uncut run that is bad is reported alone.
        """
        began = time.monotonic()
        with self._alone():
            uncut, points = self.record()
            if uncut.is_bad:
                return Report(points, cuts, uncut, {}, time.monotonic() - began)
            own = self._results(cuts, at_once or most_at_once(), told, keep=keep, again=again)
        return Report(points, cuts, uncut, own, time.monotonic() - began)

    def _results(
        self, cuts: Sequence[Cut], at_once: int, told: Told, *, keep: bool, again: bool
    ) -> dict[str, Result]:
        results = {} if again else self._earlier()
        left = [c for c in cuts if c.name not in results]
        done = len(cuts) - len(left)
        for result in self._played(left, at_once, keep):
            results[result.cut] = result
            done += 1
            told(result, done, len(cuts))
        return {c.name: results[c.name] for c in cuts if c.name in results}

    def one(self, cut: Cut) -> Result:
        """Play one cut, and keep its run folder."""
        with Slot(self.task, self.folder, 0) as slot:
            return Result(**slot.ask(cut, keep=True)["result"])

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep a second study of the same question away from the same folders.

        Raises:
            StudyRuns: one is going on.
        """
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as problem:
                raise StudyRuns(
                    "these cuts are being played already",
                    asked=f"the cuts of {self.task.workflow}",
                    found=f"another process holds {self.folder / 'lock'}",
                    look_at=str(self.folder),
                    fix="wait for it, or interrupt it; this one then goes on where it stopped",
                ) from problem
            yield

    def _earlier(self) -> dict[str, Result]:
        """The results of earlier sittings, but for torn lines and labs that did not start."""
        found = {}
        lines = self._file.read_bytes().splitlines() if self._file.exists() else []
        for line in lines:
            try:
                result = Result(**json.loads(line))
            except (ValueError, TypeError, RecursionError):
                continue
            if result.outcome != "no lab":
                found[result.cut] = result
        return found

    def _played(self, cuts: Iterable[Cut], at_once: int, keep: bool) -> Iterator[Result]:
        waiting = list(cuts)
        count = min(max(1, at_once), len(waiting))
        results: queue.Queue[Result | BaseException] = queue.Queue()
        lock = threading.Lock()

        def serve(slot: Slot) -> None:
            while True:
                with lock:
                    if not waiting:
                        return
                    cut = waiting.pop(0)
                try:
                    results.put(Result(**slot.ask(cut, keep=keep)["result"]))
                except EngineSilent as problem:  # one row; the next cut gets a new process
                    results.put(_silent(cut.name, problem))
                except BaseException as problem:
                    results.put(problem)
                    return

        total = len(waiting)
        slots = [Slot(self.task, self.folder, i) for i in range(count)]
        try:
            for slot in slots:
                threading.Thread(target=serve, args=(slot,), daemon=True).start()
            for _ in range(total):
                found = results.get()
                if isinstance(found, BaseException):
                    raise found
                with self._file.open("a", encoding="utf-8") as out:
                    out.write(json.dumps(found.as_dict()) + "\n")
                yield found
        finally:
            for slot in slots:
                slot.close()


def _silent(name: str, problem: EngineSilent) -> Result:
    words = f"{problem.title}: {problem.found}; {problem.look_at}"
    return Result(name, "no lab", words=words)


def _host(deployment: RunFile, host: str | None) -> str:
    apps = [app.app_id for app in deployment.apps]
    if host is None:
        return apps[0]
    if host not in apps:
        raise WrongStudy(
            f"the run file has no app {host!r}",
            asked=f"the app that hosts the workflow: {host}",
            found=f"app IDs: {', '.join(apps)}",
            look_at=str(deployment.path),
            fix="use one of these app IDs",
        )
    return host


def _key(task: Task, deployment: RunFile) -> str:
    """A name for the study: the same for the same question about the same files."""
    digest = hashlib.sha256(json.dumps(asdict(task), sort_keys=True, default=str).encode())
    folders = {app.folder for app in deployment.apps}
    folders |= {folder for app in deployment.apps for folder in app.resources}
    files = [Path(task.run_file), Path(task.invariant.rpartition(":")[0])]
    for folder in sorted(folders):
        files += [
            f
            for f in sorted(folder.rglob("*"))
            if f.suffix in (".py", ".yaml", ".yml", ".json")
            and not {".venv", "__pycache__", ".lab"} & set(f.parts)
            and f.is_file()  # not a folder or a pipe, nor what an editor links to nowhere
        ]
    for file in files:
        digest.update(str(file).encode())
        digest.update(file.read_bytes())
    name = re.sub(r"[^\w-]+", "-", task.workflow)[:LONGEST_NAME]
    return f"{name}-{digest.hexdigest()[:10]}"
