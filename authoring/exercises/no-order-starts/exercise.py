# %% [markdown] tags=["opening"]
# # Break lab 06.6: find out why no order starts
#
# Diagnose an error that the client gets at once. 10 minutes.
#
# A component was reviewed, and one line was changed. Now no order can be started.
#
# Out of scope: other kinds of stores

# %% tags=["setup"]
from grpc import RpcError

from labkit import Lab, LabError, broken, check, diagnose, hint, reset

run_file = broken("no-order-starts")

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
component = lab.app("task-orchestrator-service").metadata()["components"][0]
print(component["name"], component["type"])

# %% tags=["look"]
for app in lab.started_apps():
    log = app.logs("sidecar")
    print(app.app_id, "names its actor state store in the log:", "as actor state store" in log)

# %% [markdown] tags=["text"]
# ## Your diagnosis
#
# One sentence: which part does what wrong, and how do you know?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='cause = ""'>
cause = "The component statestore has actorStateStore false, so no workflow can be kept."
# </solution>
diagnose("no-order-starts", cause)

# %% [markdown] tags=["text"]
# ## The repair
#
# Edit the files below `.lab/work/no-order-starts/`: the smallest change that fixes the cause. Then run the scenario again. A hint comes in three levels: `hint("no-order-starts")`.
#
# Open: [dapr.yaml](../.lab/work/no-order-starts/dapr.yaml), [components/statestore.yaml](../.lab/work/no-order-starts/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/no-order-starts/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/no-order-starts/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("no-order-starts")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("no-order-starts")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Symptom: the client gets an error at once; it names `actorStateStore`. The metadata shows the component, and cannot show this property. The log can: a sidecar that has an actor state store names it when it starts. Repair: `value: "true"`.
#
# </details>
#
# Compare it with your sentence. All exercises, lesson by lesson: [exercises/README.md](../exercises/README.md).

# %% tags=["close"]
lab.down()
