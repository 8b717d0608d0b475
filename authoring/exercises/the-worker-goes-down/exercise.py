# %% [markdown] tags=["story"]
# The notification service fills in its mails with `renderer.py`, which another team maintains. Since this morning the service goes down, is started again, and goes down again. Other orders are late, or wait.

# %% [markdown] tags=["scenario"]
# `poison` is the order of this morning, `next` the one after it. `supervise` starts again what has ended, as an operating system would.
#
# After the repair, `poison` ends with the status `set aside` and without a mail, after the service has gone down four times at most, and `next` is carried out as before. `renderer.py` stays as it is: it is not yours, and tomorrow another text may end it.

# %% tags=["scenario"]
from contextlib import suppress


def supervise(lab, id):
    """Start again what has ended, up to five times, until a workflow has ended."""
    for _ in range(5):
        with suppress(LabError):
            wait_until(lambda: lab.run(id).has_ended or lab.troubles(), 60)
        if not lab.troubles():
            break
        with suppress(LabError):
            lab.up(announce=False)


def scenario(lab):
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    for id, title in (("poison", "Review 100 %s"), ("next", "Review PR")):
        given = {**order, "title": title, "assignee_email": f"{id}@example.com"}
        client.schedule_new_workflow("task_processing_multi_app", input=given, instance_id=id)
        supervise(lab, id)
    print("poison:", lab.run("poison").status)


# %% tags=["look"]
[step.name for step in lab.run("poison").history.steps()]

# %% tags=["look"]
rows = lab.ledger("notification-service", "attempts")
len({row["key"] for row in rows if row["recipient"] == "poison@example.com"})

# %% [markdown] tags=["plan"]
# The activity of one order ends its own process, so it is never recorded as failed and is handed out again after each start; the service has to count its runs durably and give up.

# %% [markdown] tags=["expert"]
# Symptom: the service goes down without a word in its log, each time right after it has started. The ledger shows one key, again and again: one call, and no end of it. A process that is gone can report no failure, so there is nothing that a retry policy could count and no `except` could catch. The runtime hands the call out again, for ever.
#
# Two repairs work. Count the runs of a key where it survives the process, before the dangerous line, and raise an error after some of them. Or run the dangerous line in a process of its own, whose end is an exit code. Either way the error is recorded, and the workflow can set the order aside. A race with a timer only ends the workflow; the call is handed out again, and the service keeps going down.
