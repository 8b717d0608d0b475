"""What checks observe: how a workflow ended, who sent a mail, what is as before.

Each function returns a :class:`Check` about one :class:`~labkit.exercises.cases.Case`, so the same
words hold in the learner's lab and in a counter-scenario. Evidence comes from the history, the
sidecars, the processes and the inbox. An effect belongs to a step when it carries the step's
``task_execution_id``; what learner code writes about itself is never enough.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from labkit.apps.app import App, NoLedger
from labkit.apps.sidecar import SidecarSilent
from labkit.course.verdict import Outcome
from labkit.errors import ObservationError
from labkit.exercises.cases import NOTIFICATIONS, ORCHESTRATOR, QUIET_SECONDS, Case, View, part
from labkit.exercises.reference import KNOWN, Known
from labkit.history import ENDED, Step
from labkit.labs.workflowrun import POLL_SECONDS
from labkit.mail.catcher import Mail
from labkit.waiting import patience, poll

ORDER = (
    ("validate_task", {"assign_task", "send_email", "send_push", "compliance_audit_workflow"}),
    ("assign_task", {"send_email", "send_push", "compliance_audit_workflow"}),
)
"""Steps that have to end before others may begin."""
LATE_SECONDS = 10.0
"""How long work may go on after the end of the order that asked for it, on a usual machine."""


class MomentMissed(ObservationError):
    """A counter-scenario did not hit the moment that it is about, so it says nothing."""

    code = "moment-missed"


class AnsweredLate(ObservationError):
    """A call sent its mail and timed out before the answer, so it was tried again and sent two."""

    code = "answered-late"


@dataclass(frozen=True)
class Check:
    """One question to the running system.

    Attributes:
        id: hints and mutants name it.
        checked: what is looked at, in words that claim nothing that was not observed.
        observe: asks the system; its answer is compared with ``expected``.
        holds: tells whether an answer is good; None means that it equals ``expected``.
        otherwise: the outcome when it does not hold; "unknown" where the scenario is to blame.
    """

    id: str
    checked: str
    expected: Any
    observe: Callable[[], Any]
    look_at: str
    holds: Callable[[Any], bool] | None = None
    otherwise: Outcome = "failed"


def besides(one: Check, problem: Callable[[], str]) -> Check:
    """The same check, which also does not hold when ``problem`` has words for what is wrong."""
    found: list[str] = []

    def observe() -> Any:
        found[:] = filter(None, [problem()])
        seen = one.observe()
        return f"{seen}; {found[0]}" if found else seen

    def holds(seen: Any) -> bool:
        return not found and _is_good(one, seen)

    return replace(one, observe=observe, holds=holds)


def broken(checks: Iterable[Check]) -> str:
    """Ask checks one after the other; return what the first that does not hold has seen, or ""."""
    for one in checks:
        seen = one.observe()
        if not _is_good(one, seen):
            return f"{one.checked}: {seen}"
    return ""


def _is_good(one: Check, seen: Any) -> bool:
    return one.holds(seen) if one.holds else bool(seen == one.expected)


# --- the workflow -----------------------------------------------------------------------------


def ordered(case: Case) -> Check:
    """The workflow that was asked for ran under the ID, and no other."""
    return Check(
        "ordered",
        f"the instance {case.name} is the workflow of the scenario",
        case.workflow,
        lambda: case.history.name,
        f"lab.run({case.instance_id!r}).history; the scenario cell as the exercise gives it",
    )


def ended(
    case: Case, status: str = "COMPLETED", within: float = QUIET_SECONDS, id: str = "ended"
) -> Check:
    """The workflow has ended with this status.

    Args:
        within: see :meth:`Case.settled`, in seconds.
    """
    return Check(
        id,
        f"the workflow {case.name} ends with {status}",
        status,
        lambda: case.settled(within),
        f"lab.run({case.instance_id!r}).history",
        lambda seen: str(seen).partition(":")[0] == status,
    )


def says(case: Case, expected: Any, *keys: str | int, id: str = "says", checked: str) -> Check:
    """A part of the output has this value."""
    return Check(
        id,
        checked,
        expected,
        lambda: part(case.output, *keys),
        f"lab.run({case.instance_id!r}).output",
    )


def killed(case: Case, app_id: str, id: str = "killed") -> Check:
    """The worker of an app was killed after the workflow had begun; else the scenario is to blame.

    The times at which processes ended are those of the lab's journal.
    """

    def observe() -> str:
        began = case.history.events[0].time.timestamp()
        ends = [x for part, x in case.lab.app(app_id).past if part == "worker" and x.was_killed]
        return _many(sum((x.ended_at or 0) > began for x in ends), "kill")

    return Check(
        id,
        f"the worker of {app_id} was killed after the workflow {case.name} had begun",
        "1 kill or more",
        observe,
        "the scenario cell as the exercise gives it, then run it again",
        lambda seen: seen != _many(0, "kill"),
        "unknown",
    )


def came_true(condition: Callable[[], Any], within: float) -> bool:
    """Ask every 0.1 s until the answer is true; return whether it was, in so many seconds.

    A question without an answer counts as not yet: a history that is being written cannot always
    be read (1.18.1).
    """

    def asked() -> bool:
        with suppress(ObservationError):
            return bool(condition())
        return False

    return poll(asked, within, POLL_SECONDS)[1]


def missed(moment: str, found: str) -> MomentMissed:
    """Return the error for a counter-scenario that did not hit its moment.

    Args:
        moment: what the scenario is about, e.g. "kill while the mail server hangs".
        found: what was seen in its place.
    """
    return MomentMissed(
        "the counter-scenario did not hit its moment",
        asked=moment,
        found=found,
        look_at="the logs of the second lab",
        fix="check again; on a busy machine, when less runs",
    )


def timed_out(case: Case) -> bool:
    """Whether a step failed since somebody whom it waited for was frozen for too long."""
    return bool(_late(case))


def answered_in_time(case: Case, keys: Sequence[str]) -> None:
    """Make sure that no call sent two of the mails with these keys because of a slow machine.

    Raises:
        AnsweredLate: a call sent its mail, timed out before the answer, and was tried again.
    """
    late = {s.task_execution_id for s in _late(case) if s.task_execution_id}
    if any(n > 1 and any(id in key for id in late) for key, n in Counter(keys).items()):
        raise AnsweredLate(
            "the mail server did not answer a call in time, so the call was tried again",
            asked="how many mails the call sends",
            found="two with one key, and a failure of this call that says: timed out",
            look_at=f"lab.run({case.instance_id!r}).history.steps()",
            fix="run the scenario again; on a busy machine, when less runs",
        )


def _late(case: Case) -> list[Step]:
    return [s for s in case.steps() if s.failure and "timed out" in s.failure.message]


# --- effects and the steps that made them -----------------------------------------------------


def mailed(
    case: Case,
    recipient: str | None = None,
    count: int = 1,
    app_id: str = NOTIFICATIONS,
    id: str = "mail",
    who: str = "the assignee",
) -> Check:
    """So many mails arrived, each sent by a step of this workflow in that app.

    Args:
        recipient: None means the assignee of the order.
    """

    def observe() -> str:
        address = recipient or case.order.get("assignee_email", "")
        return _mails(case, [m.idempotency_key for m in mails_of(case, address)])

    return Check(
        id,
        f"{who} gets {_many(count, 'mail')}, sent by {app_id}",
        _from(count, "mail", app_id),
        observe,
        f"lab.inbox: the keys of the mails; lab.run({case.instance_id!r}).history.steps()",
    )


def pushed(case: Case, count: int = 1, app_id: str = NOTIFICATIONS, id: str = "push") -> Check:
    """So many pushes were handed over, each by a step of this workflow in that app."""

    def observe() -> str:
        user = case.order.get("assignee_user_id")
        rows = rows_of(case.lab, app_id, "pushes")
        return origin(case, "push", [str(r["key"]) for r in rows if r["user_id"] == user])

    return Check(
        id,
        f"the assignee gets {_many(count, 'push')}, sent by {app_id}",
        _from(count, "push", app_id),
        observe,
        f'lab.ledger("{app_id}", "pushes"); lab.run({case.instance_id!r}).history.steps()',
    )


def mails_of(case: Case, recipient: str) -> list[Mail]:
    """Return the mails to somebody, without those that had arrived before this workflow began."""
    began = case.history.events[0].time.timestamp() if case.is_own else 0.0
    return [m for m in case.lab.inbox.to(recipient) if m.received_at >= began]


def _mails(case: Case, keys: Sequence[str]) -> str:
    answered_in_time(case, keys)
    return origin(case, "mail", keys)


def origin(case: Case, what: str, keys: Iterable[str]) -> str:
    """Say how many effects there are, and which app's step of this workflow made each.

    In the learner's lab the effects of an earlier run of the scenario may be there, too: those
    that carry a key of another run are left out when this run has its own.
    """
    owners = {s.task_execution_id: s.app_id for s in case.steps() if s.task_execution_id}
    seen = [(key, _owner(owners, key)) for key in keys]
    if case.is_own and any(owner for _, owner in seen):
        seen = [(key, owner) for key, owner in seen if owner or not key]
    counts = Counter((owner, bool(key)) for key, owner in seen)
    said = [_traced(n, what, owner, has_key) for (owner, has_key), n in counts.items()]
    return ", ".join(said) or _many(0, what)


def _traced(count: int, what: str, owner: str | None, has_key: bool) -> str:
    """Say of effects which app made them, or why that cannot be known."""
    if owner:
        return _from(count, what, owner)
    why = "with the key of no step of this workflow" if has_key else "without an idempotency key"
    return f"{_many(count, what)} {why}"


def _owner(owners: dict[str, str], key: str) -> str | None:
    """The app of the step whose key an effect carries; a service may add words of its own."""
    return next((app_id for own, app_id in owners.items() if key and own in key), None)


def rows_of(lab: View, app_id: str, table: str) -> list[dict[str, Any]]:
    """Return the rows of a ledger; none when the service has written no such table."""
    with suppress(NoLedger):
        return lab.ledger(app_id, table)
    return []


# --- sidecars and their stores ----------------------------------------------------------------


def sidecars_run(lab: View) -> Check:
    """Every sidecar of the lab answers; one that has ended is shown with its last words."""
    return Check(
        "sidecars",
        "all sidecars run",
        "each of them answers",
        lambda: ", ".join(f"{app.app_id}: {_answer(app)}" for app in lab.started_apps()),
        "lab.status(), and the last lines in the log of the sidecar",
        lambda said: all(told.endswith(": answers") for told in str(said).split(", ")),
    )


def keep_workflows(lab: View, *app_ids: str) -> Check:
    """The sidecars of these apps have an actor state store.

    A sidecar that has one offers workflow actors as soon as its worker is connected; its log names
    the store, at the level info.
    """
    return Check(
        "store",
        f"{' and '.join(app_ids)} {'have' if len(app_ids) > 1 else 'has'} an actor state store",
        ", ".join(f"{app_id}: has one" for app_id in app_ids),
        lambda: ", ".join(f"{app_id}: {_actor_store(lab.app(app_id))}" for app_id in app_ids),
        "the log of the sidecar, which names its actor state store; its metadata: components",
    )


def an_order_with_stores(case: Case) -> Iterator[Check]:
    """Sidecars run and have their stores, and an order is carried out as before."""
    yield sidecars_run(case.lab)
    yield keep_workflows(case.lab, ORCHESTRATOR, NOTIFICATIONS)
    yield ordered(case)
    yield ended(case)
    yield mailed(case)
    yield from as_before(case)


def databases(lab: View, app_id: str) -> list[Path]:
    """Return the SQLite files that the sidecar of an app has open; not for the learner's lab."""
    sidecar = lab.app(app_id).process("sidecar")
    files = psutil.Process(sidecar.pid).open_files() if sidecar else []
    return sorted({Path(f.path) for f in files if _is_database(Path(f.path))})


def kept_in(case: Case, app_id: str = ORCHESTRATOR) -> list[str]:
    """Return the names of the SQLite files in which an app's sidecar keeps this instance."""
    return [f.name for f in databases(case.lab, app_id) if _holds(f, f"||{case.instance_id}||")]


def in_memory(lab: View, app_id: str) -> bool:
    """Whether the actor state store of an app is one in memory, which forgets when it ends.

    The log of the sidecar names its actor state store; where it does not, any store may be it.
    """
    app = lab.app(app_id)
    named = re.findall("Using '([^']+)' as actor state store", app.logs("sidecar"))
    found = app.metadata().get("components", [])
    forgetful = {c["name"] for c in found if c["type"] == "state.in-memory"}
    return bool(forgetful & set(named[-1:]) if named else forgetful)


def _is_database(file: Path) -> bool:
    with suppress(OSError), file.open("rb") as opened:
        return opened.read(15) == b"SQLite format 3"
    return False


def _holds(file: Path, words: str) -> bool:
    keyed = "SELECT m.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE c.name = 'key'"
    with suppress(sqlite3.Error), closing(_opened(file)) as db:  # a store may name its table
        tables = [table for (table,) in db.execute(keyed)]
        asked = [f'SELECT 1 FROM "{table}" WHERE instr(key, ?) LIMIT 1' for table in tables]
        return any(db.execute(one, (words,)).fetchone() for one in asked)
    return False


def _opened(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)


def _answer(app: App) -> str:
    try:
        app.metadata()
        return "answers"
    except SidecarSilent:
        if (sidecar := app.process("sidecar")) and sidecar.is_alive:
            raise
    fatal = [line for line in app.logs("sidecar").splitlines() if "level=fatal" in line]
    said = re.findall(r'msg="(.*?)" app_id', fatal[-1]) if fatal else []
    return said[0] if said else "does not answer"


def _actor_store(app: App) -> str:
    # Without a store a sidecar offers no actors, until a client asks for a workflow (1.18.1).
    if app.lacks_actor_store():
        return "none"
    if (app.metadata().get("actorRuntime") or {}).get("activeActors"):
        return "has one"
    raise SidecarSilent(
        f"nothing says whether {app.app_id} has an actor state store",
        asked=f"the metadata and the log of the sidecar of {app.app_id}",
        found="it offers no workflow actors, and its log has no line about an actor state store",
        look_at=f"lab.app({app.app_id!r}).metadata(), and lab.app({app.app_id!r}).logs()",
        fix="let its worker connect; if it runs, let logLevel be info, and run the scenario again",
    )


# --- as before --------------------------------------------------------------------------------


def as_before(case: Case, changed: Iterable[str] = (), id: str = "before") -> Iterator[Check]:
    """The steps that the exercise is not about still run, and the output still names the task.

    Args:
        changed: names of steps that may be missing, or may run elsewhere.
    """
    known = KNOWN.get(case.workflow)
    if known is None:
        return
    wanted = [step for step in known.steps if step[0] not in set(changed)]
    yield Check(
        id,
        "the other steps run as before",
        _listed(wanted),
        lambda: _too_early(case) or _listed(_present(case, wanted)),
        f"lab.run({case.instance_id!r}).history.steps()",
    )
    if known.sent and "answers" not in changed:
        yield answers(case, known, set(changed), id)
    if "send_push" not in changed and ("send_push", NOTIFICATIONS) in known.steps:
        yield pushed(case, id=id)
    yield Check(
        id,
        "the output names the task",
        case.order.get("task_id"),
        lambda: part(case.output, "task_id"),
        f"lab.run({case.instance_id!r}).output",
    )


def answers(case: Case, known: Known, changed: set[str], id: str = "before") -> Check:
    """The output holds the answer of each notification, in whatever order and form."""
    named = [name for name in known.sent if name not in changed]

    def observe() -> str:
        held = part(case.output, "notifications_sent")
        if not isinstance(held, (list, dict)):
            return str(held)
        values = list(held.values() if isinstance(held, dict) else held)
        done = [s for name in named for s in case.steps(name) if s.outcome == "completed"]
        there = [s for s in done if s.value in values]
        found = sorted({s.name for s in there})
        # The answers of further calls of these activities may stand there, too, once each.
        known_values = [v for v in values if v in [s.value for s in done]]
        further = max(0, min(len(there), len(known_values)) - len(found))
        count = _many(len(values) - further, "answer")
        return f"{count}, {', '.join(found) or 'none of them'} among them"

    return Check(
        id,
        "the output still holds the answers in notifications_sent",
        f"{_many(len(known.sent), 'answer')}, {', '.join(sorted(named)) or 'none of them'}"
        " among them",
        observe,
        f"lab.run({case.instance_id!r}).output",
    )


def rejected(case: Case) -> Check:
    """An order without a title is rejected, and nothing is done for it."""

    def observe() -> str:
        status = case.settled()
        if status == "COMPLETED":
            status = f"{status}, {part(case.output, 'status')}"
        known = {name for name, _ in KNOWN[case.workflow].steps} - {"validate_task"}
        done = sorted({s.name for s in case.steps()} & known)
        return f"{status}; {', '.join(done) or 'nothing'} done for it"

    return Check(
        "rejected",
        "an order without a title is rejected, as before",
        "COMPLETED, rejected; nothing done for it",
        observe,
        "the first lines of the workflow; schedule an order with an empty title",
    )


def untouched(cases: Sequence[Case]) -> Check:
    """The other workflows of the same file do what they did."""
    return Check(
        "others",
        "the other workflows of the file work as before",
        ", ".join(f"{c.workflow}: as before" for c in cases),
        lambda: ", ".join(f"{c.workflow}: {_state(c, KNOWN[c.workflow])}" for c in cases),
        "what else your change touches in the same file",
    )


def _state(case: Case, known: Known) -> str:
    status = case.settled()
    if status != "COMPLETED":
        return status
    # Where the machine is slow, task_with_fallback ends before what it gave up has been sent.
    came_true(lambda: not under_way(case), LATE_SECONDS * patience())
    if missing := [s for s in known.steps if s not in _present(case, known.steps)]:
        return f"without {_listed(missing)}"
    address = case.order["assignee_email"]
    mails = _mails(case, [m.idempotency_key for m in case.lab.inbox.to(address)])
    if mails != _from(1, "mail", NOTIFICATIONS):
        return mails
    done = [s for name in known.sent for s in case.steps(name) if s.outcome == "completed"]
    values = [s.value for s in done]
    if known.sent and part(case.output, "notifications_sent") != values:
        return f"its output is {case.output}"
    if ("send_push", NOTIFICATIONS) in known.steps:
        pushes = pushed(case).observe()
        return "as before" if pushes == _from(1, "push", NOTIFICATIONS) else str(pushes)
    return "as before"


def under_way(case: Case) -> bool:
    """Whether a workflow or one of its children has not ended, or cannot be read now."""
    return any(run.missing or run.status not in ENDED for run in case.history.walk())


def _present(case: Case, wanted: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    done = {(s.name, s.app_id) for s in case.steps() if s.outcome == "completed"}
    return [step for step in wanted if step in done]


def _too_early(case: Case) -> str:
    """Say which step began before one that has to come first; "" when all is in order."""
    steps = case.steps()
    for first, later in ORDER:
        ends = [s.ended for s in steps if s.name == first and s.ended]
        begins = [s.began for s in steps if s.name in later]
        if ends and begins and min(begins) < min(ends):
            names = {s.name for s in steps if s.began == min(begins)} & later
            return f"{', '.join(sorted(names))} before {first}"
    return ""


def _listed(steps: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name} in {app_id}" for name, app_id in steps) or "none of them"


def _many(count: int, what: str) -> str:
    plural = f"{what}es" if what.endswith("sh") else f"{what}s"
    return f"{count} {what if count == 1 else plural}"


def _from(count: int, what: str, owner: str) -> str:
    return f"{_many(count, what)} from {owner}" if count else _many(0, what)
