# %% [markdown] tags=["story"]
# `mail-service` runs with two replicas. The provider behind it takes three mails at once and charges extra for any mail above that. A limit of three is deployed; the bill says that it limits nothing.

# %% [markdown] tags=["scenario"]
# The provider holds every mail, so that you can count them. Wanted: never more than three there at the same time, whatever the number of replicas, and in the end one mail for each customer.

# %% tags=["scenario"]
def scenario(lab):
    lab.up(announce=False)
    lab.mail_server.limit(at_once=0)
    client = lab.client("order-desk")
    for number in range(12):
        order = {"to": f"customer-{number}@example.com", "attempts": 1}
        client.schedule_new_workflow("order", input=order, instance_id=f"order-{number}")
    more = wait_until(lambda: lab.mail_server.waiting(), 30)
    print("the provider has mails:", more > 0)

# %% tags=["look"]
print("more than three at the provider:", lab.mail_server.waiting() > 3)

# %% [markdown] tags=["plan"]
# The limit is read by the sidecar of order-desk, where no mail is sent; I move it to mail-service and count over all replicas.

# %% [markdown] tags=["expert"]
# A Configuration acts in the sidecar that reads it, and limits what runs in its app. `order-desk` runs workflows and no activity that sends. At `mail-service` the line `globalMaxConcurrentActivityInvocations` is counted by the scheduler for all replicas together; `maxConcurrentActivityInvocations` would be counted in each sidecar, so two replicas would hand over six. The scheduler's metrics show the queue.
