"""Stands in for notification-service: refuses each mail in a way that no policy tries again."""

import signal
import threading

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


class NonRetryableError(Exception):
    """By this name the SDK knows that another try is of no use."""


@wfr.activity(name="send_email")
def send_email(ctx: wf.WorkflowActivityContext, mail: dict) -> dict:
    raise NonRetryableError("the provider has closed the account")


if __name__ == "__main__":
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    threading.Thread(target=wfr.start, daemon=True).start()
    ended.wait()
