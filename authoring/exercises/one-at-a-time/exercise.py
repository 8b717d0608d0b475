# %% [markdown] tags=["story"]
# Two workflows let the model explain three titles each. The model's machine has room for one explanation at a time, whoever asks.

# %% [markdown] tags=["wanted"]
# - never more than one inference runs at the same time, whoever asks
# - all six titles are explained
# - the callers need not know: they ask for all of their titles at once, as now

# %% tags=["scenario"]
def scenario(lab):
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    for name in ("one", "two"):
        titles = ["outage in the wiki " * 60] * 3
        client.schedule_new_workflow("judge_many", input=titles, instance_id=name)
    print("status:", lab.run("one").settle(30), lab.run("two").settle(30))

# %% tags=["look"]
rows = lab.ledger("ml-inference-service", "inferences")
"some overlap:", any(a["started"] < b["started"] < a["ended"] for a in rows for b in rows)

# %% [markdown] tags=["plan"]
# The Configuration of the model's sidecar allows one activity at a time; the rows of the ledger will not overlap.

# %% [markdown] tags=["expert"]
# Only the target knows how much it can do, and only its sidecar sees all callers. A loop in one caller does not bind another caller, and a limit in the caller's Configuration applies to activities that run there. With the limit at the target the other calls wait in the runtime: nothing fails, and no caller changes.
