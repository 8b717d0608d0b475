"""The apps of ``services/in-flight``, with changes of their programs while orders are in flight."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from labkit import paths
from labkit.errors import LabError
from labkit.flight import Tally, approve, charged, flying, place, tally
from labkit.labs.lab import Lab
from labkit.runfile import app_id_of
from labkit.waiting import patience
from tests.support.deployments import STORE

SERVICES = paths.repo() / "services" / "in-flight"
APPS = ("orders", "approvals", "payments")

Edit = tuple[str, str]
Change = Callable[[Lab], None]


def source(app: str) -> str:
    """Return the program of an app, or of its replica, as the course has it."""
    return (SERVICES / app_id_of(app) / "main.py").read_text("utf-8")


def edited(app: str, edits: Iterable[Edit]) -> str:
    """Return the program of an app, with each text replaced that an edit names."""
    text = source(app)
    for find, put in edits:
        assert find in text, find
        text = text.replace(find, put)
    return text


# --- what can be changed ---------------------------------------------------------------------

_TEXT = source("orders")
_START = "# --- start "
WORKFLOW = _TEXT[_TEXT.index("@wfr.workflow") : _TEXT.index(_START)]
CHECK = "    yield ctx.call_activity(check, input=order)\n"
CHILD = '    yield ctx.call_child_workflow("approval"'
BILL = '    bill = {"order": order, "amount": 10}\n'
RETURN = '    return paid["charged"]\n'
SCORE = "    yield ctx.call_activity(score, input=order)\n"

BEFORE: Edit = (CHILD, SCORE + CHILD)
BETWEEN: Edit = (BILL, SCORE + BILL)
AFTER: Edit = (RETURN, SCORE + RETURN)
PATCHED: Edit = (CHILD, f'    if ctx.is_patched("score"):\n    {SCORE}{CHILD}')


def version(name: str, latest: bool, *edits: Edit) -> str:
    """Return the workflow as one version of it."""
    text = WORKFLOW
    for find, put in edits:
        text = text.replace(find, put)
    head = f'@wfr.versioned_workflow(name="order", version_name="{name}", is_latest={latest})\n'
    return text.replace('@wfr.workflow(name="order")\ndef order(', f"{head}def order_{name}(")


ONE: Edit = (WORKFLOW, version("v1", True))
TWO: Edit = (WORKFLOW, version("v1", False) + version("v2", True, BEFORE))
PLAIN_AND_TWO: Edit = (WORKFLOW, WORKFLOW + version("v2", True, BEFORE))

BEGIN = '    book("starts"'
NEEDS: Edit = (BEGIN, '    bill["currency"]\n' + BEGIN)
TAKES: Edit = (BEGIN, '    bill.get("currency", "EUR")\n' + BEGIN)
SENDS: Edit = (BILL, BILL.replace("10}", '10, "currency": "EUR"}'))
ANSWER = '    return {"charged": bill["amount"]}\n'
RENAMES: Edit = (ANSWER, '    return {"amount": bill["amount"]}\n')
HALF: Edit = (
    'book("charges", bill["order"], bill["amount"])\n' + ANSWER,
    'book("charges", bill["order"], 5)\n    return {"charged": 5}\n',
)
BOTH: Edit = (ANSWER, '    return {"charged": bill["amount"], "amount": bill["amount"]}\n')
READS: Edit = (RETURN, '    return paid["amount"]\n')

LEDGER = "# --- the ledger"
RECEIPT: Edit = (
    LEDGER,
    f"""@wfr.activity(name="receipt")
def receipt(ctx: wf.WorkflowActivityContext, bill: dict) -> str:
    book("receipts", bill["order"], bill["amount"])
    return "sent"


{LEDGER}""",
)
APPROVAL = _TEXT[_TEXT.index(CHILD) : _TEXT.index(BILL)]
AT_ONCE: Edit = (APPROVAL, "")
ASKS: Edit = (
    RETURN,
    f'    yield ctx.call_activity("receipt", app_id="payments", input=bill)\n{RETURN}',
)


# --- deploying and playing -------------------------------------------------------------------


def write_apps(folder: Path, config: str = "") -> Path:
    """Write the three apps, with a Configuration for ``orders``; return the run file."""
    own = shutil.ignore_patterns("__pycache__", "*.sqlite*")
    shutil.copytree(SERVICES, folder, ignore=own)
    (folder / "components").mkdir()
    (folder / "components" / "statestore.yaml").write_text(STORE, "utf-8")
    text = (folder / "dapr.yaml").read_text("utf-8")
    text = text.replace("../../components/default", "components")
    if config:
        (folder / "config.yaml").write_text(config, "utf-8")
        there = "    appDirPath: orders\n"
        text = text.replace(there, there + "    configFilePath: ../config.yaml\n")
    (folder / "dapr.yaml").write_text(text, "utf-8")
    return folder / "dapr.yaml"


def release(lab: Lab, app: str, *edits: Edit, kill: bool = False) -> None:
    """Start an app with edits of its first program.

    Args:
        app: an app ID, or a replica, which then runs other code than the others do.
        kill: SIGKILL for the old worker; otherwise SIGTERM.
    """
    (lab.app(app).spec.folder / "main.py").write_text(edited(app, edits), "utf-8")
    if kill:
        lab.kill(app, "worker", announce=False)
        lab.up(app, announce=False, within=30 * patience())
    else:
        lab.restart(app, "worker", announce=False, within=30 * patience())


@dataclass(frozen=True)
class Outcome:
    """What became of the orders of one play.

    Attributes:
        approving, charging: those that stood there when something was changed.
        later: those that began after the change.
        again: calls of the charge beyond the first of each order.
        steps: of an order that began after the change.
        why: a failure, or why one is held.
    """

    approving: Tally
    charging: Tally
    later: Tally
    again: int
    steps: tuple[str, ...]
    why: str


def play(lab: Lab, prefix: str, count: int, *changes: Change, later: int = 2) -> Outcome:
    """Let orders fly, change something, start more orders, let all of them end."""
    new = [f"{prefix}-new-{number}" for number in range(later)]
    with flying(lab, prefix, count) as names:
        for change in changes:
            change(lab)
        place(lab, new)
    approve(lab, new)
    return outcome(lab, names, new)


def outcome(lab: Lab, names: Sequence[str], new: Sequence[str], **how: Sequence[str]) -> Outcome:
    """Wait for the end of orders; count them."""
    half, every = len(names) // 2, [*names, *new]
    tallies = [tally(lab, group, **how) for group in (names[:half], names[half:], new)]
    starts = charged(lab, "starts")
    again = sum(max(starts[name] - 1, 0) for name in every)
    steps = tuple(s.name for s in lab.run(new[0]).history.own_steps()) if new else ()
    return Outcome(*tallies, again, steps, next(filter(None, (why(lab, n) for n in every)), ""))


def why(lab: Lab, name: str) -> str:
    """Return why an order has failed or is held; "" for neither."""
    with suppress(LabError):
        run = lab.run(name)
        if failure := run.failure:
            return f"{failure.error_type}: {failure.message}"
        if stalled := run.history.stalled:
            return f"{stalled.reason}: {stalled.description}".strip()
    return ""
