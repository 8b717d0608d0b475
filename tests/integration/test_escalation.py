"""The escalation as it is deployed: reminders by time, answers by event, a watch for ever."""

from __future__ import annotations

import pytest

from labkit import Lab, paths

TASK = {"task_id": "t-1", "title": "Review PR"}
TASK |= {"assignee_email": "alice@example.com", "manager_email": "morgan@example.com"}
QUICK = {"REMIND_SECONDS": "1", "ESCALATE_SECONDS": "1", "APPROVAL_SECONDS": "1"}


@pytest.fixture(scope="module")
def lab(state_folder):
    with Lab(paths.repo() / "services" / "escalation", env=QUICK) as lab:
        lab.up(announce=False)
        yield lab


def start(lab, id, workflow="task_escalation", given=TASK):
    lab.client("escalation-service").schedule_new_workflow(workflow, input=given, instance_id=id)
    return lab.run(id)


def tell(lab, id, event, **data):
    lab.client("escalation-service").raise_workflow_event(id, event, data=data)


def test_a_task_that_nobody_does_is_escalated_until_the_last_deadline(lab):
    run = start(lab, "silent")
    assert run.wait(usual=60).output == {"task_id": "t-1", "status": "timed out", "by": None}
    assert [mail.subject.partition(":")[0] for mail in lab.inbox][-2:] == [
        "Reminder",
        "Please decide",
    ]


@pytest.mark.parametrize(
    ("event", "data", "status"),
    [
        ("task_done", {"by": "alice"}, "done"),
        ("approval", {"by": "morgan", "approved": True}, "reassigned"),
        ("approval", {"by": "morgan", "approved": False}, "kept"),
    ],
)
def test_an_answer_counts_also_when_it_comes_early(lab, event, data, status):
    run = start(lab, f"early-{status}")
    tell(lab, run.instance_id, event, **data)
    assert run.wait(usual=60).output == {
        "task_id": "t-1",
        "status": status,
        "by": data["by"],
    }


def test_the_watch_starts_over_and_loses_nothing(lab):
    run = start(lab, "watch", "task_watch", {"task_id": "t-2"})
    sent = [*(f"change {number}" for number in range(25)), "closed"]
    for what in sent:
        tell(lab, "watch", "change", what=what)
    assert run.wait(usual=60).output == {"task_id": "t-2", "changes": 26}
    rows = lab.ledger("escalation-service", "changes")
    assert [row["what"] for row in rows if row["task_id"] == "t-2"] == sent
    notes = [step for step in run.history.steps() if step.name == "note_change"]
    assert len(notes) <= 10
