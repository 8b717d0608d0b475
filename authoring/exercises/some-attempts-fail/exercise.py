# %% [markdown] tags=["opening"]
# # Break lab 07.6: find out why some attempts fail
#
# Locate the cause of failures that retries hide. 18 minutes.
#
# All orders are completed, but some take seconds longer than others. Nobody changed the code of the workflow.
#
# Out of scope: replicas of one version

# %% tags=["setup"]
from labkit import Lab, broken, check, diagnose, hint, reset, settled

run_file = broken("some-attempts-fail")

# %% [markdown] tags=["text"]
# ## The scenario
#
# Run it now. Run it again after each repair.

# %% tags=["scenario"]
def order(number):
    return {
        "task_id": f"task-{number}",
        "title": "Review PR",
        "assignee_email": "alice@example.com",
        "assignee_user_id": "user-alice",
    }


def scenario(lab):
    lab.up(announce=False)
    settled(lab.app("notification-service").connected_workers, quiet=3)
    client = lab.client("task-orchestrator-service")
    names = [f"order-{number}" for number in range(6)]
    for number, name in enumerate(names):
        given = order(number)
        client.schedule_new_workflow("resilient_task_processing", input=given, instance_id=name)
    print({lab.run(name).settle(40) for name in names})


lab = Lab(run_file)
scenario(lab)

# %% [markdown] tags=["text"]
# ## The symptom, and who knows more
#
# Write down what you see. Then ask: who knows about it? The history, the metadata, the placement table, a log?

# %% tags=["look"]
steps = [s for n in range(6) for s in lab.run(f"order-{n}").history.steps()]
print({s.failure.error_type for s in steps if s.outcome == "failed" and s.failure})

# %% tags=["look"]
lab.app("notification-service").metadata()["workflows"]

# %% [markdown] tags=["text"]
# ## Your diagnosis
#
# One sentence: which part does what wrong, and how do you know?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='cause = ""'>
cause = "Two workers with different code are connected under one app ID; half of the mails go to the old one, and the retry policy hides it."
# </solution>
diagnose("some-attempts-fail", cause)

# %% [markdown] tags=["text"]
# ## The repair
#
# Edit the files below `.lab/work/some-attempts-fail/`: the smallest change that fixes the cause. Then run the scenario again. A hint comes in three levels: `hint("some-attempts-fail")`.
#
# Open: [dapr.yaml](../.lab/work/some-attempts-fail/dapr.yaml), [components/statestore.yaml](../.lab/work/some-attempts-fail/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/some-attempts-fail/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/some-attempts-fail/notification-service/main.py), [notification-service/start.sh](../.lab/work/some-attempts-fail/notification-service/start.sh), [notification-service/last_year.py](../.lab/work/some-attempts-fail/notification-service/last_year.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("some-attempts-fail")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("some-attempts-fail")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Symptom: COMPLETED, with attempts that failed in between, because a name was not registered that certainly is. Both can be true only if two different programs answer. The metadata counts two connected workers. The retry policy made it look healthy: an attempt that met the old worker failed, and was made again until one met the new. With bad luck five in a row meet the old one: then a mail is lost, and the order is COMPLETED all the same. The start script started both. Retries hide faults, so count attempts, and check connectedWorkers after a deployment.
#
# </details>
#
# Compare it with your sentence. All exercises, lesson by lesson: [exercises/README.md](../exercises/README.md).

# %% tags=["close"]
lab.down()
