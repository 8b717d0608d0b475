# %% [markdown] tags=["story"]
# Since last week mTLS is on and a policy says who may call whom. The mail of each order arrives, the audit is in the ledger, nothing has failed, all processes run. And the orders do not end.

# %% tags=["look"]
[(step.name, step.app_id, step.outcome) for step in lab.run("order").history.steps()]

# %% tags=["look"]
# Who knows more? Choose: lab.app(APP).logs(), lab.app(APP).logs("sidecar"), .metadata(),
# lab.ledger("audit-service", TABLE), and the files.
# <solution goal="the evidence that you choose; add cells as you need them">
for app in lab.started_apps():
    log = app.logs("sidecar").splitlines()
    print(app.app_id, "says denied:", any("PermissionDenied" in line for line in log))
# </solution>

# %% [markdown] tags=["plan"]
# audit-service cannot bring back the result of its workflow: the policy is in sight of the orchestrator too, and refuses it.

# %% [markdown] tags=["expert"]
# Symptom: parent and child RUNNING, the work of the child is done, no failure. The history shows the last step of the child as running: the turn that would record its result also has to bring the child's result back, is refused, and is tried again each second. Who can know: the sidecar that brings the result back; its log names AddWorkflowEvent, the app that refuses, and the policy. A result is no operation that a rule could allow, so no rule helps. Repair: scope the policy to the apps that are called, and not to their caller.
