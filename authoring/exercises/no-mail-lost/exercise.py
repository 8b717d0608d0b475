# %% [markdown] tags=["story"]
# To be fast, the orchestrator puts mails into a queue in its memory and says that the task is completed. Then it is killed, as machines sometimes are.

# %% [markdown] tags=["wanted"]
# - after the kill the assignee has exactly one mail
# - the workflow is completed only when the mail has been handed over

# %% tags=["scenario"]
def scenario(lab):
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_processing_multi_app", input=order, instance_id="order")
    print("status:", lab.run("order").settle())
    lab.kill("task-orchestrator-service", "worker")
    lab.up(announce=False)

# %% tags=["look"]
print(lab.run("order").output["notifications_sent"][0])
print("mails:", len(lab.inbox))

# %% [markdown] tags=["plan"]
# The queue in memory dies with the process, so the hand-over itself becomes the step; then the mail is there after the kill.

# %% [markdown] tags=["expert"]
# COMPLETED was a lie of the activity: it said sent when it meant queued. SIGKILL asks nobody, so no clean-up code helps. A step is safe when it is done before it says so: then a kill in the middle makes the runtime do it again. So the hand-over itself becomes the step.
