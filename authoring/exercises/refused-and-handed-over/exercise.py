# %% [markdown] tags=["story"]
# `task_handover` asks two people: the lead for an opinion, the manager for the decision. Only the decision counts. Both send the event `answer`, with `role`, `by` and `approved`. Yesterday the manager refused, and the task was handed over all the same.

# %% tags=["scenario"]
task = {"task_id": "task-123", "title": "Review PR", "assignee_email": "alice@example.com"}
task |= {"lead_email": "lee@example.com", "manager_email": "morgan@example.com"}


def scenario(lab):
    lab.up(announce=False)
    client = lab.client("escalation-service")
    client.schedule_new_workflow("task_handover", input=task, instance_id="order")
    no = {"role": "manager", "by": "morgan", "approved": False}
    yes = {"role": "lead", "by": "lee", "approved": True}
    for answer in (no, yes):
        client.raise_workflow_event("order", "answer", data=answer)
    print("status:", lab.run("order").settle(), lab.run("order").output)

# %% tags=["look"]
for event in lab.run("order").history.events:
    if event.kind == "eventRaised":
        print(event.argument)

# %% tags=["look"]
[row["assignee"] for row in lab.ledger("escalation-service", "assignments")]

# %% [markdown] tags=["plan"]
# Both waits have the same name, so the first event ends the first wait, which is meant for the lead; the code never looks at the role.

# %% [markdown] tags=["expert"]
# Symptom: the output names the lead as the one who decided. The history shows both events, with the right data, and the manager's came first. Two waits of one name are served in the order in which they were made, whoever sends. So the variable `opinion` held the manager's answer.
#
# The name of an event does not say who sent it, so the repair asks the data: take answers one by one and sort them by `role`, until both roles are there. Exchanging the two waits only moves the fault to the days on which the lead is faster. Sorting two answers is not enough either: people click twice.
