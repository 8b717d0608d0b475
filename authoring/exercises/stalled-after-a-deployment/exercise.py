# %% [markdown] tags=["story"]
# Since the release of this morning, orders that were under way do not go on after their approval: some fail, and those of yesterday stand still. Orders that are placed today are fine. Nothing that is under way may be lost, and nobody may be charged twice.

# %% [markdown] tags=["scenario"]
# There are three releases. The order `old` is placed under the first, `order` under yesterday's (`orders/yesterday.py`), and `new` under today's (`orders/main.py`). Then all are approved.

# %% tags=["scenario"]
from labkit import paths

FIRST = paths.repo() / "services" / "in-flight" / "orders" / "main.py"


def release(lab, program):
    file = lab.folder / "ledgers" / "orders.sqlite.release"
    file.parent.mkdir(exist_ok=True)
    file.write_text(str(program))
    if lab.started_apps():
        lab.restart("orders", "worker", announce=False)


def place(lab, name):
    lab.client("orders").schedule_new_workflow("order", input=name, instance_id=name)
    wait_until(lambda: lab.run(name).history.children, 60)

# %% tags=["scenario"]
def scenario(lab):
    release(lab, FIRST)
    lab.up(announce=False)
    place(lab, "old")
    release(lab, "yesterday.py")
    place(lab, "order")
    release(lab, "main.py")
    place(lab, "new")
    for name in ("old", "order", "new"):
        lab.client("approvals").raise_workflow_event(f"approval-{name}", "approved")
    for name in ("old", "order", "new"):
        print(name, lab.run(name).settle())


# %% tags=["look"]
{name: [s.name for s in lab.run(name).history.own_steps()] for name in ("old", "order", "new")}

# %% tags=["look"]
lab.run("order").show()

# %% [markdown] tags=["plan"]
# The release took out is_patched: the history of order says that it took the patch, the code of today has none, so the runtime holds it; I put the condition back at its place and under its name.

# %% [markdown] tags=["expert"]
# Symptom: one instance is STALLED, with `PATCH_MISMATCH. History patches: [score], current patches: []`. So its history was written by code with a patch `score`, and the code of today has none. `old` is FAILED for the same edit: it is older than the patch, and the code of today asks for a step that it never had.
#
# A patch may be taken out when no instance is in flight that was begun before it, nor one that has taken it. Until then the line is part of those histories: same name, same place. STALLED is the kind one of the two faults: it ends with the repair. FAILED is final, so test a clean-up as you test a change: replay what is in flight.
