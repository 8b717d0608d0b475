# %% [markdown] tags=["opening"]
# # Exercise 05.2: let the model judge a long report
#
# Replace a large payload by a reference. 15 minutes.
#
# The orchestrator reads a report and sends its text to the model. With short reports that worked. This one has 3,040,000 characters, and the workflow does not end.
#
# Out of scope: object stores, compression

# %% tags=["setup"]
from labkit import Lab, begin, check, diagnose, hint, reset

run_file = begin("send-a-reference")

# %% [markdown] tags=["text"]
# ## What is wanted
#
# - the workflow completes
# - the model judges the whole report, not a part of it
#
# Run the scenario now, to see where you stand. Run it again after each change.

# %% tags=["scenario"]
report = run_file.parent / "report.txt"


def scenario(lab):
    size = report.write_text("Production outage. " * 160_000)
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("judge_report", input=str(report), instance_id="report")
    print("characters:", size, "status:", lab.run("report").settle(8))


lab = Lab(run_file)
scenario(lab)

# %% tags=["look"]
for app_id in ("task-orchestrator-service", "ml-inference-service"):
    print(app_id, "logs 'larger than max':", "larger than max" in lab.app(app_id).logs("sidecar"))

# %% [markdown] tags=["text"]
# ## Your plan
#
# One sentence: what do you change, and where will you see that it works?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='plan = ""'>
plan = "The text is larger than the scheduler takes, so I send the path; then the workflow completes, and the model's log tells the full size."
# </solution>
diagnose("send-a-reference", plan)

# %% [markdown] tags=["text"]
# ## Your change
#
# The files are below `.lab/work/send-a-reference/`; you need `task-orchestrator-service/main.py`. `run_ml_inference` takes `title`, or `file`: a path that it reads itself. A hint comes in three levels: `hint("send-a-reference")`.
#
# Open: [dapr.yaml](../.lab/work/send-a-reference/dapr.yaml), [components/statestore.yaml](../.lab/work/send-a-reference/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/send-a-reference/task-orchestrator-service/main.py), [ml-inference-service/main.py](../.lab/work/send-a-reference/ml-inference-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("send-a-reference")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("send-a-reference")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Symptom: RUNNING, no call in the history, and both sidecars say `larger than max`. The input of a remote activity goes through the scheduler, which takes 2 MiB, and a call that is refused there is tried again for ever. Nothing is raised, so no policy helps. The report need not travel: both apps can read it, so its name is enough.
#
# </details>
#
# Compare it with your sentence. To start over: `reset("send-a-reference")`; your files are kept.

# %% tags=["close"]
lab.down()
