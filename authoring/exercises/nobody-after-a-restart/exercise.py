# %% [markdown] tags=["story"]
# Six seconds after a task is assigned, `task_escalation` calls notification-service for the reminder. In between, notification-service was started again, because of a new version. It runs, its worker is connected, and no reminder arrives. Find out why, and let whatever is well go on running.

# %% tags=["scenario"]
task = {"task_id": "task-123", "title": "Review PR"}
task |= {"assignee_email": "alice@example.com", "manager_email": "morgan@example.com"}


def scenario(lab):
    lab.up(announce=False)
    client = lab.client("escalation-service")
    client.schedule_new_workflow("task_escalation", input=task, instance_id="order")
    wait_until(lambda: "timer" in [s.kind for s in lab.run("order").history.steps()], 30)
    accident("nobody-after-a-restart", lab)
    print("status:", lab.run("order").settle(8), "- mails:", len(lab.inbox))


# %% tags=["look"]
for step in lab.run("order").history.steps():
    print(step.kind, step.name, step.outcome)

# %% tags=["look"]
for app_id in ("escalation-service", "notification-service"):
    told = lab.app(app_id).metadata()
    print(app_id, told["workflows"], told["actorRuntime"]["placement"])

# %% [markdown] tags=["plan"]
# Both sidecars say that they are disconnected from placement, and the status of the lab shows that placement has ended, so no call can find its app.

# %% [markdown] tags=["expert"]
# Symptom: both apps are healthy, both workers are connected, and the workflow does not go on. The restart of notification-service is the last thing that everybody remembers, and not the cause. Who knows where an app runs? Placement. Both sidecars say `placement: disconnected`, and `lab.status()` shows that it has ended.
#
# Repair: start placement again, by `lab.up()`. The sidecars connect, announce what their workers offer, and the workflow goes on: nothing was lost. Placement keeps nothing on disk that is needed for that. To restart the services again and again does not help as long as nobody can say where they are.
