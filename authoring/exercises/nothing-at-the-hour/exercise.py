# %% [markdown] tags=["story"]
# A task was assigned, and nobody has done it. Six seconds later the reminder should have been sent, and six seconds after that the question to the manager. The time for the reminder has passed, and the inbox holds one mail. Find out why, and leave whatever is healthy running.

# %% tags=["scenario"]
task = {"task_id": "task-123", "title": "Review PR"}
task |= {"assignee_email": "alice@example.com", "manager_email": "morgan@example.com"}


def scenario(lab):
    lab.up(announce=False)
    client = lab.client("escalation-service")
    client.schedule_new_workflow("task_escalation", input=task, instance_id="order")
    wait_until(lambda: "timer" in [s.kind for s in lab.run("order").history.steps()], 30)
    accident("nothing-at-the-hour", lab)
    print("status:", lab.run("order").settle(8), "- mails:", len(lab.inbox))


# %% tags=["look"]
for step in lab.run("order").history.steps():
    print(step.kind, step.name, step.outcome)

# %% tags=["look"]
for app_id in ("escalation-service", "notification-service"):
    told = lab.app(app_id).metadata()
    print(app_id, told["workflows"], told["actorRuntime"]["placement"])

# %% [markdown] tags=["plan"]
# The timer was due and has not fired although both apps are connected, and the status of the lab shows that the scheduler has ended.

# %% [markdown] tags=["expert"]
# Symptom: the workflow waits for a timer whose time has passed. Both apps have their worker, and both are connected to placement, so calls would find them. Who wakes a workflow at its time? Not its app: the scheduler keeps the reminders. `lab.status()` shows that it has ended, and the log of each sidecar says that it cannot connect to it.
#
# Repair: start the scheduler again. `lab.up()` does so. Its reminders are on disk, so the timer that is overdue fires as soon as the sidecars have found the scheduler again, which takes up to half a minute on 1.18.1. Nothing is lost. An event raised by hand only pushes this one workflow on, and on 1.18.1 such a call does not return while the scheduler is gone.
