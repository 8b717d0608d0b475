# %% [markdown] tags=["story"]
# The compliance team runs `audit-service` in the cluster already, as an ordinary service without Dapr. From now on, the workflow `task_with_audit` calls its audit as a child workflow.

# %% [markdown] tags=["wanted"]
# - `task_with_audit` completes, and its audit runs in the app `audit-service`
# - `task_processing_multi_app` works as before
# - `./lab preflight` finds nothing broken in the manifests
#
# You change manifests only.

# %% tags=["look"]
print(*lab.not_shown, sep="\n")

# %% [markdown] tags=["plan"]
# audit-service gets a sidecar, the namespace of its caller and a place in the scopes of the store; the placement table will list it.

# %% [markdown] tags=["expert"]
# Three requirements, three places. The annotations belong to the pod template: on the Deployment nobody reads them. The app ID is the one that the workflow calls. A workflow never leaves its namespace, so the Deployment moves to `tasks`, and its ConfigMap with it: a pod sees only those of its own. And it hosts a workflow, so it needs the actor state store: the component's `scopes` name it. Moving the others to `compliance` is as right, and more work.
