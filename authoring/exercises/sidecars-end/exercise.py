# %% [markdown] tags=["opening"]
# # Break lab 06.7: find out why the sidecars end
#
# Diagnose sidecars that end while they start. 10 minutes.
#
# The orders team added a store of its own. Since then nothing starts.
#
# Out of scope: hot reload

# %% tags=["setup"]
import re

from grpc import RpcError

from labkit import Lab, LabError, broken, check, diagnose, hint, reset

run_file = broken("sidecars-end")

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


def scenario(lab):
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


lab = Lab(run_file)
scenario(lab)

# %% [markdown] tags=["text"]
# ## The symptom, and who knows more
#
# Write down what you see. Then ask: who knows about it? The history, the metadata, the placement table, a log?

# %% tags=["look"]
ended = [p.name for p in lab.processes() if not p.is_alive]
print("a sidecar has ended:", any("sidecar" in name for name in ended))

# %% tags=["look"]
log = lab.app("task-orchestrator-service").logs("sidecar")
failed = re.findall('msg="Failed to init component (.*?)"', log)
print(failed[0].split(": ")[1])

# %% [markdown] tags=["text"]
# ## Your diagnosis
#
# One sentence: which part does what wrong, and how do you know?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='cause = ""'>
cause = "Two components say actorStateStore true, so every sidecar ends with a fatal error."
# </solution>
diagnose("sidecars-end", cause)

# %% [markdown] tags=["text"]
# ## The repair
#
# Edit the files below `.lab/work/sidecars-end/`: the smallest change that fixes the cause. Then run the scenario again. A hint comes in three levels: `hint("sidecars-end")`.
#
# Open: [dapr.yaml](../.lab/work/sidecars-end/dapr.yaml), [components/statestore.yaml](../.lab/work/sidecars-end/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/sidecars-end/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/sidecars-end/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("sidecars-end")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("sidecars-end")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Symptom: sidecars end while starting. The last line of the log names both stores. A sidecar takes exactly one actor state store. Repair: take the property from the new store, or keep the store from these apps with `scopes`.
#
# </details>
#
# Compare it with your sentence. All exercises, lesson by lesson: [exercises/README.md](../exercises/README.md).

# %% tags=["close"]
lab.down()
