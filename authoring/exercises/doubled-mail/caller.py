"""Another caller of notification-service, started by the check: mails two people in turn."""

import signal
import threading

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.workflow(name="mail_two")
def mail_two(ctx: wf.DaprWorkflowContext, given: dict):
    app_id = "notification-service"
    for mail in given["mails"]:
        yield ctx.call_activity("send_email", input=mail, app_id=app_id)
    return len(given["mails"])


if __name__ == "__main__":
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    threading.Thread(target=wfr.start, daemon=True).start()
    ended.wait()
