"""Measures docs/facts-change.md: ``python -m tests.support.measure_change [PART …] [--orders N]``.

Parts: ``code``, ``contract``, ``deploy``, ``drain``, ``flag``, ``sdk``, ``store``, ``replicas``.
``sdk`` uses the next release of the SDK, which ``./lab setup`` gets.
"""

from __future__ import annotations

import re
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import grpc

from labkit import versions
from labkit.apps.app import App
from labkit.errors import LabError
from labkit.flight import ORDERS, approve, charged, flying, place, tally
from labkit.history import instance_ids_of
from labkit.host.sdk import folder as sdk_folder
from labkit.labs.lab import Lab
from labkit.waiting import patience, wait_until
from tests.support.change import (
    AFTER,
    APPS,
    ASKS,
    AT_ONCE,
    BEFORE,
    BETWEEN,
    BILL,
    BOTH,
    CHECK,
    HALF,
    NEEDS,
    ONE,
    PATCHED,
    PLAIN_AND_TWO,
    READS,
    RECEIPT,
    RENAMES,
    SCORE,
    SENDS,
    TAKES,
    TWO,
    Change,
    Edit,
    Outcome,
    outcome,
    play,
    release,
    source,
    write_apps,
)

LATER = 5
CALL = 'ctx.call_activity("charge"'
NAMED = '@wfr.activity(name="charge")\ndef charge('
WAIT = "    wfr.start()\n    signal.pause()\n"
STOPPING: Edit = (
    WAIT,
    "    wfr.start()\n    signal.signal(signal.SIGTERM, lambda *_: None)\n"
    "    signal.pause()\n    wfr.shutdown()\n",
)


def said(what: str, seen: Outcome) -> None:
    print(f"{what}\n    approving {seen.approving} | charging {seen.charging} |"
          f" later {seen.later} | called again {seen.again}", flush=True)  # fmt: skip
    print(f"    steps of a later order: {', '.join(seen.steps)}; {seen.why[:160]}", flush=True)


def to(app: str, *edits: Edit, kill: bool = False) -> Change:
    return lambda lab: release(lab, app, *edits, kill=kill)


def rows(lab: Lab, count: int, table: dict[str, list[Change]]) -> None:
    for number, (what, changes) in enumerate(table.items()):
        said(what, play(lab, f"{what[:9].replace(' ', '-')}{number}", count, *changes, later=LATER))
        as_before(lab)


def as_before(lab: Lab) -> None:
    for app in APPS:
        if (lab.app(app).spec.folder / "main.py").read_text("utf-8") != source(app):
            release(lab, app)


# --- code --------------------------------------------------------------------------------------


def code(lab: Lab, count: int) -> None:
    rows(lab, count, {
        "the same code": [to(ORDERS)],
        "step added before the approval": [to(ORDERS, BEFORE)],
        "step added between approval and charge": [to(ORDERS, BETWEEN)],
        "step added after the charge": [to(ORDERS, AFTER)],
        "first step removed": [to(ORDERS, (CHECK, ""))],
        "first step has another name": [to(ORDERS, (CHECK, SCORE))],
        "input of the charge changed": [to(ORDERS, (BILL, BILL.replace("10", "12")))],
        "step added under is_patched": [to(ORDERS, PATCHED)],
        "versions at once": [to(ORDERS, TWO)],
        "version 1 first, then version 2": [to(ORDERS, ONE), to(ORDERS, TWO)],
        "plain function kept beside a version": [to(ORDERS, PLAIN_AND_TWO)],
    })  # fmt: skip
    renamed(lab, count)
    for what, first, then in (
        ("patch rolled back", [PATCHED], []),
        ("version 2 rolled back", [TWO], [ONE]),
    ):
        rolled_back(lab, count, what, first, then)


def renamed(lab: Lab, count: int) -> None:
    """The workflow gets another name, and the old one is gone."""
    with flying(lab, "renamed", count) as names:
        release(lab, ORDERS, ('(name="order")', '(name="order_new")'))
    said("workflow has another name", outcome(lab, names, []))
    as_before(lab)


def rolled_back(lab: Lab, count: int, what: str, first: list[Edit], then: list[Edit]) -> None:
    """Orders take the new path; it is taken back, and released once more."""
    release(lab, ORDERS, *first)
    new = [f"{what[:5]}-{number}" for number in range(count)]
    place(lab, new)
    release(lab, ORDERS, *then)
    approve(lab, new)
    said(what, outcome(lab, [], new))
    began = time.monotonic()
    release(lab, ORDERS, *first)
    said(f"{what}, then forward again", outcome(lab, [], new, held=()))
    print(f"    {time.monotonic() - began:.1f} s from the release to the last end", flush=True)
    as_before(lab)


# --- contract ----------------------------------------------------------------------------------


def contract(lab: Lab, count: int) -> None:
    text = source("payments")
    body = text[text.index(NAMED) : text.index("# --- the ledger")]
    moved = (NAMED, NAMED.replace('"charge"', '"charge_card"'))
    card = body.replace("charge(", "charge_card(").replace('"charge"', '"charge_card"')
    kept = (body, card + body)
    calls = (CALL, CALL.replace("charge", "charge_card"))
    patched = (
        CALL, 'ctx.call_activity("charge_card" if ctx.is_patched("card") else "charge"',
    )  # fmt: skip
    rows(lab, count, {
        "target requires a field that nobody sends": [to("payments", NEEDS)],
        "caller sends it first, then the target requires it":
            [to(ORDERS, SENDS), to("payments", NEEDS)],
        "target takes both, then the caller sends": [to("payments", TAKES), to(ORDERS, SENDS)],
        "field of the answer renamed": [to("payments", RENAMES)],
        "answer has both, then the caller reads the new": [to("payments", BOTH), to(ORDERS, READS)],
        "activity renamed at the target": [to("payments", moved)],
        "caller calls the new name first": [to(ORDERS, calls)],
        "target has both names, caller calls the new": [to("payments", kept), to(ORDERS, calls)],
        "target has both names, caller under is_patched":
            [to("payments", kept), to(ORDERS, patched)],
    })  # fmt: skip


# --- deployment --------------------------------------------------------------------------------


def deploy(lab: Lab, count: int) -> None:
    text = source("payments")
    taken = text[text.index("BANK_IS_CLOSED") : text.index("if __name__")]
    imports = "import os, sqlite3, time\nfrom contextlib import closing\nfrom pathlib import Path\n"
    add = ("@wfr.workflow", f"{imports}{taken}@wfr.workflow")
    move = ('app_id="payments"', 'app_id="approvals"')
    rows(lab, count, {
        "each worker in turn, SIGTERM": [to(app) for app in APPS],
        "each worker in turn, SIGKILL": [to(app, kill=True) for app in APPS],
        "each app in turn, with its sidecar": [lambda lab, a=app: whole(lab, a) for app in APPS],
        "charge moved to another app": [to("approvals", add), to(ORDERS, move)],
    })  # fmt: skip


def whole(lab: Lab, app: str) -> None:
    lab.kill(app, announce=False)
    lab.up(app, announce=False, within=30 * patience())


def drain(lab: Lab, count: int) -> None:
    """End the worker of payments while charges of a second run, in three ways."""
    slow = ('    book("charges"', '    __import__("time").sleep(1)\n    book("charges"')
    for what, edits, kill in (
        ("SIGKILL", [slow], True),
        ("SIGTERM", [slow], False),
        ("SIGTERM, then wfr.shutdown()", [slow, STOPPING], False),
    ):
        release(lab, "payments", *edits)
        names = [f"drain-{what[-5:-2]}-{len(edits)}{kill}-{number}" for number in range(count)]
        place(lab, names)
        approve(lab, names)
        wait_until(lambda n=names: sum(charged(lab, "starts")[x] for x in n) >= 4, usual=60)
        old = lab.app("payments").process("worker")
        if kill:
            lab.kill("payments", "worker", announce=False)
        else:
            lab.stop("payments", "worker", announce=False)
        lab.up("payments", announce=False, within=30 * patience())
        print(f"    the old process: {old.ending() if old else 'none'}")
        said(f"payments ended while it charges: {what}", outcome(lab, [], names))
    as_before(lab)


def flag(lab: Lab, count: int) -> None:
    """A flag is set while orders are in flight: read by the workflow, or by an activity."""
    file = lab.folder / "flag"
    read = f'__import__("pathlib").Path({str(file)!r}).exists()'
    child = BEFORE[0]
    asks = f'    if (yield ctx.call_activity("flag")):\n    {SCORE}{child}'
    answers = f'@wfr.activity(name="flag")\ndef flag(ctx, given):\n    return {read}\n\n\n'
    inside = (child, f"    if {read}:\n    {SCORE}{child}")
    activity = [(child, asks), ("@wfr.workflow", answers + "@wfr.workflow")]
    for what, edits in (("the workflow", [inside]), ("an activity", activity)):
        file.unlink(missing_ok=True)
        release(lab, ORDERS, *edits)
        said(f"flag read by {what}", play(lab, f"flag-{what[-4:]}", count, lambda lab: file.touch(),
                                          later=LATER))  # fmt: skip
    as_before(lab)


# --- SDK ---------------------------------------------------------------------------------------


def sdk(lab: Lab, count: int) -> None:
    """Each app in turn to the next SDK, and back; then a when_all of which one fails."""
    for app, newer in (
        *((app, True) for app in reversed(APPS)),
        *((app, False) for app in APPS),
    ):
        what = f"{app} {'to the next SDK' if newer else 'back'}"
        change = lambda lab, app=app, newer=newer: with_sdk(lab, app, newer)  # noqa: E731
        said(what, play(lab, what.replace(" ", "-"), count, change, later=LATER))
    for what, first, then in (
        ("when_all, one fails; nothing changes", False, False),
        ("when_all, one fails; to the next SDK", False, True),
        ("when_all, one fails; back", True, False),
    ):
        failing(lab, what, first, then)


def failing(lab: Lab, what: str, first: bool, then: bool) -> None:
    """Two calls at once, of which one is refused; then a person is asked, and the SDK changes."""
    text = source(ORDERS)
    body = text[text.index(CHECK) : text.index("# --- start ")]
    both = (body, f"""    try:
        yield wf.when_all([
            ctx.call_activity("refuse", app_id="payments", input=order),
            {CALL}, app_id="payments", input={{"order": order, "amount": 10}}),
        ])
    except wf.TaskFailedError:
        yield ctx.call_child_workflow(
            "approval", app_id="approvals", instance_id=f"approval-{{order}}"
        )
    return "asked"


""")  # fmt: skip
    refuse = ("@wfr.activity", "@wfr.activity(name='refuse')\ndef refuse(ctx, given):\n"
              "    raise ValueError('no')\n\n\n@wfr.activity")  # fmt: skip
    release(lab, "payments", refuse)
    gate = lab.folder / "ledgers" / "bank-is-closed"
    gate.parent.mkdir(exist_ok=True)
    gate.touch()
    with_sdk(lab, ORDERS, first, both)
    names = [f"{what[-4:]}-{first}-{number}" for number in range(3)]  # each holds a thread
    for name in names:
        lab.client(ORDERS).schedule_new_workflow("order", input=name, instance_id=name)
    refused = lambda: all("taskFailed" in lab.run(n).history.kinds for n in names)  # noqa: E731
    wait_until(refused, usual=60)
    if not first:
        wait_until(lambda: all(lab.run(n).history.children for n in names), usual=60)
    asked = [s.name for s in lab.run(names[0]).history.own_steps()]
    with_sdk(lab, ORDERS, then, both)
    if not first:
        approve(lab, names)
    gate.unlink()
    wait_until(lambda: all(lab.run(n).has_ended or lab.run(n).history.children for n in names),
               usual=60)  # fmt: skip
    if first:
        approve(lab, names)
    print(f"    before the change it had asked for {', '.join(asked)}")
    said(what, outcome(lab, [], names))
    with_sdk(lab, ORDERS, False)
    as_before(lab)


def with_sdk(lab: Lab, app: str, newer: bool, *edits: Edit) -> None:
    handle = lab.app(app)
    env = {k: v for k, v in handle.spec.env.items() if k != "PYTHONPATH"}
    path = {"PYTHONPATH": str(sdk_folder(versions.NEXT_PYTHON_SDK))} if newer else {}
    handle.spec = replace(handle.spec, env={**env, **path})
    release(lab, app, *edits)


# --- store -------------------------------------------------------------------------------------


def store(lab: Lab, count: int) -> None:
    """What ended orders cost, and what purging does to them and to their children."""
    client, children = lab.client(ORDERS), lab.client("approvals")
    names = [f"kept-{number}" for number in range(count)]
    place(lab, names)
    kept(lab, f"{count} running")
    approve(lab, names)
    tally(lab, names)
    kept(lab, f"{count} ended")
    began = time.monotonic()
    listed = len(known(lab, ORDERS)), len(known(lab, "approvals"))
    print(f"listed {listed} in {time.monotonic() - began:.3f} s")
    began = time.monotonic()
    for name in names[: count // 2]:
        client.purge_workflow(name)
    print(f"purge of {count // 2}: {time.monotonic() - began:.2f} s")
    kept(lab, "half purged")
    for name in names[count // 2 :]:
        client.purge_workflow(name, recursive=False)
    kept(lab, "the others purged with recursive=False")
    with flying(lab, "purge", 2) as names:
        for what, call, name in (
            ("a parent whose child runs", client, "purge-0"),
            ("a child that runs", children, "approval-purge-0"),
            ("a child that has ended, of a parent that runs", children, "approval-purge-1"),
            ("a parent that runs, whose child is gone", client, "purge-1"),
            ("a name that is not there", client, "nobody"),
        ):
            print(f"purge of {what}: {tried(call.purge_workflow, name)}")
    print("afterwards:", tally(lab, names))
    print("purge of the parent whose child is gone:", tried(client.purge_workflow, "purge-1"))


def known(lab: Lab, app: str) -> list[str]:
    return instance_ids_of(lab.app(app).grpc_address, lab.app(app).shared.token)


def tried(call: Callable[[str], object], name: str) -> str:
    try:
        call(name)
    except (LabError, grpc.RpcError) as problem:
        return str(getattr(problem, "found", "") or problem)
    return "accepted"


def kept(lab: Lab, what: str) -> None:
    """Print rows and bytes that the store holds for each app, and the size of its files."""
    asked = (
        "SELECT substr(key, 1, instr(key, '||') - 1), count(*), sum(length(value))"
        " FROM state GROUP BY 1"
    )
    file = next(lab.folder.rglob("statestore.sqlite"))
    with closing(sqlite3.connect(file)) as db:
        found = db.execute(asked).fetchall()
    size = sum(f.stat().st_size for f in file.parent.glob(f"{file.name}*"))
    print(f"{what}: {found}; files {size / 1000:.0f} kB", flush=True)


# --- replicas ----------------------------------------------------------------------------------

TRIES: Edit = (
    '"receipt", app_id="payments", input=bill',
    '"receipt", app_id="payments", input=bill, retry_policy=wf.RetryPolicy('
    'first_retry_interval=__import__("datetime").timedelta(milliseconds=50),'
    " max_number_of_attempts=8)",
)


def mixed(lab: Lab, app: str, old: list[Edit], new: list[Edit]) -> None:
    """Let the first replica of an app run older code than the second."""
    release(lab, f"{app}#1", *old)
    release(lab, f"{app}#2", *new)


def replicas(lab: Lab, count: int) -> None:
    """Two replicas of one app run different code; the orders wait for nobody."""
    for what, old, new, orders in (
        ("an activity that one of two has", [], [RECEIPT], [ASKS]),
        ("the same, tried up to eight times", [], [RECEIPT], [ASKS, TRIES]),
        ("another result", [], [HALF], []),
        ("a field that only the older code needs", [NEEDS], [], []),
        ("a field that the newer code needs", [], [NEEDS], []),
    ):
        mixed(lab, "payments", old, new)
        mixed(lab, ORDERS, [AT_ONCE, *orders], [AT_ONCE, *orders])
        placed(lab, what, count)
    mixed(lab, "payments", [RECEIPT], [RECEIPT])
    mixed(lab, ORDERS, [AT_ONCE], [AT_ONCE, ASKS])
    placed(lab, "a step that one of two replicas of orders has", count)
    named = ('(name="order")', '(name="order_new")')
    mixed(lab, ORDERS, [AT_ONCE], [AT_ONCE, named])
    placed(lab, "a workflow that one of two has under this name", count)
    mixed(lab, ORDERS, [], [BEFORE])
    names = [f"moved-{number}" for number in range(count)]
    place(lab, names)
    lab.kill("orders#1", announce=False)
    approve(lab, names)
    said("the older replica ends while orders wait for their approval", outcome(lab, [], names))


def placed(lab: Lab, what: str, count: int) -> None:
    """Start orders; print how they end, what came out, and what each replica counts."""
    names = [f"{what.replace(' ', '-')}-{number}" for number in range(count)]
    before = {a.name: done(a) for a in lab.started_apps()}
    began = time.monotonic()
    for name in names:
        lab.client(ORDERS).schedule_new_workflow("order", input=name, instance_id=name)
    seen = tally(lab, names)
    took = time.monotonic() - began
    results = Counter(str(lab.run(name).output) for name in names)
    tries = Counter(
        sum(s.name == "receipt" for s in lab.run(name).history.own_steps()) for name in names
    )
    why = Counter(
        f"{f.error_type}: {f.message}".replace(n, "NAME")[:150]
        for n in names if (f := lab.run(n).failure)
    )  # fmt: skip
    print(f"{what}: {seen}; outputs {dict(results)}; calls of receipt {dict(tries)}; {took:.1f} s")
    for reason, times in why.items():
        print(f"    {times} times {reason}")
    for app in lab.started_apps():
        if now := done(app) - before[app.name]:
            print(f"    {app.name}: {dict(now)}", flush=True)


def done(app: App) -> Counter[str]:
    """Return how many activities and turns a sidecar has counted, by name and status."""
    counted: Counter[str] = Counter()
    for line in app.metrics().splitlines():
        if line.startswith(("dapr_runtime_workflow_activity_execution_count",
                            "dapr_runtime_workflow_execution_count")):  # fmt: skip
            labels, value = line.rsplit(" ", 1)
            told = re.findall(r'(?:activity_name|workflow_name|status)="([^"]*)"', labels)
            counted[" ".join(told)] += int(float(value))
    return counted


PARTS = {
    "code": code, "contract": contract, "deploy": deploy, "drain": drain, "flag": flag,
    "sdk": sdk, "store": store, "replicas": replicas,
}  # fmt: skip


def asked(words: list[str]) -> Iterator[str]:
    known = [word for word in words if word in PARTS]
    yield from known or PARTS


def main(words: list[str]) -> None:
    count = int(words[words.index("--orders") + 1]) if "--orders" in words else 50
    for name in asked(words):
        with (
            tempfile.TemporaryDirectory() as folder,
            Lab(
                write_apps(Path(folder).resolve() / "deployment"),
                replicas={ORDERS: 2, "payments": 2} if name == "replicas" else None,
            ) as lab,
        ):
            lab.up(announce=False)
            print(f"--- {name}: {count} orders", flush=True)
            PARTS[name](lab, count)


if __name__ == "__main__":
    main(sys.argv[1:])
