# %% [markdown] tags=["opening"]
# # Break lab 06.5: find out why the sidecars end
#
# Diagnose sidecars that end while they start. 10 minutes.
#
# The orders team added a store of its own. Since then nothing starts.
#
# Out of scope: hot reload

# %% tags=["setup"]
from grpc import RpcError

from labkit import Lab, LabError, broken, check, diagnose, hint, reset

run_file = broken("two-actor-stores")

# %% [markdown] tags=["text"]
# ## The scenario
#
# Run it now. Run it again after each repair.

# %% tags=["scenario"]
order = {
    "task_id": "task-123",
    "title": "Review PR",
    "assignee_email": "alice@example.com",
    "assignee_user_id": "user-alice",
}


def scenario():
    lab = Lab(run_file)
    try:
        lab.up(within=8, announce=False)
    except LabError as problem:
        print("lab.up:", problem.code)
    try:
        client = lab.client("task-orchestrator-service")
        client.schedule_new_workflow("task_processing_multi_app", input=order, instance_id="order")
        print("status:", lab.run("order").settle())
    except RpcError as problem:
        print(problem.code().name)
    return lab


lab = scenario()

# %% [markdown] tags=["text"]
# ## The symptom, and who knows more
#
# Write down what you see. Then ask: who knows about it? The history, the metadata, the placement table, a log?

# %% tags=["look"]
[p.name for p in lab.processes() if not p.is_alive and "sidecar" in p.name] != []

# %% tags=["look"]
log = lab.app("task-orchestrator-service").logs("sidecar")
"detected duplicate actor state store" in log

# %% [markdown] tags=["text"]
# ## Your diagnosis
#
# One sentence: which part does what wrong, and how do you know?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='cause = ""'>
cause = "Two components say actorStateStore true, so every sidecar ends with a fatal error."
# </solution>
diagnose("two-actor-stores", cause)

# %% [markdown] tags=["text"]
# ## The repair
#
# Edit the files below `.lab/work/two-actor-stores/`: the smallest change that mends the cause. Then run the scenario again. A hint comes in three levels: `hint("two-actor-stores")`.
#
# Open: [dapr.yaml](../.lab/work/two-actor-stores/dapr.yaml), [components/statestore.yaml](../.lab/work/two-actor-stores/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/two-actor-stores/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/two-actor-stores/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("two-actor-stores")
# </solution>
lab = scenario()

# %% tags=["check"]
check("two-actor-stores")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Symptom: sidecars end while starting. The last line of the log names both stores. A sidecar takes exactly one actor state store. Repair: take the property from the new store, or keep the store from these apps with `scopes`.
#
# </details>
#
# Compare it with your sentence. The next break lab is in `exercises/`.

# %% tags=["close"]
lab.down()
