"""What checks observe, on histories that were recorded on the real runtime."""

from __future__ import annotations

from types import SimpleNamespace

from labkit.apps import NoLedger
from labkit.exercises.cases import Case, part
from labkit.exercises.drawing import Draw
from labkit.exercises.observations import (
    MomentMissed,
    as_before,
    killed,
    mailed,
    missed,
    ordered,
    origin,
    rows_of,
)
from labkit.mailcatcher import Inbox, Mail
from tests.support.recorded import recorded


class Run:
    def __init__(self, instance_id):
        self.history = recorded(instance_id)
        ends = [e for e in self.history.events if e.kind == "executionCompleted"]
        self.output = ends[0].value if ends else None


class View:
    """A lab with recorded histories and the mails that a test gives."""

    def __init__(self, *mails):
        self.inbox = Inbox(mails)

    def run(self, instance_id):
        return Run(instance_id)

    def ledger(self, app_id, table):
        raise NoLedger("none", asked="a", found="b", look_at="c", fix="d")


def mail(key, to="alice@example.com"):
    return Mail(to, "Task assigned", "Hello", key, 1.0)


def key_of(instance_id, step="send_email"):
    return next(s.task_execution_id for s in recorded(instance_id).steps() if s.name == step)


def own(*mails):
    return Case(View(*mails), "audited", "task_with_audit")


def drawn(*mails):
    given = {"task_id": "task-123", "assignee_email": "alice@example.com"}
    return Case(View(*mails), "audited", "task_with_audit", given)


def test_another_workflow_under_the_id_is_seen():
    assert ordered(own()).observe() == "task_with_audit"
    assert own().order["task_id"] == "task-123"


def test_a_mail_belongs_to_the_step_whose_key_it_carries():
    recipient = own().order["assignee_email"]
    right, local = mail(key_of("audited"), recipient), mail("", recipient)
    local_step = mail(key_of("audited", "assign_task"), recipient)
    assert mailed(own(right)).observe() == mailed(own()).expected
    assert mailed(own(local)).observe() == "1 mail from no step of this workflow"
    assert mailed(own(local_step)).observe() == "1 mail from task-orchestrator-service"
    assert mailed(own()).observe() == "0 mails"
    assert mailed(own(right, right)).observe() == "2 mails from notification-service"
    assert mailed(own(right, local)).observe() != mailed(own()).expected


def test_mails_of_an_earlier_run_count_in_no_lab_but_a_new_one():
    keys = [key_of("audited"), "of-an-earlier-run"]
    assert origin(own(), "mail", keys) == "1 mail from notification-service"
    assert "no step" in origin(drawn(), "mail", keys)
    assert "no step" in origin(own(), "mail", ["of-an-earlier-run"])


def test_a_step_that_is_missing_or_moved_is_named_by_what_is_left():
    steps, *_ = as_before(own())
    assert steps.observe() == steps.expected
    case = Case(View(), "retried", "task_with_audit")
    steps, *_ = as_before(case)
    assert "compliance_audit_workflow" in steps.expected
    assert "compliance_audit_workflow" not in steps.observe()
    steps, *_ = as_before(case, changed={"compliance_audit_workflow"})
    assert "compliance_audit_workflow" not in steps.expected


def test_a_kill_counts_when_it_came_after_the_workflow_had_begun():
    began = recorded("audited").events[0].time.timestamp()

    def life(part, ended_at, was_killed=True):
        return part, SimpleNamespace(ended_at=ended_at, was_killed=was_killed)

    def observed(*past):
        case = own()
        case.lab.app = lambda app_id: SimpleNamespace(past=past)
        return killed(case, "notification-service")

    assert observed(life("worker", began + 1), life("worker", began + 2)).observe() == "2 kills"
    harmless = life("worker", began - 1), life("worker", None), life("sidecar", began + 1)
    check = observed(*harmless, life("worker", began + 1, was_killed=False))
    assert check.observe() == "0 kills"
    assert not check.holds("0 kills")
    assert check.otherwise == "unknown"


def test_a_moment_that_was_missed_says_what_was_found():
    problem = missed("kill while the mail server hangs", "it hung for 6.0 s")
    assert isinstance(problem, MomentMissed)
    assert problem.found == "it hung for 6.0 s"


def test_a_part_of_an_output_of_another_form_is_shown_and_not_a_type_error():
    assert part({"sent": [None]}, "sent", 0) is None
    assert part({"sent": [None]}, "sent", 0, "sent") == "another form: {'sent': [None]}"
    assert part(None, "status") == "another form: None"
    assert rows_of(View(), "notification-service", "pushes") == []


def test_drawn_data_differ_and_can_be_drawn_again():
    first, second, again = Draw(), Draw(), None
    again = Draw(first.seed)
    order = first.order()
    assert order != second.order()
    assert order == again.order()
    assert first.order(title="mine")["title"] == "mine"
    assert first.email("else.org").endswith("@else.org")
