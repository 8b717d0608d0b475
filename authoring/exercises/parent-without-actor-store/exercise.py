# %% [markdown] tags=["opening"]
# # Break lab 06.4: find out why no order starts
#
# Diagnose an error that the client gets at once. 10 minutes.
#
# A component was reviewed, and one line was changed. Now no order can be started.
#
# Out of scope: other kinds of stores

# %% tags=["setup"]
from grpc import RpcError

from labkit import Lab, LabError, broken, check, diagnose, hint, reset

run_file = broken("parent-without-actor-store")

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
lab.app("task-orchestrator-service").metadata()["components"][0]["name"]

# %% tags=["look"]
"as actor state store" in lab.app("task-orchestrator-service").logs("sidecar")

# %% [markdown] tags=["text"]
# ## Your diagnosis
#
# One sentence: which part does what wrong, and how do you know?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='cause = ""'>
cause = "The component statestore has actorStateStore false, so no workflow can be kept."
# </solution>
diagnose("parent-without-actor-store", cause)

# %% [markdown] tags=["text"]
# ## The repair
#
# Edit the files below `.lab/work/parent-without-actor-store/`: the smallest change that mends the cause. Then run the scenario again. A hint comes in three levels: `hint("parent-without-actor-store")`.
#
# Open: [dapr.yaml](../.lab/work/parent-without-actor-store/dapr.yaml), [components/statestore.yaml](../.lab/work/parent-without-actor-store/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/parent-without-actor-store/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/parent-without-actor-store/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("parent-without-actor-store")
# </solution>
lab = scenario()

# %% tags=["check"]
check("parent-without-actor-store")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Symptom: the client gets an error at once; it names `actorStateStore`. The metadata shows the component, and cannot show this property. The log can: a sidecar that has an actor state store names it when it starts. Repair: `value: "true"`.
#
# </details>
#
# Compare it with your sentence. The next break lab is in `exercises/`.

# %% tags=["close"]
lab.down()
