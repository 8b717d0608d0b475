"""Asks the three architectures the same questions, each in a lab of its own, and counts.

The lessons print counts and orders only; times differ from run to run.
"""

from __future__ import annotations

import shutil
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from labkit import Lab, LabError, wait_until
from labkit.waiting import patience, poll, settled

HERE = Path(__file__).parent
TARGET = "notification-service"
MOST_PATIENCE = 4.0
"""By what factor the waits for something that must not happen become longer, at most."""
T = TypeVar("T")


@dataclass(frozen=True)
class Architecture:
    """Where the three promises of an order are kept.

    Attributes:
        host: the app whose workflow decides what comes next.
        tasks: app and table in which the task is noted.
        book: app and table of the entry in the book.
        enters: the step that writes this entry.
    """

    name: str
    host: str
    workflow: str
    tasks: tuple[str, str]
    book: tuple[str, str]
    enters: str


_HOST = "task-orchestrator-service"
_AUDIT = ("audit-service", "events")
ARCHITECTURES = (
    Architecture(
        "centralised", _HOST, "task_processing", (_HOST, "tasks"), _AUDIT, "log_audit_event"
    ),
    Architecture(
        "domain-specific", _HOST, "task_processing", (_HOST, "tasks"), _AUDIT, "log_audit_event"
    ),
    Architecture(
        "gateway",
        "gateway-service",
        "process_user_request",
        ("task-service", "tasks"),
        ("billing-service", "charges"),
        "charge_user",
    ),
)


class Bench:
    """One architecture in a private lab.

    Args:
        run_file: another deployment of it; None means the one of the course.
        env: environment variables of all services.
    """

    def __init__(
        self, form: Architecture, run_file: Path | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self.form = form
        self.lab = Lab(run_file or HERE / form.name / "dapr.yaml", private=True, env=env)
        try:
            self.lab.up(within=60 * patience(), announce=False)
        except BaseException:
            self.lab.down()
            raise

    # --- orders and what became of them ------------------------------------------------------

    def order(self, task_id: str) -> None:
        """Order a task; does not wait for its end."""
        given = {
            "task_id": task_id,
            "title": "Outage in production",
            "user_id": "alice",
            "email": "alice@example.com",
            "manager_email": "boss-of-alice@example.com",
        }
        client = self.lab.client(self.form.host)
        client.schedule_new_workflow(self.form.workflow, input=given, instance_id=task_id)

    def wait(self, task_id: str) -> str:
        """Return the status of an order once it has ended."""
        return str(self.lab.run(task_id).wait(60 * patience()).status)

    def mails(self, task_id: str) -> int:
        """Return how many mails about a task have arrived."""
        return sum(f"Task {task_id} " in mail.body for mail in self.lab.inbox)

    def kept(self, task_id: str) -> dict[str, int]:
        """Return how many tasks, mails and entries in the book an order has made so far."""
        return {
            "task": self._rows(self.form.tasks, task_id),
            "mails": self.mails(task_id),
            "book": self._rows(self.form.book, task_id),
        }

    def _rows(self, place: tuple[str, str], task_id: str) -> int:
        with suppress(LabError):  # no such table yet: no row
            return sum(row["task_id"] == task_id for row in self.lab.ledger(*place))
        return 0

    def events(self, task_id: str) -> dict[str, int]:
        """Return the number of history events of an order, by the app that stores them."""
        found: Counter[str] = Counter()
        for part in self.lab.run(task_id).history.walk():
            found[part.app_id] += len(part.events)
        return dict(found)

    def wait_for_task(self, task_id: str) -> None:
        """Wait until the task of an order is noted, the first of its promises."""
        noted = partial(self._rows, self.form.tasks, task_id)
        wait_until(noted, 30 * patience(), "the task is noted")

    # --- the six faults ----------------------------------------------------------------------

    def killed(self, app_id: str, part: Literal["worker", "sidecar"] | None = None) -> str:
        """Order, and kill while the first mail is handed over and not yet noted in the ledger."""
        for attempt in range(5):
            task_id = f"{part or app_id}-{attempt}"
            before = len(self._deliveries())
            self.order(task_id)
            arrived = partial(self.mails, task_id)
            wait_until(arrived, 30 * patience(), "the first mail has arrived")
            self.lab.kill(app_id, part, announce=False)
            if len(self._deliveries()) == before:
                return task_id
            self.lab.up(announce=False)  # too late: the mail was noted; once more
        raise AssertionError("five times the mail was noted before the kill")

    def _deliveries(self) -> list[dict[str, Any]]:
        with suppress(LabError):
            return list(self.lab.ledger(TARGET, "deliveries"))
        return []

    def worker_killed(self) -> str:
        task_id = self.killed(TARGET, "worker")
        self.lab.up(announce=False)
        return task_id

    def sidecar_killed(self) -> str:
        task_id = self.killed(TARGET, "sidecar")
        noted = len(self._deliveries())
        wait_until(lambda: len(self._deliveries()) > noted, 30 * patience(), "the mail is noted")
        self.lab.up(announce=False)
        return task_id

    def host_killed(self) -> str:
        """Kill the host; note how many mails leave until nothing moves any more."""
        task_id = self.killed(self.form.host)
        poll(lambda: self.mails(task_id) >= 2, 4 * min(patience(), MOST_PATIENCE), 0.1)
        self.without_host = self.mails(task_id)
        self.lab.up(announce=False)
        return task_id

    def target_absent(self) -> str:
        self.lab.stop(TARGET, announce=False)
        self.order("absent")
        self.wait_for_task("absent")
        self.lab.up(announce=False)
        return "absent"

    def provider_refuses(self) -> str:
        self.lab.kill("mail", announce=False)
        self.order("refused")
        self.wait("refused")
        self.lab.up(announce=False)
        return "refused"

    def target_slow(self) -> str:
        self.order("slow")
        return "slow"

    def fault(self, name: str) -> dict[str, Any]:
        """Cause a fault by its name in ``FAULTS``; return what became of the order."""
        task_id = FAULTS[name](self)
        status = self.wait(task_id)
        return {"status": status, **self.kept(task_id)}

    # --- load and latency --------------------------------------------------------------------

    def load(self, many: int) -> dict[str, Any]:
        """Order many tasks at once; return what was kept, and the seconds of the median order."""
        ids = [f"load-{number}" for number in range(many)]
        for task_id in ids:
            self.order(task_id)
        ended = [self.wait(task_id) for task_id in ids]
        kept = Counter[str]()
        for task_id in ids:
            kept.update(self.kept(task_id))
        return {
            "completed": ended.count("COMPLETED"),
            **kept,
            "seconds": statistics.median(self.seconds(task_id) for task_id in ids),
        }

    def seconds(self, task_id: str) -> float:
        """Return how long an order took, by the first and the last event of its history."""
        events = self.lab.run(task_id).history.events
        return float((events[-1].time - events[0].time).total_seconds())

    # --- one app is away ---------------------------------------------------------------------

    def away(self, app_id: str) -> str:
        """Stop an app that comes after the task, order, and return what is kept meanwhile."""
        task_id = f"without-{app_id}"
        self.lab.stop(app_id, announce=False)
        if app_id == self.form.host:
            seen = "nothing can be ordered"
        else:
            self.order(task_id)
            self.wait_for_task(task_id)
            quiet = 2 * min(patience(), MOST_PATIENCE)
            kept = settled(lambda: self.kept(task_id), quiet, within=60 * patience())
            seen = ", ".join(what for what, count in kept.items() if count) or "nothing"
        self.lab.up(announce=False)
        return seen

    # --- change requests ---------------------------------------------------------------------

    def deliver(self, change: Mapping[str, Any], folder: Path) -> list[str]:
        """Edit the deployment for a change request; restart the apps whose files are newer.

        Returns:
            The IDs of these apps.
        """
        edit(change[self.form.name], folder)
        newer = [app.app_id for app in self.lab.started_apps() if app.newer_files()]
        for app_id in newer:
            self.lab.restart(app_id, announce=False)
        return newer

    def fulfil(self, change: Mapping[str, Any], folder: Path) -> tuple[list[str], str, bool]:
        """Deliver a change request and order; return who was deployed, the status, and whether
        the order shows what was asked for.
        """
        deployed = self.deliver(change, folder)
        self.order(change["name"])
        status = self.wait(change["name"])
        return deployed, status, self.does(change["name"], change["name"])

    def steps(self, task_id: str) -> list[str]:
        """Return the names of the steps of an order, by the time they began."""
        return [step.name for step in self.lab.run(task_id).history.steps()]

    def does(self, change: str, task_id: str) -> bool:
        """Whether an order shows what a change request asks for."""
        mails = [mail for mail in self.lab.inbox if f"Task {task_id} " in mail.body]
        steps = self.steps(task_id)
        first_mail = next(i for i, name in enumerate(steps) if name.startswith("send_"))
        return {
            "wording": all(mail.subject.startswith("For you: ") for mail in mails),
            "archive": any(mail.to == "archive@example.com" for mail in mails),
            "team-lead": any(mail.to == "lead-of-alice@example.com" for mail in mails),
            "book-first": steps.index(self.form.enters) < first_mail,
            "receipt": "write_receipt" in steps,
        }[change]


FAULTS: dict[str, Callable[[Bench], str]] = {
    "target worker killed": Bench.worker_killed,
    "target sidecar killed": Bench.sidecar_killed,
    "host killed": Bench.host_killed,
    "target absent, then back": Bench.target_absent,
    "provider refuses": Bench.provider_refuses,
    "target slow": Bench.target_slow,
}


class Three:
    """The three architectures side by side; what is asked, all three are asked at once.

    There is one at a time: a new one ends the one before.

    Args:
        folder: where copies are made that can be edited; None means to run the course's own files.
        env: environment variables of all services.
    """

    def __init__(self, folder: Path | None = None, **env: str) -> None:
        global _open
        if _open is not None:
            _open.down()
        _open = self
        self.benches: dict[str, Bench] = {}
        for form in ARCHITECTURES:
            run_file = copy(form, folder) if folder else None
            self.benches[form.name] = Bench(form, run_file, env)

    def ask(self, question: Callable[[Bench], T]) -> dict[str, T]:
        """Return the answers, by the name of the architecture."""
        with ThreadPoolExecutor(len(self.benches)) as pool:
            asked = {name: pool.submit(question, b) for name, b in self.benches.items()}
            return {name: answer.result() for name, answer in asked.items()}

    def down(self) -> None:
        """End the three labs."""
        for bench in self.benches.values():
            bench.lab.down()

    def __enter__(self) -> Three:
        return self

    def __exit__(self, *_: object) -> None:
        self.down()


_open: Three | None = None


def copy(form: Architecture, folder: Path) -> Path:
    """Copy a deployment into ``folder/NAME``, over an earlier copy; return its run file."""
    source, target = HERE / form.name, folder / form.name
    told = yaml.safe_load((source / "dapr.yaml").read_text("utf-8"))
    told["common"]["resourcesPath"] = "components"
    shutil.copytree(
        HERE.parents[1] / "components/default", target / "components", dirs_exist_ok=True
    )
    for app in told["apps"]:
        own = source / app["appDirPath"]
        skip = shutil.ignore_patterns("__pycache__", "*.sqlite*")
        shutil.copytree(own, target / app["appID"], ignore=skip, dirs_exist_ok=True)
        app["appDirPath"] = app["appID"]
    (target / "dapr.yaml").write_text(yaml.safe_dump(told, sort_keys=False), "utf-8")
    return target / "dapr.yaml"


def edit(edits: Iterable[Mapping[str, str]], folder: Path) -> None:
    """Edit the files of a copy: ``find``, which stands there exactly once, becomes ``put``."""
    for one in edits:
        file = folder / one["file"]
        text = file.read_text("utf-8")
        assert text.count(one["find"]) == 1, f"{file}: not exactly once: {one['find']!r}"
        file.write_text(text.replace(one["find"], one["put"]), "utf-8")


def changes() -> list[dict[str, Any]]:
    """Return the five change requests: a name, a request, and edits for each architecture."""
    return list(yaml.safe_load((HERE / "changes.yaml").read_text("utf-8")))


# --- bulk ------------------------------------------------------------------------------------


def bulk(lab: Lab, limit: int, many: int) -> dict[str, Any]:
    """Judge many titles with a limit; return what was done, and the seconds it took."""
    name, host = f"bulk-{limit}-{time.monotonic_ns()}", "task-orchestrator-service"
    titles = [("security outage" if n % 4 == 0 else "a typo in the wiki") for n in range(many)]
    given = {"titles": titles, "limit": limit}
    client = lab.client(host)
    client.schedule_new_workflow("bulk_task_processing", input=given, instance_id=name)
    run = lab.run(name).wait(120 * patience())
    keys = {step.task_execution_id for step in run.history.steps()}
    rows = [row for row in lab.ledger("ml-service", "inferences") if row["key"] in keys]
    events = run.history.events
    return {
        **run.output,
        "at_once": at_once(rows),
        "events": len(events),
        "seconds": (events[-1].time - events[0].time).total_seconds(),
    }


def at_once(rows: list[dict[str, Any]]) -> int:
    """Return how many rows overlap at most, by their columns ``started`` and ``ended``."""
    moments = sorted([(r["started"], 1) for r in rows] + [(r["ended"], -1) for r in rows])
    running = most = 0
    for _, step in moments:
        running += step
        most = max(most, running)
    return most


def curve(points: Mapping[str, float]) -> str:
    """Return a bar for each name as SVG, with its seconds; for a notebook."""
    longest = max(points.values())
    rows = "".join(
        f'<text x="0" y="{22 * n + 16}">{name}</text>'
        f'<rect x="130" y="{22 * n + 4}" width="{360 * seconds / longest:.0f}" height="14"/>'
        f'<text x="{140 + 360 * seconds / longest:.0f}" y="{22 * n + 16}">{seconds:.1f} s</text>'
        for n, (name, seconds) in enumerate(points.items())
    )
    return (
        f'<svg role="img" aria-label="seconds for each name" width="580" '
        f'height="{22 * len(points) + 8}" font-size="13" fill="currentColor">{rows}</svg>'
    )
