"""Two replicas of one app: work is spread, what one leaves goes on at the other, nothing stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.apps.replicas import WrongReplicas
from labkit.cli import __main__ as cli
from labkit.labs.attached import Attached
from labkit.labs.lab import AppNotStarted, UnknownApp
from labkit.processes import lifeline
from labkit.waiting import wait_until
from tests.support.deployments import TARGET, write_small

CALLS = 30
SAYS_WHO = TARGET.replace('"start\\n"', 'f"{os.getpid()}\\n"').replace('"end\\n"', '""')
assert SAYS_WHO.count("write(f") == SAYS_WHO.count('write("")') == 1


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The small deployment, whose target notes which process begins a call."""
    return write_small(tmp_path / "deployment", target=SAYS_WHO)


@pytest.fixture
def two(make_lab, small):
    """A lab with one caller and two targets, started."""
    lab = make_lab(small, replicas={"target": 2})
    lab.up(announce=False)
    return lab


def call(lab, *ids: str, gate: Path | None = None) -> None:
    for id in ids:
        given = {"gate": str(gate)} if gate else {}
        lab.client("caller").schedule_new_workflow("call", input=given, instance_id=id)


def outputs(lab, ids) -> list[int]:
    """Wait for these workflows; return the process that did the work of each."""
    runs = [lab.run(id).wait(usual=60) for id in ids]
    assert [r.status for r in runs] == ["COMPLETED"] * len(runs)
    return [r.output["pid"] for r in runs]


def pids(lab) -> list[int]:
    return [app.process("worker").pid for app in lab.replicas("target")]


def begun(lab) -> list[int]:
    """Return which process has begun a call, one entry for each beginning."""
    notes = lab.app("target").ledger.with_suffix(".txt")
    return [int(n) for n in notes.read_text().split()] if notes.exists() else []


def test_work_is_spread_over_both(two):
    ids = [f"spread-{n}" for n in range(CALLS)]
    call(two, *ids)
    assert set(outputs(two, ids)) == set(pids(two))
    names = {e["id"] for e in two.placement_state()["tables"]["default"]["hosts"]}
    assert names == {"caller", "target"}, "to Dapr both are the same app"


def test_the_work_of_one_that_is_killed_goes_on_at_the_other(two, tmp_path):
    gate, ids = tmp_path / "gate", [f"kill-{n}" for n in range(12)]
    call(two, *ids, gate=gate)
    wait_until(lambda: set(begun(two)) == set(pids(two)), usual=60)
    two.kill("target#1", announce=False)
    gate.touch()
    assert set(outputs(two, ids)) == {pids(two)[1]}
    assert len(begun(two)) > len(ids), "what the first had begun was begun again"


def test_one_replica_is_killed_stopped_and_restarted_alone(two):
    first, second = pids(two)
    two.kill("target#2", "worker", announce=False)
    assert [str(t.title) for t in two.troubles()] == ["target#2 worker"]
    two.restart("target#2", announce=False)
    assert pids(two)[0] == first
    assert pids(two)[1] != second
    two.stop("target#1", announce=False)
    assert two.app("target").name == "target#2"
    two.up("target", announce=False)
    assert two.app("target").name == "target#1"
    assert two.troubles() == []


def test_the_app_id_means_all_of_them(two, capsys):
    two.kill("target")
    ended = {f"target#{n} {part}: killed" for n in (1, 2) for part in ("sidecar", "worker")}
    assert set(capsys.readouterr().out.splitlines()) == ended
    call(two, "waits")
    with pytest.raises(Exception, match="cannot go on"):
        two.run("waits").wait(usual=60)


def test_a_wait_is_not_given_up_while_one_replica_lives(two, tmp_path):
    gate = tmp_path / "gate"
    call(two, "held", gate=gate)
    wait_until(lambda: begun(two), usual=60)
    two.kill("target#1", announce=False)
    with pytest.raises(Exception, match="has not ended after"):
        two.run("held").wait(6)
    assert "down" not in repr(two.run("held").swimlane())
    gate.touch()
    outputs(two, ["held"])


def test_replicas_come_and_go_while_the_lab_runs(two):
    two.scale("target", 3, announce=False)
    assert [a.name for a in two.replicas("target")] == ["target#1", "target#2", "target#3"]
    third = two.app("target#3").process("worker").pid
    two.scale("target", 1, announce=False)
    assert [a.name for a in two.replicas("target")] == ["target#1"]
    assert two.troubles() == [], "one that was taken away is not missing"
    with pytest.raises(UnknownApp, match=r"no app 'target#2'"):
        two.app("target#2")
    two.scale("target", 3, announce=False)
    assert two.app("target#3").process("worker").pid != third
    ids = [f"scaled-{n}" for n in range(CALLS)]
    call(two, *ids)
    assert set(outputs(two, ids)) <= set(pids(two))
    with pytest.raises(WrongReplicas):
        two.scale("caller", 2)


def test_each_replica_has_its_log_and_both_share_a_ledger(two):
    one, other = two.replicas("target")
    assert one.ledger == other.ledger
    assert one.ports.http != other.ports.http
    logs = {p.name for p in (two.folder / "logs").iterdir()}
    assert {"target#1.sidecar.log", "target#2.sidecar.log", "caller.sidecar.log"} <= logs
    for app in (one, other):
        assert app.metadata()["id"] == "target"
        assert "--app-id target" in app.command


def test_who_looks_from_outside_sees_each_replica(two, small, capsys):
    seen = Attached(small)
    assert [a.name for a in seen.replicas("target")] == ["target#1", "target#2"]
    two.kill("target#1", announce=False)
    assert seen.app("target").name == "target#2"
    two.scale("target", 1, announce=False)
    assert [a.name for a in seen.replicas("target")] == ["target#1"]
    assert seen.troubles() == []
    seen.close()
    assert cli.main(["ps"]) == 0
    assert "target#1 sidecar: running" in capsys.readouterr().out


def test_nothing_of_a_replica_stays_after_down(two):
    two.scale("target", 3, announce=False)
    two.kill("target#2", "worker", announce=False)
    run_id = two.folder.name
    two.down()
    assert lifeline.marked(run_id) == []


def test_an_app_that_was_not_started_has_no_replicas(make_lab, small):
    lab = make_lab(small, replicas={"target": 2})
    lab.up("target#2", announce=False)
    assert [a.name for a in lab.replicas("target")] == ["target#2"]
    with pytest.raises(AppNotStarted):
        lab.replicas("caller")
