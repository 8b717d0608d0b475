"""Three sets of apps keep the same promises; the centralised one also takes bulks and escalates."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from labkit import paths, preflight
from labkit.runfile import load
from labkit.waiting import patience

PATTERNS = paths.repo() / "services" / "patterns"
HOSTS = {
    "centralised": ("task-orchestrator-service", "task_processing"),
    "domain-specific": ("task-orchestrator-service", "task_processing"),
    "gateway": ("gateway-service", "process_user_request"),
}
TASKS = {"gateway": ("task-service", "tasks")}
BOOK = {"gateway": ("billing-service", "charges")}
ORDER = {
    "task_id": "t-1",
    "title": "Outage in production",
    "user_id": "alice",
    "email": "alice@example.com",
    "manager_email": "boss-of-alice@example.com",
}


@pytest.fixture
def compare(monkeypatch):
    """The module beside the services, which is in no package."""
    spec = importlib.util.spec_from_file_location("compare", PATTERNS / "compare.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "compare", module)  # its dataclass looks there
    spec.loader.exec_module(module)
    return module


def start(make_lab, name, **options):
    lab = make_lab(PATTERNS / name, **options)
    lab.up(announce=False)
    return lab


def order(lab, host, workflow, given):
    lab.client(host).schedule_new_workflow(workflow, input=given, instance_id="order")
    return lab.run("order")


@pytest.mark.parametrize("name", HOSTS)
def test_an_order_becomes_a_task_two_mails_and_an_entry_in_the_book(make_lab, name):
    lab = start(make_lab, name)
    run = order(lab, *HOSTS[name], ORDER).wait(usual=60)
    assert (run.status, run.output["mails"]) == ("COMPLETED", 2), run.failure
    assert sorted(mail.to for mail in lab.inbox) == [ORDER["email"], ORDER["manager_email"]]
    for place, usual in ((TASKS, "tasks"), (BOOK, "events")):
        default = ("task-orchestrator-service" if usual == "tasks" else "audit-service", usual)
        (row,) = lab.ledger(*place.get(name, default))
        assert row["task_id"] == "t-1"
    steps = run.history.steps()
    keys = {step.task_execution_id for step in steps if step.task_execution_id}
    assert {mail.idempotency_key for mail in lab.inbox} <= keys
    children = {step.name for step in steps if step.child_instance_id}
    owned = {"notification_campaign", "compliance_audit"}
    assert children == (owned if name == "domain-specific" else set())


def test_a_bulk_never_has_more_at_work_than_its_limit(make_lab):
    lab = start(make_lab, "centralised", env={"INFERENCE_SECONDS": "0.2"})
    titles = ["security outage", "a typo in the wiki"] * 6
    bulk = {"titles": titles, "limit": 3}
    run = order(lab, "task-orchestrator-service", "bulk_task_processing", bulk).wait(
        60 * patience()
    )
    assert run.output == {"done": 12, "high": 6}
    rows = lab.ledger("ml-service", "inferences")
    moments = sorted([(r["started"], 1) for r in rows] + [(r["ended"], -1) for r in rows])
    assert max(sum(step for _, step in moments[:i]) for i in range(len(moments) + 1)) <= 3
    assert len(rows) == len({r["key"] for r in rows}) == 12


@pytest.mark.parametrize("answered", [True, False])
def test_a_task_escalates_when_nobody_says_done_in_time(make_lab, answered):
    lab = start(make_lab, "centralised")
    given = {**ORDER, "patience_seconds": 600 if answered else 0.5}
    run = order(lab, "task-orchestrator-service", "task_escalation", given)
    if answered:
        lab.client("task-orchestrator-service").raise_workflow_event("order", "done")
    assert run.wait(usual=60).output == {"task_id": "t-1", "escalated": not answered}
    assert [mail.to for mail in lab.inbox].count(ORDER["manager_email"]) == (not answered)


def test_every_service_says_what_it_needs_and_knows_no_labkit():
    files = sorted(PATTERNS.glob("*/*/main.py"))
    assert len(files) == 11
    for file in files:
        assert "labkit" not in file.read_text()
        assert file.with_name("README.md").read_text().startswith(f"# {file.parent.name}\n")
        assert "dapr==" in file.with_name("requirements.txt").read_text()


@pytest.mark.parametrize("name", HOSTS)
def test_the_run_files_name_folders_that_exist(name):
    apps = load(PATTERNS / name / "dapr.yaml").apps
    assert all(Path(app.folder, "main.py").exists() for app in apps)
    found = preflight.inspect([PATTERNS / name / "dapr.yaml"])
    assert {finding.state for finding in found} == {"holds"}, found


@pytest.mark.parametrize(
    ("name", "of_all", "of_host"),
    [("centralised", 6, 5), ("domain-specific", 5, 2), ("gateway", 7, 4)],
)
def test_change_requests_fit_one_after_the_other(compare, tmp_path, name, of_all, of_host):
    form = next(form for form in compare.ARCHITECTURES if form.name == name)
    compare.copy(form, tmp_path)
    deployed = []
    for change in compare.changes():
        compare.edit(change[name], tmp_path / name)
        deployed += {one["file"].partition("/")[0] for one in change[name]}
    assert (len(deployed), deployed.count(form.host)) == (of_all, of_host)
    for file in tmp_path.rglob("main.py"):
        compile(file.read_text("utf-8"), str(file), "exec")


def test_what_overlaps_is_counted_and_what_follows_is_not(compare):
    rows = [{"started": a, "ended": b} for a, b in ((0, 2), (1, 3), (3, 4))]
    assert compare.at_once(rows) == 2
    assert compare.curve({"a": 1.0, "b": 0.5}).count("<rect") == 2
