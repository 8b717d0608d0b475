# %% [markdown] tags=["story"]
# Express orders get a mail. An order that begins while the service is running is express, so this one is. Then the service was restarted in the middle of it.

# %% tags=["scenario"]
def scenario(lab):
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_processing_multi_app", input=order, instance_id="order")
    wait_until(lambda: len(lab.inbox) == 1)
    lab.kill("task-orchestrator-service", "worker")
    lab.up(announce=False)
    print("status:", lab.run("order").settle(15))

# %% tags=["look"]
print(lab.run("order").failure.error_type)

# %% tags=["look"]
print(lab.run("order").failure.message.split(".")[0])

# %% tags=["look"]
[step.name for step in lab.run("order").history.own_steps()]

# %% [markdown] tags=["plan"]
# After the restart the set in memory is empty, so the replayed code asks for other steps than the history holds.

# %% [markdown] tags=["expert"]
# Symptom: FAILED, right after a restart, with a message about determinism. The history says that the mail was asked for. The code, run again from its start, went the other way: the set in memory was empty in the new process. Workflow code is replayed, so it must come to the same steps every time: from its input and from recorded results only.
