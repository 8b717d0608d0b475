# %% [markdown] tags=["story"]
# All orders are completed, but some take seconds longer than others. Nobody changed the code of the workflow.

# %% tags=["scenario"]
def order(number):
    return {
        "task_id": f"task-{number}",
        "title": "Review PR",
        "assignee_email": "alice@example.com",
        "assignee_user_id": "user-alice",
    }


def scenario(lab):
    lab.up(announce=False)
    settled(lab.app("notification-service").connected_workers, quiet=3)
    client = lab.client("task-orchestrator-service")
    names = [f"order-{number}" for number in range(6)]
    for number, name in enumerate(names):
        given = order(number)
        client.schedule_new_workflow("resilient_task_processing", input=given, instance_id=name)
    print({lab.run(name).settle(40) for name in names})

# %% tags=["look"]
steps = [s for n in range(6) for s in lab.run(f"order-{n}").history.steps()]
print({s.failure.error_type for s in steps if s.outcome == "failed" and s.failure})

# %% tags=["look"]
lab.app("notification-service").metadata()["workflows"]

# %% [markdown] tags=["plan"]
# Two workers with different code are connected under one app ID; half of the mails go to the old one, and the retry policy hides it.

# %% [markdown] tags=["expert"]
# Symptom: COMPLETED, with failed attempts in between: `send_email` was "not registered", and yet other attempts of it succeeded. Both can be true only if two different programs answer. The metadata counts two connected workers. The retry policy made it look healthy: an attempt that reached the old worker failed, and was repeated until one reached the new. With bad luck five in a row reach the old one: then a mail is lost, and the order is COMPLETED all the same. The start script started both. Retries hide faults, so count attempts, and check connectedWorkers after a deployment.
