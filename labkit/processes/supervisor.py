"""Supervised processes: own session, log file, readiness, stop by TERM then KILL.

A :class:`Supervisor` belongs to one lab run. It starts processes, remembers how each one ended,
and keeps a lifeline (see :mod:`labkit.processes.lifeline`) so that nothing survives this kernel.
It knows nothing of Dapr.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from labkit.errors import StartError
from labkit.host.hosterrors import DiskFull, LimitReached, explained
from labkit.processes import lifeline, lives
from labkit.waiting import busy, patience, poll

STOP_SECONDS = 5.0
OWN_ENVIRONMENT = ".venv/"
"""So begins the command of an app that has packages of its own."""


class ProcessEnded(StartError):
    """A process ended while it was needed."""

    code = "process-ended"


class StillThere(StartError):
    """A process was killed and is not gone: the system has not let go of it."""

    code = "still-there"


class ProgramMissing(StartError):
    """A command cannot be started."""

    code = "program-missing"


class Process(lives.Life):
    """One child process with its log file.

    Attributes:
        name: how the lab calls it, e.g. ``notification-service worker``.
        argv, env, cwd: the command line, the environment, the working directory.
        log: the file with its standard output and error.
        started_at, ended_at: seconds since the epoch; ``ended_at`` is None while it runs.

    Args:
        journal: the run folder that notes its start and its end; None for nowhere.
        fix: what to do when it cannot be started; "" for a command of a run file.
        keeps: file descriptors that it holds open as long as it lives.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        log: Path,
        journal: Path | None = None,
        fix: str = "",
        keeps: Sequence[int] = (),
    ) -> None:
        self.name, self.argv, self.log = name, tuple(argv), log
        self.env, self.cwd = dict(env), cwd
        self.log_start = log.stat().st_size if log.exists() else 0
        self.started_at = time.time()
        self.ended_at: float | None = None
        self._popen = _spawn(name, argv, env, cwd, log, fix, keeps)
        self._journal = journal
        self._created = lives.created_at(self.pid)
        self._note("start", at=self.started_at, started_at=self.started_at, log=log.name)
        threading.Thread(target=self._note_end, daemon=True, name=f"wait {name}").start()

    @property
    def pid(self) -> int:
        """The process id; it is also the id of its process group and session."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative when a signal ended it."""
        return self._popen.poll()

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self.exit_code is None

    def join(self, within: float) -> None:
        """Wait until it has ended, at most ``within`` seconds."""
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(within)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and all it started in its session."""
        if self.is_alive:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def kill(self) -> None:
        """End it now (SIGKILL) and wait until it is gone.

        Raises:
            StillThere: after 5 s, or longer on a machine that is busy or slow, it is not gone.
        """
        self.signal(signal.SIGKILL)
        self.require_gone()

    def require_gone(self) -> None:
        """Wait for the end of a process that was killed; raise StillThere when it stays."""
        self.join(STOP_SECONDS * patience())
        if self.is_alive:
            raise StillThere(
                f"{self.name} was killed and is not gone",
                asked=f"end {self.name} (pid {self.pid})",
                found=busy() or "the system has not ended it: it waits for a disk, for example",
                look_at=f"ps -o pid,stat,wchan:20,cmd -p {self.pid}",
                fix="do the same again in a moment",
            )

    def require_alive(self, asked: str, fix: str) -> None:
        """Raise ProcessEnded, with the telling line of its log, when it has ended."""
        if not self.is_alive:
            raise self.ended(asked, fix)

    def ended(self, asked: str, fix: str, so: str = "", why: str = "") -> ProcessEnded:
        """Return the error for a process that has ended: how, and what its log says.

        Args:
            so: what follows from it, in words, for the title.
            why: the cause, in words, where its log does not name it.
        """
        return ProcessEnded(
            f"{self.name} {self.ending()}{so}",
            asked=asked,
            found=(f"{why}; " if why else "") + f"its log says: {self.last_line() or 'nothing'}",
            look_at=str(self.log),
            fix=fix,
        )

    def left_something(self) -> bool:
        """Whether something that it started in its session still runs."""
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True

    def _note_end(self) -> None:
        code = self._popen.wait()
        self.ended_at = time.time()
        self._note("end", at=self.ended_at, code=code)

    def _note(self, event: str, **facts: Any) -> None:
        if self._journal is not None:
            who = {"name": self.name, "pid": self.pid, "created": self._created}
            lives.note(self._journal, event, **who, log_start=self.log_start, **facts)


class Supervisor:
    """The processes of one lab run, and their lifeline.

    Args:
        run_id: marks every process of this run in its environment.
        hold: file descriptors that the lifeline keeps open until the last process is gone.
        journal: the run folder that notes starts and ends, see :mod:`labkit.processes.lives`.
        fixes: of programs that are not the run file's: what to do when one cannot be started.
        keeps: file descriptors that every process keeps open, too: where kernel and lifeline were
            killed at once, what is left of a lab still holds its ports.
    """

    def __init__(
        self,
        run_id: str,
        hold: Sequence[int],
        journal: Path | None = None,
        fixes: Mapping[str, str] | None = None,
        keeps: Sequence[int] = (),
    ) -> None:
        self._keeps = tuple(keeps)
        self.run_id, self._journal, self._fixes = run_id, journal, fixes or {}
        self.incidents: list[str] = []
        self._hold = tuple(hold)
        self._closing = False
        self._lock = threading.Lock()
        self._processes: list[Process] = []
        self._start_lifeline()

    @property
    def lifeline_pid(self) -> int:
        """The process that ends all others when this kernel is gone."""
        return self._lifeline.pid

    def start(
        self, name: str, argv: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path
    ) -> Process:
        """Start a process that carries the mark of this run.

        Raises:
            ProgramMissing: the program cannot be run, or its folder does not exist.
            LimitReached, DiskFull: the system has no room for another process or its log.
        """
        marked = {**env, lifeline.MARK: self.run_id}
        fix = self._fixes.get(argv[0], "")
        process = Process(name, argv, marked, cwd, log, self._journal, fix, self._keeps)
        with self._lock:
            self._processes.append(process)
        return process

    def alive(self) -> list[Process]:
        """Return the processes that run now."""
        return [p for p in self._processes if p.is_alive]

    def close(self) -> None:
        """Stop everything; afterwards the supervisor cannot be used again."""
        self._closing = True
        try:
            stop(self.alive())
        finally:
            lifeline.end(self.run_id)  # what our processes started and left
            with suppress(OSError, ValueError):
                assert self._lifeline.stdin is not None
                self._lifeline.stdin.write(b"quit\n")
                self._lifeline.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                self._lifeline.wait(STOP_SECONDS)

    def _start_lifeline(self) -> None:
        self._lifeline = subprocess.Popen(
            [sys.executable, "-I", "-S", lifeline.__file__, self.run_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            # Not the mark of a JupyterLab around this kernel: its end must not end the lifeline.
            env={k: v for k, v in os.environ.items() if k != lifeline.MARK},
            start_new_session=True,
            pass_fds=self._hold,
        )
        threading.Thread(target=self._watch_lifeline, daemon=True, name="lifeline").start()

    def _watch_lifeline(self) -> None:
        self._lifeline.wait()
        if not self._closing:
            self.incidents.append("the lifeline was killed; a new one was started")
            self._start_lifeline()


def stop(processes: Iterable[Process], within: float = STOP_SECONDS) -> None:
    """Stop processes side by side: TERM to all, KILL to those left after ``within`` seconds.

    Raises:
        StillThere: one was killed and stays; the others are gone.
    """
    processes = list(processes)
    for process in processes:
        process.signal(signal.SIGTERM)
    _, gone = poll(lambda: not any(p.is_alive for p in processes), within, every=0.005)
    left = [] if gone else [p for p in processes if p.is_alive]
    for process in left:
        process.signal(signal.SIGKILL)
    for process in left:
        process.require_gone()


def _spawn(
    name: str,
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    fix: str,
    keeps: Sequence[int],
) -> subprocess.Popen[bytes]:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
            return subprocess.Popen(
                argv,
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # the stop button's SIGINT must not reach it
                pass_fds=keeps,
            )
    except OSError as problem:
        refusal = explained(problem)
        if isinstance(refusal, (DiskFull, LimitReached)):
            raise refusal from problem
        raise ProgramMissing(
            f"{name} cannot be started",
            asked=f"{' '.join(argv)}  in {cwd}",
            found=f"{type(problem).__name__}: {problem.strerror}: {problem.filename}",
            look_at=argv[0] if fix else "the command and the folder of this app in the run file",
            fix=fix or _fix_of_command(argv[0]),
        ) from problem


def _fix_of_command(program: str) -> str:
    if program.startswith(OWN_ENVIRONMENT):
        return "./lab setup makes the environment of the app"
    return "correct the command or the folder in the run file, then start again"
