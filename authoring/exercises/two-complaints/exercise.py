# %% [markdown] tags=["story"]
# Two complaints came in one night. A user writes that no push has arrived for days. The auditors write that every single audit finds something. All orders are completed, no process has ended, no log has an error. Both have to be gone in the morning.

# %% [markdown] tags=["scenario"]
# One order sends a push, the other is audited.

# %% tags=["scenario"]
order = {
    "task_id": "task-123",
    "title": "Review PR",
    "assignee_email": "alice@example.com",
    "assignee_user_id": "user-alice",
}


def scenario(lab):
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    for id, name in (("order", "task_processing_multi_app"), ("audited", "task_with_audit")):
        client.schedule_new_workflow(name, input={**order, "task_id": id}, instance_id=id)
        print(id, "-", lab.run(id).settle())


# %% tags=["look"]
# Your questions: lab.status(), lab.run(id).history, .output, lab.app(app_id).logs(), .metadata(),
# curl(lab.app(app_id), "/v1.0/metadata"), lab.inbox, lab.ledger(app_id, table) and the files.
# <solution goal="the evidence that you choose, for each complaint; add cells as you need them">
print("pushes to:", [row["user_id"] for row in lab.ledger("notification-service", "pushes")])
print("alerts:", [row["violations"] for row in lab.ledger("audit-service", "alerts")])
(child,) = lab.run("audited").history.children
sent = next(e.argument for e in child.events if e.kind == "executionStarted")
print("the audit was given:", sorted(sent))
# </solution>

# %% [markdown] tags=["plan"]
# The orchestrator sends pushes to the e-mail address in place of the user ID, and the time of the audit as time, where the rule reads timestamp.

# %% [markdown] tags=["expert"]
# Symptom: COMPLETED, twice. So nothing is lost on the way, and no runtime can know: each call was answered. Who can know? Those who noted what they were given. The ledger of `notification-service` has the push, for a user who is an e-mail address. The ledger of `audit-service` has the alert, and it names the rule: "timestamp is missing". The history holds what the parent has sent: a field `time`, no `timestamp`.
#
# Both faults are in what the caller says, and neither has to do with the other. So there are two hypotheses, two pieces of evidence, two fixes, and two proofs. To take the rule out would end the complaint of the auditors, and the audit.
