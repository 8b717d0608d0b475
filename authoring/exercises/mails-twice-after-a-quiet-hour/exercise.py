# %% [markdown] tags=["story"]
# The notification team lets Kubernetes scale its service. Since then, a customer now and then gets a mail twice, always in a quiet hour. The provider of the mails is slow; that cannot be changed.

# %% [markdown] tags=["scenario"]
# In a quiet hour the autoscaler takes a pod away, whatever it is doing. `lab.delete_pod` ends it as a cluster does.

# %% tags=["scenario"]
def scenario(lab):
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("resilient_task_processing", input=order, instance_id="order")
    wait_until(lambda: lab.inbox, within=30, what="the mail has left")
    lab.delete_pod("notification-service", announce=False)
    lab.up("notification-service", announce=False)
    print("status:", lab.run("order").settle(20), "- mails:", len(lab.inbox))

# %% tags=["look"]
# Who knows more? Choose: lab.run("order").history, lab.inbox, lab.app(APP).logs(),
# lab.ledger("notification-service", "attempts"), and the manifests.
# <solution goal="the evidence that you choose; add cells as you need them">
print(len({mail.idempotency_key for mail in lab.inbox}), "key")
print([row["channel"] for row in lab.ledger("notification-service", "attempts")])
# </solution>

# %% [markdown] tags=["plan"]
# The grace period of the pod is shorter than a mail takes, so the service is killed between sending and noting it.

# %% [markdown] tags=["expert"]
# Symptom: one order, two mails with one key, and the ledger has two attempts. The log of the worker stops in the middle of its work: the pod has a grace period of one second, while a mail takes three, so it was killed. So it died between handing the mail over and noting it, and the next pod sent it again. Repair: a grace period longer than the slowest work. A preStop hook and `dapr.io/block-shutdown-duration` alone do not help, for both count against the grace period; `minReplicas` makes it rarer and leaves it possible.
#
# The activity still begins twice: the sidecar is gone before the result can be taken. The note in the ledger makes that harmless, and with several pods the ledger has to be a database.
