"""Incidents on real processes: drawn, seen, judged wrongly repaired and repaired, left, taken up.

The first fault of each kind is played; ``--every-answer`` plays all of them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

import psutil
import pytest

from labkit import paths
from labkit.incidents import deployed, drawing, judging, kept, oncall
from labkit.incidents.faults import faults
from labkit.incidents.judging import NotOnCall
from labkit.labs import runs
from labkit.processes import lifeline

pytestmark = pytest.mark.timeout(600)
IN_FILES = [id for id, f in faults().items() if f.is_drawn and f.exercise.fault]
ENDED = [id for id, f in faults().items() if f.is_drawn and f.exercise.accident]


@pytest.fixture(autouse=True)
def state_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "state"))


@pytest.fixture
def begun():
    """Begin incidents; at the end nothing of them may be left."""
    made = []

    def begin(*ids):
        made.append(oncall.begin(drawing.of(ids)))
        return made[-1]

    yield begin
    for one in made:
        run_id = one.bare.folder.name
        one.leave()
        assert lifeline.marked(run_id) == []


def pytest_generate_tests(metafunc):
    every = metafunc.config.getoption("every_answer")
    for name, known in (("in_files", IN_FILES), ("ended", ENDED)):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, known if every else known[:1])


def named(incident):
    for fault in incident.faults:
        incident.diagnose(sorted(fault.places)[0], fault.cause, "it was drawn")


def repair(incident):
    texts = deployed.read(deployed.folder())
    for fault in incident.faults:
        texts = deployed.repaired(texts, fault)
    for name, text in texts.items():
        (deployed.folder() / name).write_text(text)


def test_a_fault_in_files_is_seen_and_only_its_repair_is_accepted(begun, in_files, capsys):
    incident = begun(in_files)
    assert "The alarm:" in repr(incident)
    require_blind(incident, repr(incident) + capsys.readouterr().out)
    assert (
        any(judging.judged(incident, o) not in ("", judging.KEPT) for o in incident.kept.orders)
        or judging.judge(incident).outcome != "passed"
    )
    named(incident)
    unrepaired = incident.verdict()
    assert unrepaired.outcome != "passed", unrepaired
    assert unrepaired.stopped_at.step not in ("place", "cause", "all"), unrepaired
    repair(incident)
    assert incident.verdict().stopped_at.step == "loaded"
    incident.restart()
    verdict = incident.verdict()
    for _ in range(oncall.MOST_STARTS):
        # Work of before may end a process once more; a verdict that is good ends the incident.
        if not verdict.passed and incident.bare.troubles():
            incident.up()
            verdict = incident.verdict()
    assert verdict.passed, verdict
    assert faults()[in_files].cause in incident.report()
    assert not kept.is_open()


def test_what_has_ended_or_hangs_is_seen_and_started_again(begun, ended):
    incident = begun(ended)
    require_blind(incident, repr(incident))
    named(incident)
    assert incident.verdict().outcome != "passed"
    incident.restart()
    verdict = incident.verdict()
    assert verdict.passed, verdict
    require_over(incident)


def require_over(incident):
    """What is asked of a closed incident has an answer, or an error that names the way on."""
    what = f"{incident.page}{incident.orders()}{incident.clock}{incident.report()}{incident.lab}"
    assert "What was wrong" in what
    assert str(incident.give_up()) == str(incident.report()) == str(incident.hand_over())
    asked = [
        incident.up, incident.restart, incident.verdict,
        lambda: incident.diagnose("mail", "1"), lambda: incident.ask("ps"),
    ]  # fmt: skip
    for ask in asked:
        with pytest.raises(NotOnCall, match="closed") as problem:
            ask()
        assert problem.value.fix == "begin another one: incident()"


def require_blind(incident, printed):
    """Neither what is printed nor a file of the run nor a list of processes tells the fault."""
    hidden = [w for f in incident.faults for w in (f.id, f.cause)]
    run, files = incident.bare.folder, [paths.state() / "progress.jsonl", kept.file()]
    files += [f for f in run.rglob("*") if f.is_file() and f.stat().st_size < 1 << 20]
    texts = {str(f): f.read_text("utf-8", "replace") for f in files}
    names = " ".join(str(f.relative_to(paths.state())) for f in paths.state().rglob("*"))
    lines = [" ".join(p.cmdline()) for p in map(psutil.Process, lifeline.marked(run.name))]
    texts |= {"screen": printed, "names": names, "processes": "\n".join(lines)}
    told = [(where, words) for where, text in texts.items() for words in hidden if words in text]
    assert told == []


def test_an_incident_is_sent_left_taken_up_and_given_up_in_a_terminal(tmp_path):
    file = tmp_path / "monday.txt"
    drawing.save(drawing.of(["audit-worker-hangs"], seed=5), file)
    left = typed(
        ["--from", str(file)], "orders", "curl audit-service /v1.0/metadata", "statsu", "leave"
    )
    assert "You are on call for tasks" in left
    assert '{"id":"audit-service"' in left.replace(" ", "")
    assert "did you mean status?" in left
    assert "./lab incident --resume" in left
    assert not [r for r in runs.all_runs() if r.processes]
    assert "another incident is open" in typed(["--seed", "1"])
    assert deployed.folder().exists()
    number = str(oncall.causes().index(faults()["audit-worker-hangs"].cause) + 1)
    again = typed(
        ["--resume"], "diagnose", "audit-service worker", number, "its log stands still",
        "up", "verdict", "restart audit-service", "verdict",
    )  # fmt: skip
    assert "It is judged with your repair" in again
    # On a busy machine nobody can tell an order that never ends from one that is slow.
    assert re.search("[✗?] orders that came after your last change are as promised", again)
    assert "incident: passed" in again
    assert "What was wrong: a worker hangs" in again
    assert not kept.is_open()
    assert not [r for r in runs.all_runs() if r.processes]


def typed(options, *lines):
    """Run the command with these lines as its input; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "labkit", "incident", *options],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True, text=True, cwd=paths.repo(), env=os.environ.copy(), timeout=400,
    )  # fmt: skip
    return done.stdout + done.stderr
