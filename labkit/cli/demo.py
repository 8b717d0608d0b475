"""``./lab demo``: one cross-app workflow with a child, in the terminal, in a few seconds."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence

APPS = ("task-orchestrator-service", "notification-service", "audit-service")
ORDER = {
    "task_id": "task-123",
    "title": "Review the release notes",
    "assignee_email": "alice@example.com",
    "assignee_user_id": "user-alice",
}
LOOK_AT = """\
What to look at
- Three apps took part. Each is a process of its own with its own sidecar.
- task-orchestrator-service hosts the parent workflow and decides what happens next.
- send_email ran in notification-service: a remote activity, called by its app ID.
- compliance_audit_workflow ran in audit-service: a child workflow with its own history.
- Every line above was read from the histories that the sidecars keep.\
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Start three apps, run ``task_with_audit``, print what happened, end everything."""
    parser = argparse.ArgumentParser(prog="./lab demo", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(argv)
    began = time.monotonic()

    from labkit.labs.lab import Lab

    with Lab() as lab:
        lab.up(*APPS, announce=not options.json)
        client = lab.client(APPS[0])
        instance = client.schedule_new_workflow(
            "task_with_audit", input=ORDER, instance_id="task-123"
        )
        run = lab.run(instance).wait()
        told = {"status": run.status, "output": run.output, "mails": len(lab.inbox)}
        picture = run.swimlane()
    told["seconds"] = round(time.monotonic() - began, 1)
    if options.json:
        print(json.dumps(told))
    else:
        print(f"\n{picture.text}\n\n{LOOK_AT}\n")
        print(f"status {told['status']}, {told['mails']} mail sent, output:")
        print(json.dumps(told["output"], indent=2))
        print(f"all ended after {told['seconds']} s; next: ./lab start")
    return 0 if told["status"] == "COMPLETED" else 1


if __name__ == "__main__":
    raise SystemExit(main())
