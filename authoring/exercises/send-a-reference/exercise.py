# %% [markdown] tags=["story"]
# The orchestrator reads a report and sends its text to the model. With short reports that worked. This one has 3,040,000 characters, and the workflow does not end.

# %% [markdown] tags=["wanted"]
# - the workflow completes, and its output is the priority that the model gives
# - the model judges the whole report, not a part of it

# %% tags=["scenario"]
report = run_file.parent / "report.txt"


def scenario(lab):
    size = report.write_text("Production outage. " * 160_000)
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("judge_report", input=str(report), instance_id="report")
    print("characters:", size, "status:", lab.run("report").settle(8))

# %% tags=["look"]
for app_id in ("task-orchestrator-service", "ml-inference-service"):
    print(app_id, "logs 'larger than max':", "larger than max" in lab.app(app_id).logs("sidecar"))

# %% [markdown] tags=["plan"]
# The text is larger than the scheduler takes, so I send the path; then the workflow completes, and the model's log says the full size.

# %% [markdown] tags=["expert"]
# Symptom: RUNNING, no call in the history, and both sidecars say `larger than max`. The input of a remote activity goes through the scheduler, which takes 2 MiB, and a call that is refused there is tried again for ever. Nothing is raised, so no policy helps. The report need not be sent: both apps can read it, so its path is enough.
