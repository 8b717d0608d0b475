# %% [markdown] tags=["story"]
# According to the run file, all apps send their spans to one place. Orders go through, and audits are written. But anyone who looks for an audit in a trace finds none.

# %% [markdown] tags=["scenario"]
# After the repair every step of an order must be in one trace, also for new orders.

# %% tags=["look"]
print(lab.run("order").trace())

# %% tags=["look"]
for app in lab.started_apps():
    print(app.app_id, "has counted steps:", "execution_count{" in app.metrics())

# %% [markdown] tags=["plan"]
# audit-service has a Configuration of its own, which replaces the common one and names no address for spans, so its sidecar sends none.

# %% [markdown] tags=["expert"]
# The steps of the audit ran: history, ledger and counters have them. Only their spans are missing, and all of one app. So ask what that sidecar does with its spans.
#
# An app's own Configuration replaces the common one as a whole. It had a rate and no address. The rate misleads: the call carries the caller's decision to keep the trace, and the called sidecar follows it, with a rate of 0 as well. What it needs is the address.
