# %% [markdown] tags=["story"]
# Express orders get a mail. So far every order is an express order, this one too. While it was running, the service was restarted, and the order failed. An order like this one has to survive that and get its one mail, on any machine and however long it has waited.

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
failure = lab.run("order").failure
print(failure.error_type if failure else "no failure")

# %% tags=["look"]
failure = lab.run("order").failure
print(failure.message.split(".")[0] if failure else "no failure")

# %% tags=["look"]
[step.name for step in lab.run("order").history.own_steps()]

# %% [markdown] tags=["plan"]
# After the restart the set in memory is empty, so the replayed code asks for other steps than the history holds.

# %% [markdown] tags=["expert"]
# Symptom: FAILED, right after a restart, with a message about determinism. The history says that the mail was called. The code ran again from its start and skipped the mail, because the set in memory was empty in the new process. Workflow code is replayed, so it must come to the same steps every time, on any machine: it may use only its input and recorded results, never memory, files or variables of the process.
