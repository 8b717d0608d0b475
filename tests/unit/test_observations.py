"""What checks observe, on histories that were recorded on the real runtime."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace

import pytest

from labkit.apps.app import NoLedger
from labkit.apps.sidecar import SidecarSilent
from labkit.exercises.cases import Case, part
from labkit.exercises.drawing import Draw
from labkit.exercises.observations import (
    AnsweredLate,
    Check,
    MomentMissed,
    as_before,
    besides,
    broken,
    came_true,
    databases,
    in_memory,
    keep_workflows,
    kept_in,
    killed,
    mailed,
    missed,
    ordered,
    origin,
    rows_of,
    sidecars_run,
)
from labkit.mail.catcher import Inbox, Mail
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


LATE = 4e9
"""After everything that was recorded; seconds since the epoch."""


def mail(key, to="alice@example.com", at=LATE):
    return Mail(to, "Task assigned", "Hello", key, at)


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
    assert mailed(own(local)).observe() == "1 mail without an idempotency key"
    assert mailed(own(local_step)).observe() == "1 mail from task-orchestrator-service"
    assert mailed(own()).observe() == "0 mails"
    assert mailed(own(right, right)).observe() == "2 mails from notification-service"
    assert mailed(own(right, local)).observe() != mailed(own()).expected


class TimedOut(Case):
    """A case whose failures all say that something timed out."""

    def steps(self, name=None, app_id=None):
        found = super().steps(name, app_id)
        late = [s.failure and replace(s.failure, message="timed out") for s in found]
        return [replace(s, failure=f) for s, f in zip(found, late, strict=True)]


def test_two_mails_of_a_call_that_timed_out_and_was_tried_again_say_nothing():
    recipient = Case(View(), "retried", "task_with_audit").order["assignee_email"]
    one = mail(key_of("retried"), recipient)
    assert mailed(Case(View(one, one), "retried", "task_with_audit")).observe().startswith("2")
    assert mailed(TimedOut(View(one), "retried", "task_with_audit")).observe().startswith("1")
    with pytest.raises(AnsweredLate):
        mailed(TimedOut(View(one, one), "retried", "task_with_audit")).observe()


def test_a_mail_that_had_arrived_before_the_workflow_began_is_not_its_own():
    recipient = own().order["assignee_email"]
    earlier, right = mail("", recipient, at=1.0), mail(key_of("audited"), recipient)
    assert mailed(own(earlier, right)).observe() == "1 mail from notification-service"
    assert mailed(own(earlier)).observe() == "0 mails"
    drawn_too = mail("", drawn().order["assignee_email"], at=1.0)
    assert mailed(drawn(drawn_too)).observe() == "1 mail without an idempotency key"


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


class Sidecar:
    """An app as its sidecar and its log show it."""

    def __init__(self, app_id="a", *, actors=(), lacks=False, log="", pid=None):
        self.app_id, self.lacks, self.log = app_id, lacks, log
        self.said = None if log else {"actorRuntime": {"activeActors": list(actors)}}
        self.part = SimpleNamespace(pid=pid) if pid else None

    def metadata(self):
        if self.said is None:
            raise SidecarSilent("silent", asked="a", found="b", look_at="c", fix="d")
        return self.said

    def logs(self, part):
        return self.log

    def lacks_actor_store(self):
        return self.lacks

    def process(self, part):
        return self.part


def lab_of(*apps):
    return SimpleNamespace(
        started_apps=lambda: apps, app=lambda id: next(a for a in apps if a.app_id == id)
    )


def test_a_sidecar_that_ended_is_shown_with_its_last_words():
    fatal = 'level=info msg="x" app_id=b\nlevel=fatal msg="two actor state stores" app_id=b'
    broken = sidecars_run(lab_of(Sidecar(), Sidecar("b", log=fatal)))
    assert broken.observe() == "a: answers, b: two actor state stores"
    assert not broken.holds(broken.observe())
    assert sidecars_run(lab_of(Sidecar())).holds("a: answers")


def test_an_actor_store_is_known_by_the_actors_that_a_sidecar_offers_or_by_its_log():
    def said(sidecar):
        return keep_workflows(lab_of(sidecar), "a").observe()

    assert said(Sidecar(actors=["workflow"])) == "a: has one"
    assert said(Sidecar(actors=["workflow"], lacks=True)) == "a: none"
    with pytest.raises(SidecarSilent, match="nothing says"):
        said(Sidecar())


def test_an_instance_is_kept_in_the_database_that_its_sidecar_has_open(tmp_path):
    lab = lab_of(Sidecar(pid=os.getpid()))
    with closing(sqlite3.connect(tmp_path / "own.sqlite")) as db, db:
        db.execute("CREATE TABLE state (key)")
        db.execute("INSERT INTO state VALUES ('a||workflow||order||history-000000')")
        db.commit()
        assert (tmp_path / "own.sqlite").resolve() in databases(lab, "a")
        assert kept_in(Case(lab, "order", "w"), "a") == ["own.sqlite"]
        assert kept_in(Case(lab, "ord", "w"), "a") == []
    assert databases(lab_of(Sidecar()), "a") == []


@pytest.mark.parametrize(
    ("named", "is_forgetful"),
    [("memory", True), ("disk", False), (None, True)],
)
def test_a_store_in_memory_counts_when_the_log_names_it_or_names_none(named, is_forgetful):
    line = f"msg=\"Using '{named}' as actor state store\"" if named else ""
    sidecar = Sidecar(log=f"msg=\"Using 'another' as actor state store\"\n{line}" if named else "")
    stores = [("memory", "state.in-memory"), ("disk", "state.sqlite")]
    sidecar.said = {"components": [{"name": name, "type": type} for name, type in stores]}
    assert in_memory(lab_of(sidecar), "a") is is_forgetful


def test_a_moment_that_was_missed_says_what_was_seen_in_its_place():
    problem = missed("a kill while the mail hangs", "the mail had left")
    assert isinstance(problem, MomentMissed)
    assert (problem.asked, problem.found) == ("a kill while the mail hangs", "the mail had left")


def test_a_question_without_an_answer_counts_as_not_yet():
    asked = []

    def answer():
        asked.append(1)
        if len(asked) < 3:
            raise SidecarSilent("silent", asked="a", found="b", look_at="c", fix="d")
        return len(asked) > 3

    assert came_true(answer, within=60)
    assert len(asked) == 4
    assert not came_true(lambda: False, within=0)


@pytest.mark.parametrize(
    ("problem", "seen", "holds"),
    [("", "1 mail", True), ("its subject is ''", "1 mail; its subject is ''", False)],
)
@pytest.mark.parametrize("own", [None, lambda seen: "mail" in seen])
def test_a_check_that_also_asks_something_else_says_what_is_wrong(problem, seen, holds, own):
    one = besides(Check("mail", "a mail", "1 mail", lambda: "1 mail", "", own), lambda: problem)
    observed = one.observe()
    assert (observed, one.holds(observed)) == (seen, holds)
    assert (one.id, one.checked, one.expected) == ("mail", "a mail", "1 mail")


def test_of_many_checks_the_first_that_does_not_hold_is_told_and_the_rest_not_asked():
    def never():
        raise AssertionError("nobody asks")

    good = Check("mail", "a mail", "1 mail", lambda: "1 mail", "")
    wrong = Check("push", "a push", "1 push", lambda: "2 pushes", "", lambda seen: seen == "1 push")
    assert broken([good, wrong, replace(good, observe=never)]) == "a push: 2 pushes"
    assert broken([good]) == ""
