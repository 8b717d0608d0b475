# %% [markdown] tags=["story"]
# To be fast, the orchestrator puts mails into a queue in its memory and says that they are sent. Then its process is killed.

# %% [markdown] tags=["wanted"]
# - the assignee gets exactly one mail, even when the orchestrator is killed
# - the workflow completes only after the mail has been handed over
# - `notification-service` sends the mail: it already has an activity for that

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
# The queue is lost when the process is killed, so I make the hand-over itself a step of the workflow; the mail will be in the inbox before the workflow ends.

# %% [markdown] tags=["expert"]
# The activity answered "sent" when the mail was only in a queue, so COMPLETED was not true. A SIGKILL leaves no time for clean-up code. An activity is safe when it does the work before it answers: if the process dies before the answer, the runtime runs the activity again. So the hand-over itself becomes the step.
