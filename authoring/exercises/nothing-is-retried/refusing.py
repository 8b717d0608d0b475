"""Stands in for notification-service: refuses each mail, and notes each try."""

import os
import signal
import threading
from pathlib import Path

import dapr.ext.workflow as wf

NOTES = Path(os.environ["LEDGER"]).with_name("refused.txt")

wfr = wf.WorkflowRuntime()


@wfr.activity(name="send_email")
def send_email(ctx: wf.WorkflowActivityContext, mail: dict) -> dict:
    with NOTES.open("a", encoding="utf-8") as out:
        out.write("refused\n")
    raise ConnectionError("the provider has closed the account")


if __name__ == "__main__":
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    threading.Thread(target=wfr.start, daemon=True).start()
    ended.wait()
