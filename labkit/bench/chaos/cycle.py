"""One cycle of chaos: a lab in a kernel of its own, workflows, kills, and what must hold then.

Asserted are: every workflow ends with the right output; its activities ran at least once, and at
most once more for each blow; a killed kernel's lab is taken over by ``Lab(resume=True)``, and no
other run; no process and no port is held afterwards; all evidence is there and whole.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from labkit import paths
from labkit.bench.chaos.plan import KERNEL, LIFELINE, Kill, Plan, expected
from labkit.processes import lifeline, lives, ports
from labkit.waiting import patience, poll

ANSWER_SECONDS = 120.0
WAIT_SECONDS = 60.0
GONE_SECONDS = 5.0
UPS = 4


class KernelGone(Exception):
    """The kernel has ended: it was killed."""


@dataclass
class Report:
    """How a cycle went.

    Attributes:
        problems: what did not hold, in words; empty when all did.
        kills, workflows, labs, notes: how many there were.
        slowest: seconds that the slowest workflow was waited for after the last blow.
        folder: what is left of a cycle that went wrong.
    """

    seed: int
    plan: str
    problems: list[str] = field(default_factory=list)
    kills: int = 0
    workflows: int = 0
    labs: int = 0
    notes: int = 0
    twice: int = 0
    slowest: float = 0.0
    seconds: float = 0.0
    folder: str = ""


class Kernel:
    """A kernel process: asked one thing at a time, killed at any time."""

    def __init__(self, state: Path) -> None:
        self.noted: list[str] = []
        self._answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._log = (state / "kernel.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "labkit.bench.chaos.kernel"],
            cwd=paths.repo(),
            env={**os.environ, "LABKIT_STATE": str(state)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def begin(self, do: str, **given: Any) -> None:
        """Ask for something, and do not wait."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps({"do": do, **given}) + "\n")
            self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """Return the answer to what was asked.

        Raises:
            KernelGone: there will be none.
        """
        found = self._answers.get(timeout=ANSWER_SECONDS * patience())
        if found is None:
            raise KernelGone
        return found

    def ask(self, do: str, **given: Any) -> dict[str, Any]:
        """Ask for something, and wait for the answer."""
        self.begin(do, **given)
        return self.answer()

    def end(self) -> None:
        """Kill it, and take what it has said."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for stream in (self.process.stdin, self.process.stdout, self._log):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with suppress(ValueError):  # the kernel was killed while it wrote
                said = json.loads(line)
                if "noted" in said:
                    self.noted.append(said["noted"])
                else:
                    self._answers.put(said)
        self._answers.put(None)


def play(plan: Plan) -> Report:
    """Play a cycle and return its report; never raises for what went wrong in it."""
    state = Path(tempfile.mkdtemp(prefix=f"chaos-{plan.seed}-"))
    began = time.monotonic()
    cycle = Cycle(plan, state)
    try:
        cycle.play()
    except Exception as problem:
        cycle.report.problems.append(f"{type(problem).__name__}: {problem}")
    finally:
        cycle.close()
    cycle.report.seconds = round(time.monotonic() - began, 1)
    if cycle.report.problems:
        cycle.report.folder = str(state)
    else:
        shutil.rmtree(state, ignore_errors=True)
    return cycle.report


class Cycle:
    """One cycle, step by step."""

    def __init__(self, plan: Plan, state: Path) -> None:
        self.plan, self.state = plan, state
        self.report = Report(plan.seed, str(plan), workflows=len(plan.workflows))
        self.kernels: list[Kernel] = []
        self.folder = Path()
        self.expects_orphans = False

    def play(self) -> None:
        """Play it; what did not hold is in the report."""
        self._new_kernel()
        self._lab()  # an older run of the same file, which must not be taken over
        self.kernel.ask("down")
        self._lab()
        {"up": self._in_up, "running": self._while_running, "down": self._in_down}[
            self.plan.moment
        ]()
        self._look_at_ledgers()

    def close(self) -> None:
        """End everything and look at what is left."""
        for kernel in self.kernels:
            kernel.end()
        runs = sorted((self.state / "runs").glob("*-*"))
        self._require(self._all_gone(runs), "processes are left")
        self._look_at_ports()
        self._look_at_evidence()

    @property
    def kernel(self) -> Kernel:
        """The newest kernel."""
        return self.kernels[-1]

    # --- the three moments -------------------------------------------------------------------

    def _in_up(self) -> None:
        self.kernel.begin("up")
        self._blow(self.plan.kills[0])
        with suppress(KernelGone):
            self.kernel.answer()  # an error that names what was killed is right
        self._up_again()
        self._schedule()
        self._wait()
        self._asked("down")

    def _while_running(self) -> None:
        self._up_again()
        self._schedule()
        for kill in self.plan.kills:
            self._blow(kill)
            time.sleep(kill.again)
            self._up_again()
        self._wait()
        self._asked("down")

    def _in_down(self) -> None:
        self._up_again()
        self._schedule()
        self._wait()
        self.kernel.begin("down")
        self._blow(self.plan.kills[0])
        with suppress(KernelGone):
            self._noted(self.kernel.answer(), "down")

    # --- steps -------------------------------------------------------------------------------

    def _new_kernel(self) -> None:
        self.kernels.append(Kernel(self.state))

    def _lab(self, **given: Any) -> None:
        self.folder = Path(self._asked("lab", **given))
        self.report.labs += 1

    def _asked(self, do: str, **given: Any) -> Any:
        return self._noted(self.kernel.ask(do, **given), do)

    def _noted(self, answer: dict[str, Any], do: str) -> Any:
        if "error" in answer:
            raise RuntimeError(f"{do}: {answer['text']}")
        return answer["answer"]

    def _up_again(self) -> None:
        """Start again what has ended; a blow may fall into a start, so try more than once."""
        if self.kernel.process.poll() is not None:
            self._take_over()
        for left in reversed(range(UPS)):
            answer = self.kernel.ask("up")
            if "error" not in answer or not left:
                break
        self._noted(answer, "up")

    def _take_over(self) -> None:
        before = self.folder
        self._new_kernel()
        self._lab(resume=True)
        self._require(self.folder == before, f"took over {self.folder.name}, not {before.name}")

    def _schedule(self) -> None:
        for name, kind in self.plan.workflows.items():
            self._asked("schedule", name=name, kind=kind)

    def _wait(self) -> None:
        began = time.monotonic()
        for name, kind in self.plan.workflows.items():
            answer = self.kernel.ask("wait", name=name, within=WAIT_SECONDS * patience())
            right = {"status": "COMPLETED", "output": list(expected(name, kind))}
            said = answer.get("answer", answer.get("text"))
            self._require(said == right, f"{name}: {said}")
        self.report.slowest = round(time.monotonic() - began, 1)

    def _blow(self, kill: Kill) -> None:
        time.sleep(kill.after)
        self.report.kills += 1
        pids = {p.name: p.pid for p in lives.newest(self.folder) if p.is_alive}
        facts = json.loads((self.folder / "run.json").read_text("utf-8"))
        pids |= {LIFELINE: facts.get("lifeline_pid", 0), KERNEL: self.kernel.process.pid}
        chosen = [pids[v] for v in kill.victims if pids.get(v)]
        self.expects_orphans |= {KERNEL, LIFELINE} <= set(kill.victims)
        if KERNEL in kill.victims:
            os.kill(pids[KERNEL], signal.SIGSTOP)  # or it would replace the lifeline
        for pid in reversed(chosen):
            _kill_session(pid)
        if KERNEL in kill.victims:
            self.kernel.end()

    # --- what must hold ----------------------------------------------------------------------

    def _require(self, holds: bool, what: str) -> None:
        if not holds:
            self.report.problems.append(what)

    def _look_at_ledgers(self) -> None:
        ran = Counter(
            line
            for notes in (self.folder / "ledgers").glob("*.txt")
            for line in notes.read_text("utf-8").splitlines()
        )
        wanted = [k for name, kind in self.plan.workflows.items() for k in expected(name, kind)]
        self._require(set(ran) == set(wanted), f"noted {sorted(ran)}")
        most = 1 + self.report.kills + self._restarted()
        often = {key: count for key, count in ran.items() if count > most}
        self._require(not often, f"more often than {most} times: {often}")
        self.report.twice = sum(count > 1 for count in ran.values())

    def _restarted(self) -> int:
        """How many sidecars and workers were started again: each may cut what runs once more."""
        started = Counter(life.name for life in lives.lives(self.folder) if " " in life.name)
        return sum(started.values()) - len(started)

    def _all_gone(self, runs: list[Path]) -> bool:
        if self.expects_orphans:  # nobody is there to end them but the next lab
            for run in runs:
                lifeline.end(run.name)
        gone = lambda: not any(lifeline.marked(r.name) for r in runs)  # noqa: E731
        return poll(gone, GONE_SECONDS, grows=True)[1]

    def _look_at_ports(self) -> None:
        facts = json.loads((self.folder / "run.json").read_text("utf-8"))
        used = [p for app in facts.get("apps", {}).values() for p in app.values() if p]
        held = [p for p in used if not poll(partial(ports.is_free, p), GONE_SECONDS)[1]]
        self._require(not held or _is_taken_since(facts), f"ports are held: {held}")

    def _look_at_evidence(self) -> None:
        lines = (self.state / "progress.jsonl").read_bytes().splitlines()
        found, torn = set(), 0
        for line in lines:
            try:
                found.add(json.loads(line)["id"])
            except ValueError:
                torn += 1
        noted = {id for kernel in self.kernels for id in kernel.noted}
        self.report.notes = len(noted)
        self._require(noted <= found, f"{len(noted - found)} notes are lost")
        # A kernel that is killed in the midst of a write may tear the line that it wrote.
        self._require(torn <= len(self.kernels), f"{torn} lines are torn")


def _is_taken_since(facts: dict[str, Any]) -> bool:
    """Whether another lab has the block of ports by now."""
    return not ports.is_free(int(facts["first_port"]))


def _kill_session(pid: int) -> None:
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)
