"""The commands of somebody on call in a terminal; each prints what a notebook would return.

The lab is asked as in a notebook, so both leave the same evidence.
"""

from __future__ import annotations

import difflib
import json
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from labkit.apps.curled import curl
from labkit.apps.parts import HOST
from labkit.errors import ObservationError
from labkit.incidents.deployed import folder
from labkit.workfiles import shown

if TYPE_CHECKING:
    from labkit.incidents.oncall import Incident

LINES = 25


class WrongCommand(ObservationError):
    """A line is no command, or lacks something."""

    code = "wrong-command"


class Command(NamedTuple):
    """One command: what follows its name, what it does, and the function."""

    takes: str
    does: str
    run: Callable[..., Any]


class Desk:
    """Runs commands on an incident.

    Args:
        incident: the open one.
        ask: puts a question and returns the answer, for ``diagnose``.
    """

    def __init__(self, incident: Incident, ask: Callable[[str], str]) -> None:
        self.incident, self._ask = incident, ask
        self.is_over = False
        self.commands = {
            "page": Command("", "what you were called for", lambda: incident.page),
            "orders": Command("[N]", "the newest orders", self._orders),
            "status": Command("", "the processes", lambda: incident.lab.status()),
            "metadata": Command("APP", "what its sidecar says about itself", self._metadata),
            "health": Command("APP", "whether its sidecar says that it is ready", self._health),
            "logs": Command("APP [sidecar|worker] [N]", "the last lines of a log", self._logs),
            "metrics": Command("APP WORD", "lines of its metrics with this word", self._metrics),
            "history": Command("ID", "the events of a workflow", self._history),
            "result": Command("ID", "status, failure and output of a workflow", self._result),
            "inbox": Command("[N]", "the newest mails", self._inbox),
            "ledger": Command("APP TABLE", "what a service has noted", self._ledger),
            "placement": Command("", "who can be called, as placement knows it", self._placement),
            "curl": Command("APP PATH", "GET at its sidecar: /v1.0/metadata", self._curl),
            "ports": Command("APP", "where it listens, for another terminal", self._ports),
            "files": Command("", "the files of the system, for your editor", self._files),
            "show": Command("FILE", "a file, with the numbers of its lines", self._show),
            "up": Command("[APP]", "start what does not run", incident.up),
            "restart": Command("[APP]", "start again: an app, or everything", incident.restart),
            "diagnose": Command("", "say what is wrong, and where", self._diagnose),
            "verdict": Command("", "judge diagnosis and repair", self._verdict),
            "leave": Command("", "end for now; ./lab incident --resume goes on", self._leave),
            "give-up": Command("", "end, and see what was wrong", self._give_up),
            "help": Command("", "this list", self.help),
        }

    def run(self, line: str) -> str:
        """Run one line; return what it prints.

        Raises:
            LabError: it is no command, or what it asks has no answer.
        """
        try:
            name, *rest = shlex.split(line) or ["help"]
        except ValueError as problem:
            raise _wrong(line, str(problem), "close the quotation marks") from problem
        if name not in self.commands:
            near = difflib.get_close_matches(name, self.commands, 1)
            fix = f"did you mean {near[0]}?" if near else "help lists the commands"
            raise _wrong(line, f"there is no command {name!r}", fix)
        found = self.commands[name]
        least = len([w for w in found.takes.split() if not w.startswith("[")])
        if not least <= len(rest) <= len(found.takes.split()):
            raise _wrong(line, f"{len(rest)} words after {name}", f"{name} {found.takes}".strip())
        return str(found.run(*rest))

    def help(self) -> str:
        """Return the list of commands."""
        width = max(len(f"{name} {c.takes}") for name, c in self.commands.items())
        rows = [f"  {f'{n} {c.takes}':<{width}}  {c.does}" for n, c in self.commands.items()]
        return "\n".join(rows)

    # --- questions ---------------------------------------------------------------------------

    def _app(self, app_id: str) -> Any:
        return self.incident.lab.app(app_id)

    def _orders(self, newest: str = "12") -> str:
        return self.incident.orders(_number(newest))

    def _metadata(self, app_id: str) -> str:
        return json.dumps(self._app(app_id).metadata(), indent=2)

    def _health(self, app_id: str) -> str:
        return "ready" if self._app(app_id).is_healthy() else "not ready, or no answer"

    def _logs(self, app_id: str, part: str = "worker", lines: str = str(LINES)) -> str:
        if part.isdigit():
            part, lines = "worker", part
        text = self._app(app_id).logs(part, _number(lines))
        return str(text) or "the log is empty"

    def _metrics(self, app_id: str, word: str) -> str:
        lines = self._app(app_id).metrics().splitlines()
        found = [line for line in lines if word in line and not line.startswith("#")]
        return "\n".join(found) or f"no metric has {word!r} in its line"

    def _history(self, id: str) -> str:
        return repr(self.incident.lab.run(id).history)

    def _result(self, id: str) -> str:
        run = self.incident.lab.run(id)
        failure = run.failure
        said = f"{failure.error_type}: {failure.message}" if failure else f"output {run.output}"
        return f"{run.status}; {said}"

    def _inbox(self, newest: str = "10") -> str:
        mails = self.incident.lab.inbox[-_number(newest) :]
        return "\n".join(f"to {m.to}: {m.subject}" for m in mails) or "no mail"

    def _ledger(self, app_id: str, table: str) -> str:
        return "\n".join(map(str, self.incident.lab.ledger(app_id, table)[-LINES:])) or "no rows"

    def _placement(self) -> str:
        return json.dumps(self.incident.lab.placement_state(), indent=2)

    def _curl(self, app_id: str, path: str) -> str:
        self.incident.noted("curl", app_id)
        return repr(curl(self.incident.bare.app(app_id), path))

    def _ports(self, app_id: str) -> str:
        app = self.incident.bare.app(app_id)
        told = {"HTTP": app.ports.http, "gRPC": app.ports.grpc, "metrics": app.ports.metrics}
        lines = [f"{name:<8} {HOST}:{port}" for name, port in told.items()]
        run = self.incident.bare.folder
        return "\n".join([*lines, f"token    in {run / 'run.json'}", f"logs     {run / 'logs'}"])

    def _files(self) -> str:
        files = [place for place in self.incident.places() if (folder() / place).exists()]
        return "\n".join([f"in {shown(folder())}:", *(f"  {file}" for file in files)])

    def _show(self, name: str) -> str:
        file = (folder() / name).resolve()
        if not file.is_relative_to(folder().resolve()) or not file.is_file():
            raise _wrong(f"show {name}", "no such file of this system", "files lists them")
        self.incident.noted("files", name)
        lines = file.read_text("utf-8", "replace").splitlines()
        return "\n".join(f"{n:>4}  {line}" for n, line in enumerate(lines, 1))

    # --- the end -----------------------------------------------------------------------------

    def _diagnose(self) -> str:
        print("Places:\n  " + "\n  ".join(self.incident.places()))
        place = self._ask("Where is it? ")
        causes = self.incident.causes()
        print("Causes:\n" + "\n".join(f"  {n:>2}  {c}" for n, c in enumerate(causes, 1)))
        cause = self._ask("Which cause? Its number: ")
        words = self._ask("Which observation led you there? In your own words: ")
        return self.incident.diagnose(place, cause, words)

    def _verdict(self) -> str:
        found = self.incident.verdict()
        if not found.passed:
            return repr(found)
        self.is_over = True
        return f"{found!r}\n\n{self.incident.report()}"

    def _leave(self) -> str:
        self.is_over = True
        return "Left. Nothing runs any more. To go on: ./lab incident --resume"

    def _give_up(self) -> str:
        self.is_over = True
        return self.incident.give_up()


def _number(text: str) -> int:
    if not text.isdigit():
        raise _wrong(text, f"{text!r} is not a number", "give a whole number")
    return int(text)


def _wrong(line: str, found: str, fix: str) -> WrongCommand:
    return WrongCommand(
        "this command cannot be run", asked=line, found=found, look_at="help", fix=fix
    )
