"""The four services of the course, as ordinary programs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from labkit import paths
from labkit.processes.ports import is_listening
from labkit.runfile import load
from labkit.waiting import patience, poll

ORDER = {
    "task_id": "task-123",
    "title": "Review PR",
    "assignee_email": "alice@example.com",
    "assignee_user_id": "user-alice",
}
SERVICES = {a.app_id: a for a in load(paths.repo() / "services" / "dapr.yaml").apps}


def test_an_order_becomes_one_mail_and_one_push(lab):
    lab.up("task-orchestrator-service", "notification-service", announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_processing_multi_app", input=ORDER, instance_id="t")
    output = lab.run("t").wait().output
    assert output["status"] == "completed"
    assert [n["channel"] for n in output["notifications_sent"]] == ["email", "push"]
    (mail,) = lab.inbox
    assert (mail.to, mail.subject) == ("alice@example.com", "Task assigned: Review PR")
    assert [p["user_id"] for p in lab.ledger("notification-service", "pushes")] == ["user-alice"]
    health = httpx.get(lab.app("notification-service").url + "/health", trust_env=False, timeout=60)
    assert health.json() == {"status": "healthy", "service": "notification-service"}


def test_a_mail_server_that_hangs_is_seen_and_goes_on(lab):
    lab.up("task-orchestrator-service", "notification-service", announce=False)
    client = lab.client("task-orchestrator-service")
    with lab.frozen("mail"):
        client.schedule_new_workflow("task_processing_multi_app", input=ORDER, instance_id="t")
        assert poll(lambda: lab.callers("mail"), 10, grows=True)[0] == ["notification-service"]
        assert not lab.inbox
    assert lab.run("t").wait().status == "COMPLETED"
    assert len(lab.inbox) == 1
    assert lab.callers("redis") == []


def test_a_mail_server_that_was_started_again_is_ready_when_up_returns(lab):
    lab.up("notification-service", announce=False)
    lab.kill("mail")
    lab.up(announce=False)
    port = lab.app("notification-service").launch.env("worker")["SMTP_PORT"]
    assert is_listening("127.0.0.1", int(port))


@pytest.mark.parametrize(("domain", "compliant"), [("example.com", True), ("else.org", False)])
def test_an_order_is_audited_in_another_app(lab, domain, compliant):
    lab.up("task-orchestrator-service", "notification-service", "audit-service", announce=False)
    order = {**ORDER, "assignee_email": f"alice@{domain}"}
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_with_audit", input=order, instance_id="a")
    run = lab.run("a").wait()
    assert run.output["audit"] == {"status": "audited", "compliant": compliant}
    (child,) = run.history.children
    assert (child.app_id, child.instance_id) == ("audit-service", "audit-task-123")
    names = [s.name for s in child.own_steps()]
    assert (
        names
        == ["log_audit_event", "check_compliance_rules", "raise_compliance_alert"][
            : 2 if compliant else 3
        ]
    )
    assert len(lab.ledger("audit-service", "events")) == 1
    assert len(lab.ledger("audit-service", "alerts")) == (0 if compliant else 1)


def test_a_wrong_order_is_rejected_before_anybody_is_told(lab):
    lab.up("task-orchestrator-service", "notification-service", announce=False)
    client = lab.client("task-orchestrator-service")
    order = {**ORDER, "assignee_email": "nowhere", "title": ""}
    client.schedule_new_workflow("task_processing_multi_app", input=order, instance_id="r")
    output = lab.run("r").wait().output
    assert output["status"] == "rejected"
    assert len(output["reasons"]) == 2
    assert lab.inbox == ()


def test_a_task_is_finished_when_the_notification_service_is_away(lab):
    lab.up("task-orchestrator-service", announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_with_fallback", input=ORDER, instance_id="f")
    output = lab.run("f").wait(usual=60).output
    assert [n["sent"] for n in output["notifications_sent"]] == [False, False]
    lab.up("notification-service", announce=False)
    _, arrived = poll(lambda: len(lab.inbox) == 1, 30, grows=True)
    assert arrived, "the child workflow delivers when the app is there"


@pytest.mark.parametrize("service", SERVICES)
def test_it_says_so_when_its_sidecar_is_missing(service, tmp_path):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        SERVICES[service].command,
        cwd=SERVICES[service].folder,
        env={"PATH": path, "DAPR_GRPC_PORT": "1", "SIDECAR_SECONDS": "0.5",
             "APP_PORT": "0", "LEDGER": str(tmp_path / "l.sqlite")},
        capture_output=True,
        text=True,
        timeout=60 * patience(),
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("No Dapr sidecar on 127.0.0.1:1.")


def test_all_stop_cleanly_when_asked(lab):
    lab.up(announce=False)
    workers = [app.process("worker") for app in lab.started_apps()]
    for worker in workers:
        os.kill(worker.pid, signal.SIGTERM)
    _, ended = poll(lambda: not any(w.is_alive for w in workers), 5, grows=True)
    assert ended
    # uvicorn ends with the signal it was given; the others with 0.
    assert {w.exit_code for w in workers} <= {0, -signal.SIGTERM}
