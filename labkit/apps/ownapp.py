"""An app of this kernel's own lab, which can be started: :mod:`labkit.apps.launch` says how."""

from __future__ import annotations

import time
from collections.abc import Sequence

from labkit.apps.app import App
from labkit.apps.launch import Launch, Surroundings
from labkit.apps.parts import PARTS, Part, Ports
from labkit.processes import lives
from labkit.processes.supervisor import Process
from labkit.runfile import AppSpec
from labkit.waiting import busy

MOST_STARTS = 3
"""So often is a part started that ends by a time limit of its own on a slow machine."""
LAST_LINES = 5
_LIMITS = ("deadline exceeded", "init timeout", "i/o timeout", "timed out")


class OwnApp(App):
    """The handle of an app that this kernel starts and ends.

    Attributes:
        launch: how its parts are started.
    """

    def __init__(self, spec: AppSpec, around: Surroundings, ports: Ports) -> None:
        super().__init__(spec, around.shared, ports)
        self.launch = Launch(self, around)
        self._supervisor = around.supervisor
        self._came_early = False
        self._starts = dict.fromkeys(PARTS, 0)

    @property
    def command(self) -> str:
        """The exact shell lines of sidecar and service, and the same with the Dapr CLI."""
        return self.launch.lines()

    def process(self, part: Part) -> Process | None:
        """Return the newest process of a part, dead or alive.

        Raises:
            UnknownPart: ``part`` is neither "sidecar" nor "worker".
        """
        life = super().process(part)
        return life if isinstance(life, Process) else None

    def start(self, part: Part | None = None) -> None:
        """Start what is not running (one part, or both); does not wait."""
        self._starts |= dict.fromkeys(PARTS if part is None else (part,), 0)
        for name in PARTS if part is None else (part,):
            running = self.process(name)
            if (name == "sidecar" or self.service.exists) and not (running and running.is_alive):
                self._start(name)

    def is_out_of_time(self, part: Part = "sidecar") -> bool:
        """Whether a part ended by a time limit of its own while this machine is slow.

        A component has five seconds to become ready, or its sidecar ends (``spec.initTimeout``). A
        service that ends because no sidecar answered it names the address it has asked.
        """
        life = self.process(part)
        if life is None or life.is_alive or life.was_killed or not life.exit_code or not busy():
            return False
        if self.cause_of(life):
            return False  # a server that nobody started runs out of time, too
        lines = life.output().splitlines()
        if part == "worker":
            return f":{self.ports.grpc}" in "\n".join(lines[-LAST_LINES:])
        fatal = [line for line in lines if "level=fatal" in line]
        return any(words in line for line in fatal for words in _LIMITS)

    def gave_up(self, part: Part) -> bool:
        """Whether a part ran out of time as often as it is started for that."""
        return self._starts[part] >= MOST_STARTS and self.is_out_of_time(part)

    def sidecar_starts_again(self) -> bool:
        """Start the sidecar again if it ran out of time, which is nobody's mistake."""
        return self._gets_more_time("sidecar") and self._start_again("sidecar")

    def starts_again(self) -> bool:
        """Whether a command that has failed gets another start.

        It may have come too early: sidecar and service start side by side, and the CLI starts a
        command without ``appPort`` when the sidecar listens, so one that needs it at once is
        started a second time then. Or it ran out of time, waiting for its sidecar.
        """
        worker = self.service.life
        if worker is None or worker.exit_code in (None, 0):
            return False
        if not self._came_early and not self._gets_more_time("worker"):
            return False
        return not self.sidecar.listens() or self._start_again("worker")

    def _gets_more_time(self, part: Part) -> bool:
        return self._starts[part] < MOST_STARTS and self.is_out_of_time(part)

    def _start_again(self, part: Part) -> bool:
        if not self._came_early or part == "sidecar":
            name = f"{self.name} {part}"
            lives.note(self.shared.folder, "again", name=name, at=time.time())
        self._start(part)
        return True

    def _start(self, part: Part) -> None:
        self._starts[part] += 1
        if part == "sidecar":
            self.sidecar.remove_old_sockets()
        else:
            self._came_early = not self.spec.app_port and not self.sidecar.listens()
        process = self._supervisor.start(
            f"{self.name} {part}",
            self.launch.argv(part),
            self.launch.env(part),
            self.launch.folder(part),
            self.shared.log(self.name, part),
        )
        self.took([*self.past, (part, process)])

    def run_beside(self, what: str, command: Sequence[str]) -> Process:
        """Start another program as the service is started, and return it."""
        name, log = f"{self.name} {what}", self.shared.folder / "logs" / f"{self.name}.{what}.log"
        return self._supervisor.start(
            name, list(command), self.launch.env("worker"), self.spec.folder, log
        )

    def running_or_ended(self) -> list[Process]:
        """Return the newest process of each part, dead or alive, sidecar first."""
        return [p for p in self.newest().values() if isinstance(p, Process)]

    def alive(self) -> list[Process]:
        """Return the running processes, sidecar first.

        Ending the sidecar before the worker avoids stalls of 8 to 10 s at the next start
        (measured on 1.18.1: 0 of 25 restarts stall, against 3 of 25 the other way round).
        """
        return [p for p in self.running_or_ended() if p.is_alive]
