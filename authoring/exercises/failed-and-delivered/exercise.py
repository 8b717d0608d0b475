# %% [markdown] tags=["story"]
# It is sale day, and twelve orders come at once. The provider delivers two mails at once and lets the others wait in line. Some orders fail, and their customers call: they have got the mail, some of them several times.

# %% [markdown] tags=["scenario"]
# Wanted: the provider never has more than two mails at the same time, no order fails, and each customer gets one mail.

# %% tags=["scenario"]
def scenario(lab):
    lab.up(announce=False)
    lab.mail_server.limit(at_once=2, seconds=0.9)
    client = lab.client("order-desk")
    ids = [f"order-{number}" for number in range(12)]
    for id in ids:
        order = {"to": f"customer-{id}@example.com", "attempts": 3}
        client.schedule_new_workflow("order", input=order, instance_id=id)
    print("orders:", *sorted({lab.run(id).settle(10) for id in ids}))

# %% tags=["look"]
print("more mails at the provider than orders:", len(lab.mail_server.tries()) > 12)

# %% [markdown] tags=["plan"]
# The Configuration of mail-service limits turns of workflows, and mail-service runs only activities: so nothing is kept back, and tries that were given up pile up at the provider.

# %% [markdown] tags=["expert"]
# The mails of orders that failed show that the provider works for callers who have left: a retry storm. Backoff would soften it; only a limit at the target prevents it. There is one, but `maxConcurrentWorkflowInvocations` counts turns of workflows in this sidecar, and `mail-service` hosts none. `maxConcurrentActivityInvocations` counts what it does do.
