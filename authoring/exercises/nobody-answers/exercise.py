# %% [markdown] tags=["story"]
# The orchestrator was changed yesterday. Since then it accepts orders, and nobody gets a mail. Other teams call notification-service as before, and their mails arrive.

# %% tags=["look"]
# Who knows more? Choose: lab.run("order").history, .failure or .show(); lab.status();
# lab.placement_state(); and of lab.app(app_id): metadata(), logs() or logs("sidecar").
# <solution goal="the evidence that you choose; add cells as you need them">
print([step.name for step in lab.run("order").history.steps()])
for namespace, table in lab.placement_state()["tables"].items():
    print(f"placement, {namespace}:", sorted(host["id"] for host in table["hosts"]))
log = lab.app("task-orchestrator-service").logs("sidecar")
print("not found:", set(re.findall("did not find address for actor '([^/]*)", log)))
# </solution>

# %% [markdown] tags=["plan"]
# The orchestrator calls notifications-service, but placement knows only notification-service.

# %% [markdown] tags=["expert"]
# Symptom: RUNNING, no error, last step `assign_task`. So the next call was never handed over. Where should it go? The code says `notifications-service`. Which apps are running? The placement table says `notification-service`. One letter differs. On 1.18.1 a call to an absent app waits for ever: no retry policy and no `except` will ever see it. Repair: correct the app ID where it is defined. To rename the app would break the calls of the other teams.
