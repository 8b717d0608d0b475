# %% [markdown] tags=["story"]
# Three teams own the orchestrator, the notifications and the audit. Today all decisions are in the orchestrator. Five change requests are coming, and each team wants to deliver its own: as environment variables of its own app, with no restart of any other. Three faults must not hurt.

# %% [markdown] tags=["wanted"]
# Choose an architecture, and change the services so that these requests can be delivered. Without the variables, all is as today.
#
# | delivered to | variable | what it does |
# |---|---|---|
# | `notification-service` | `SUBJECT` | the subject of each mail is `SUBJECT: TITLE`; without it `Task assigned: TITLE` |
# | `notification-service` | `ARCHIVE` | one mail for each order goes to this address, too |
# | `notification-service` | `ATTEMPTS` | the number of attempts for each mail; without it, three |
# | `audit-service` | `RECEIPTS` | with any value, a step `write_receipt` runs in `audit-service` for each entry |
# | `task-orchestrator-service` | `LEAD` | this address gets a mail, too |
#
# - when the orchestrator is killed during the first mail, the second leaves while it is away
# - when `audit-service` is away, the mails leave nevertheless
# - when every mail is refused, the order completes

# %% tags=["scenario"]
order = {
    "task_id": "task-123",
    "title": "Review PR",
    "user_id": "alice",
    "email": "alice@example.com",
    "manager_email": "boss-of-alice@example.com",
}


def scenario(lab):
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_processing", input=order, instance_id="order")
    print("status:", lab.run("order").settle(), "mails:", len(lab.inbox))


# %% tags=["look"]
[(step.name, step.app_id) for step in lab.run("order").history.own_steps()]

# %% [markdown] tags=["plan"]
# I choose domain-specific workflows: the campaign and the audit are changed and tried by their teams, and a campaign goes on without the orchestrator. The price is that the history of an order lies in three apps.

# %% [markdown] tags=["expert"]
# For each request ask who gets it, and which app decides that matter. Wording, archive and attempts are decided within a campaign; the receipt within an audit; who is informed comes from the order. So two domains need a workflow of their own, and the list of people stays with the orchestrator. The order of the two calls decides what an absent audit stops.
