# %% [markdown] tags=["opening"]
# # Exercise 05.1: let the model do one thing at a time
#
# Set a concurrency limit where the work is done. 12 minutes.
#
# Two workflows let the model explain three titles each. The model's machine has room for one explanation at a time, whoever asks.
#
# Out of scope: limits for workflows

# %% tags=["setup"]
from labkit import Lab, begin, check, diagnose, hint, reset

run_file = begin("one-at-a-time")

# %% [markdown] tags=["text"]
# ## What is wanted
#
# - never more than one inference runs at the same time
# - all six are done
# - the callers need not know
#
# Run the scenario now, to see where you stand. Run it again after each change.

# %% tags=["scenario"]
def scenario(lab):
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    for name in ("one", "two"):
        titles = ["outage in the wiki " * 60] * 3
        client.schedule_new_workflow("judge_many", input=titles, instance_id=name)
    print("status:", lab.run("one").settle(30), lab.run("two").settle(30))


lab = Lab(run_file)
scenario(lab)

# %% tags=["look"]
rows = lab.ledger("ml-inference-service", "inferences")
"some overlap:", any(a["started"] < b["started"] < a["ended"] for a in rows for b in rows)

# %% [markdown] tags=["text"]
# ## Your plan
#
# One sentence: what do you change, and where will you see that it works?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='plan = ""'>
plan = "The Configuration of the model's sidecar allows one activity at a time; the rows of the ledger will not overlap."
# </solution>
diagnose("one-at-a-time", plan)

# %% [markdown] tags=["text"]
# ## Your change
#
# The files are below `.lab/work/one-at-a-time/`; you need `ml-inference-service/config.yaml`. A hint comes in three levels: `hint("one-at-a-time")`.
#
# Open: [dapr.yaml](../.lab/work/one-at-a-time/dapr.yaml), [components/statestore.yaml](../.lab/work/one-at-a-time/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/one-at-a-time/task-orchestrator-service/main.py), [ml-inference-service/main.py](../.lab/work/one-at-a-time/ml-inference-service/main.py), [ml-inference-service/config.yaml](../.lab/work/one-at-a-time/ml-inference-service/config.yaml).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("one-at-a-time")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("one-at-a-time")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Only the target knows how much it can do, and only its sidecar sees all callers. A loop in one caller does not bind the other caller, and a limit in the caller's Configuration binds activities that run there. With the limit at the target the other calls wait in the runtime: nothing fails and no caller changes.
#
# </details>
#
# Compare it with your sentence. To start over: `reset("one-at-a-time")`; your files are kept.

# %% tags=["close"]
lab.down()
