"""Orders: checked here, approved by a person in another app, charged in a third."""

import signal

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.activity(name="check")
def check(ctx: wf.WorkflowActivityContext, order: str) -> None:
    """Check an order."""


@wfr.activity(name="score")
def score(ctx: wf.WorkflowActivityContext, order: str) -> None:
    """Score the risk of an order; no workflow asks for it yet."""


# --- workflows -------------------------------------------------------------------------------


@wfr.workflow(name="order")
def order(ctx: wf.DaprWorkflowContext, order: str):
    """Take an order; return what was charged."""
    yield ctx.call_activity(check, input=order)
    yield ctx.call_child_workflow("approval", app_id="approvals", instance_id=f"approval-{order}")
    bill = {"order": order, "amount": 10}
    paid = yield ctx.call_activity("charge", app_id="payments", input=bill)
    return paid["charged"]


# --- start -----------------------------------------------------------------------------------

if __name__ == "__main__":
    wfr.start()
    signal.pause()
