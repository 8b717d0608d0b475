"""Approvals: each waits for a person."""

import signal

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.workflow(name="approval")
def approval(ctx: wf.DaprWorkflowContext, given: None):
    """Wait until somebody approves."""
    yield ctx.wait_for_external_event("approved")


if __name__ == "__main__":
    wfr.start()
    signal.pause()
