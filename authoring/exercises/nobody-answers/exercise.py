# %% [markdown] tags=["opening"]
# # Break lab 06.3: find out why nobody answers
#
# Diagnose a workflow that waits without an error. 12 minutes.
#
# The orchestrator was changed yesterday. Since then orders are accepted, and nobody gets a mail.
#
# Out of scope: namespaces, access policies

# %% tags=["setup"]
import re

from labkit import Lab, broken, check, diagnose, hint, reset

run_file = broken("nobody-answers")

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
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_processing_multi_app", input=order, instance_id="order")
    print("status:", lab.run("order").settle())


lab = Lab(run_file)
scenario(lab)

# %% [markdown] tags=["text"]
# ## The symptom, and who knows more
#
# Write down what you see. Then ask: who knows about it? The history, the metadata, the placement table, a log?

# %% tags=["look"]
[step.name for step in lab.run("order").history.steps()]

# %% tags=["look"]
sorted(app.app_id for app in lab.started_apps())

# %% tags=["look"]
log = lab.app("task-orchestrator-service").logs("sidecar")
print("not found:", set(re.findall("did not find address for actor '([^/]*)", log)))

# %% [markdown] tags=["text"]
# ## Your diagnosis
#
# One sentence: which part does what wrong, and how do you know?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='cause = ""'>
cause = "The orchestrator calls notifications-service, but placement knows only notification-service."
# </solution>
diagnose("nobody-answers", cause)

# %% [markdown] tags=["text"]
# ## The repair
#
# Edit the files below `.lab/work/nobody-answers/`: the smallest change that fixes the cause. Then run the scenario again. A hint comes in three levels: `hint("nobody-answers")`.
#
# Open: [dapr.yaml](../.lab/work/nobody-answers/dapr.yaml), [components/statestore.yaml](../.lab/work/nobody-answers/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/nobody-answers/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/nobody-answers/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("nobody-answers")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("nobody-answers")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Symptom: RUNNING, no error, last step `assign_task`. So the next call was never handed over. Who knows where it should go? The code: `notifications-service`. Who knows who is there? The placement table: `notification-service`. One letter differs. On 1.18.1 a call to an absent app waits for ever: no retry policy and no `except` will ever see it. Repair: the app ID, in one place.
#
# </details>
#
# Compare it with your sentence. All exercises, lesson by lesson: [exercises/README.md](../exercises/README.md).

# %% tags=["close"]
lab.down()
