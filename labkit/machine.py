"""Problems of this machine and of the course's set-up: cause, evidence, the fixing command.

Looks only. With ``--fix`` it also does what cannot lose anything of yours: it ends processes of
labs that are gone, and removes folders of ended runs when the disk is nearly full.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shlex
import shutil
import socket
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from labkit import paths, versions
from labkit.course import evidence as kept
from labkit.errors import LabError
from labkit.host import environments, foreign, hosterrors, limits, people, sdk
from labkit.infrastructure.redis import redis_server
from labkit.labs import runs
from labkit.processes import ports
from labkit.runtime import binaries
from labkit.waiting import patience

NEEDED_GB, NEEDED_MEMORY_GB = 1.0, 1.0


@dataclass(frozen=True)
class Finding:
    """The answer to one question.

    Attributes:
        what: what was looked at.
        problem: None when all is well, else what is wrong.
        fix: the command or action that fixes it.
    """

    what: str
    evidence: str
    problem: str | None = None
    fix: str = ""


class Report(tuple[Finding, ...]):
    """All answers; shows what was looked at, and problems first."""

    @property
    def problems(self) -> list[Finding]:
        """Only what is wrong."""
        return [f for f in self if f.problem]

    def __repr__(self) -> str:
        lines = [f"{f.what}: {f.problem}\n  fix  {f.fix}" for f in self.problems]
        lines += [f"{f.what}: good" for f in self if not f.problem]
        return "\n".join(lines)


def doctor() -> Report:
    """Look at everything; problems come with the command that fixes them."""
    return Report(_answer(question) for question in QUESTIONS)


def _answer(question: Callable[[], Finding]) -> Finding:
    """Return the answer; what keeps a question from being asked is itself a problem."""
    what = question.__name__.replace("_", " ")
    try:
        return question()
    except LabError as problem:
        return Finding(what, problem.found, problem.title, problem.fix)
    except (OSError, RuntimeError) as problem:
        told = hosterrors.explained(problem)
        fix = told.fix if told else "fix what the error names, then ./lab doctor"
        return Finding(what, str(problem), f"{type(problem).__name__}: {problem}", fix)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the report; exit code 1 when there is a problem."""
    parser = argparse.ArgumentParser(prog="./lab doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--fix", action="store_true", help="fix what can be fixed safely")
    options = parser.parse_args(argv)
    report = doctor()
    if options.fix:
        for finding in report.problems:
            if finding.what in FIXES:
                print(f"{finding.what}: {FIXES[finding.what]()}", file=sys.stderr)
        report = doctor()
    if options.json:
        print(json.dumps({"findings": [asdict(f) for f in report]}))
    else:
        print(report)
        print("\n".join(f"  {f.what}: {f.evidence}" for f in report))
    return 1 if report.problems else 0


def python_version() -> Finding:
    """Whether this Python is new enough."""
    evidence = sys.version.split()[0]
    good = sys.version_info[:2] >= versions.MIN_PYTHON
    return Finding(
        "Python",
        evidence,
        None if good else f"{evidence} is too old",
        "./lab start with a newer one",
    )


def sdk_pair() -> Finding:
    """Whether both halves of the SDK are of the pinned version; mixed ones fail in odd ways."""
    evidence = ", ".join(f"{k} {v}" for k, v in sdk.installed().items())
    return Finding("Dapr SDK", evidence, sdk.problem(), sdk.fix())


def foreign_modules() -> Finding:
    """Whether modules on PYTHONPATH hide those of the course and its services."""
    found = [f"{name} ({origin})" for name, origin in foreign.shadowed()]
    shown = f"{', '.join(found[:3])}{f' and {len(found) - 3} more' if len(found) > 3 else ''}"
    problem = f"PYTHONPATH hides modules of the course: {shown}" if found else None
    return Finding("modules of others", shown or "none on PYTHONPATH", problem, "unset PYTHONPATH")


def dapr_runtime() -> Finding:
    """Whether the pinned runtime is here and as it was put here."""
    try:
        used = binaries(thorough=True)
    except LabError as problem:
        return Finding("Dapr runtime", problem.found, problem.title, "./lab setup")
    return Finding("Dapr runtime", f"{used.version} from {used.origin}: {used.folder}")


def ml_environment() -> Finding:
    """Whether ml-inference-service has its own environment; its lesson needs it."""
    problem = environments.trouble()
    evidence = str(environments.folder())
    return Finding("environment of ml-inference-service", evidence, problem, "./lab setup")


def open_files() -> Finding:
    """Whether this user may open as many files as a lab needs."""
    return _limit(limits.open_files())


def processes() -> Finding:
    """Whether this user may run as many processes and threads as a lab needs."""
    return _limit(limits.processes())


def _limit(limit: limits.Limit) -> Finding:
    problem = f"{limit}, and a lab needs {limit.needed} more" if limit.is_too_low else None
    return Finding(f"limit on {limit.what}", str(limit), problem, limit.fix)


def disk_space() -> Finding:
    """Whether there is room for the stores of some labs."""
    free = shutil.disk_usage(paths.state()).free / 1e9
    problem = f"{free:.1f} GB free" if free < NEEDED_GB else None
    return Finding("disk", f"{free:.1f} GB free", problem, "./lab clean")


def labkit_itself() -> Finding:
    """Whether the labkit that runs is the one of the course; an installed copy may be older."""
    here, course = Path(__file__).parent, paths.repo() / "labkit"
    files = sorted(p.relative_to(course) for p in course.rglob("*.py"))
    other = [f for f in files if here != course and not _same(here / f, course / f)]
    problem = f"{here} is not that of the course: {other[0]} and others" if other else None
    fix = f"in {course.parent}: {sys.executable} -m pip install ."
    return Finding("labkit", str(here), problem, fix)


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and one.read_bytes() == other.read_bytes()


def memory() -> Finding:
    """Whether there is memory for a lab; one takes about 0.5 GB with its notebook."""
    free = limits.free_memory() / 1e9
    problem = f"{free:.1f} GB free" if free < NEEDED_MEMORY_GB else None
    return Finding("memory", f"{free:.1f} GB free", problem, "end other programs, or ./lab stop")


def load() -> Finding:
    """How busy this machine is: a lab waits longer then, and says so."""
    factor = patience()
    slow = f"busy: everything takes about {factor:.0f} times as long" if factor >= 2 else "not busy"
    return Finding("load", f"{os.cpu_count()} cores, {slow}")


def loopback() -> Finding:
    """Whether programs on this machine can reach each other."""
    try:
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen()
            with socket.create_connection(server.getsockname(), 2):
                return Finding("loopback", "127.0.0.1 answers")
    except OSError as problem:
        return Finding(
            "loopback", str(problem), f"127.0.0.1: {problem}", "allow it in your firewall"
        )


def left_behind() -> Finding:
    """Whether a lab that has ended left processes."""
    orphans = [r for r in runs.all_runs() if r.processes and not r.alive]
    count = sum(len(r.processes) for r in orphans)
    what = "process" if count == 1 else "processes"
    problem = f"{count} {what} of labs that have ended" if count else None
    return Finding("left-over processes", f"{count}", problem, "./lab stop")


def state_folder() -> Finding:
    """Whether the disk of the state folder can lock files and keep a WAL; network disks may not."""
    probe = paths.state() / f"doctor-{os.getpid()}.sqlite"
    try:
        with probe.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with closing(sqlite3.connect(probe)) as db:
            mode = db.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        problem = None if mode == "wal" else f"SQLite cannot use WAL there, only {mode}"
    except (OSError, sqlite3.Error) as trouble:
        problem = f"{type(trouble).__name__}: {trouble}"
    finally:
        with suppress(OSError):
            probe.unlink()
    fix = "use a local disk that you can write: LABKIT_STATE=FOLDER ./lab start"
    return Finding("state folder", str(paths.state()), problem, fix)


def free_ports() -> Finding:
    """Whether another lab finds a block of ports."""
    free = ports.free_blocks()
    problem = None if free else "no block of ports is free"
    return Finding(
        "ports", f"{free} blocks of {ports.BLOCK_SIZE} ports are free", problem, "./lab stop"
    )


def redis() -> Finding:
    """Whether there is a Redis server; lesson 01 and that on state stores need one."""
    try:
        return Finding("Redis server", str(redis_server()))
    except LabError as problem:
        return Finding("Redis server", problem.found, problem.title, problem.fix)


def evidence() -> Finding:
    """Whether the file with your predictions and verdicts can be read and added to."""
    try:
        count, torn = kept.counted()
        kept.require_addable()
    except LabError as problem:
        return Finding("evidence", problem.found, problem.title, problem.fix)
    torn_lines = f"; lines that cannot be read and are skipped: {torn}" if torn else ""
    return Finding("evidence", f"{count} entries in {kept.file()}{torn_lines}")


def other_users() -> Finding:
    """Whether what is yours is closed to other users of this host, and who they are."""
    what = "closed to other users"
    open_ones = [f for f in paths.private_folders() if f.stat().st_mode & 0o077]
    shown = ", ".join(map(str, open_ones))
    people_here = people.others()
    count = (
        "1 other person has an account"
        if len(people_here) == 1
        else (f"{len(people_here)} other people have accounts")
    )
    note = f"; {count} here, and can reach a running lab: docs/loopback.md" if people_here else ""
    problem = f"others may look into {shown}" if open_ones else None
    fix = shlex.join(["chmod", "700", *map(str, open_ones)])
    return Finding(what, f"your folders{note}", problem, fix)


def _end_left_behind() -> str:
    runs.sweep()
    return "ended"


def _remove_old_runs() -> str:
    before = len(runs.all_runs())
    runs.prune(1)
    return f"removed the folders of {before - len(runs.all_runs())} ended runs"


QUESTIONS: tuple[Callable[[], Finding], ...] = (
    python_version,
    labkit_itself,
    sdk_pair,
    foreign_modules,
    dapr_runtime,
    ml_environment,
    state_folder,
    disk_space,
    memory,
    load,
    open_files,
    processes,
    loopback,
    free_ports,
    redis,
    left_behind,
    evidence,
    other_users,
)
"""The most important first: a problem may be the cause of those behind it."""

FIXES: dict[str, Callable[[], str]] = {
    "left-over processes": _end_left_behind,
    "disk": _remove_old_runs,
}
