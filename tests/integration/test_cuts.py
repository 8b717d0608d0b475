"""The cut engine on real processes: two small apps, cut at their recorded events."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from labkit.cuts import Study
from labkit.cuts.study import NotKept, StudyRuns
from labkit.waiting import patience, wait_until

pytestmark = pytest.mark.timeout(600)

INVARIANTS = """
import os
import time


def ends(lab, instance_id):
    assert lab.run(instance_id).status == "COMPLETED"


def starts_once(lab, instance_id):
    starts = [part for part, _ in lab.app("caller").past if part == "worker"]
    assert len(starts) == 1, f"the caller was started {len(starts)} times"


def raises(lab, instance_id):
    return lab.no_such_thing


def never(lab, instance_id):
    return ["it is late", "it is wrong"]


def hangs_after_a_cut(lab, instance_id):
    if len([part for part, _ in lab.app("caller").past if part == "worker"]) > 1:
        time.sleep(600)


def ends_its_process_after_a_cut(lab, instance_id):
    if len([part for part, _ in lab.app("caller").past if part == "worker"]) > 1:
        os._exit(7)
"""


@pytest.fixture
def study(small, tmp_path, monkeypatch):
    """Return a function that makes a study of the two small apps."""
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "state"))
    file = tmp_path / "promises.py"
    file.write_text(INVARIANTS)

    def make(promise: str, workflow: str = "call", given: object = None, **options) -> Study:
        return Study(small, workflow, given or {}, f"{file}:{promise}", **options)

    return make


def test_a_promise_holds_whoever_is_cut(study):
    one = study("ends", "call_child")
    cuts = [c for c in one.cuts(["worker", "target", "everything"]) if c.point.number in (2, 4)]
    report = one.run(cuts)
    assert {c.name for c in cuts} > {"02-worker", "02-target", "02-everything", "04-worker"}
    assert report.held, report.as_dict()
    assert not list((one.folder / "kept").iterdir())
    assert not _labs_of(one)


@pytest.mark.parametrize(
    ("promise", "outcome", "words"),
    [
        ("hangs_after_a_cut", "no answer", "the invariant does not return"),
        ("ends_its_process_after_a_cut", "no lab", "exit code 7"),
    ],
)
def test_what_ends_or_stops_the_engine_itself_is_one_row(study, promise, outcome, words):
    one = study(promise, asking=1.0)
    cuts = [c for c in one.cuts(["worker", "target"]) if c.point.kind == "taskScheduled"]
    report = one.run(cuts, at_once=1)
    found = {c.victim: report.results[c.name] for c in cuts}
    assert found["worker"].outcome == outcome, found
    assert words in found["worker"].words
    assert found["target"].outcome == "held", "the cut after it is played by a new process"
    assert not _labs_of(one)


def test_a_broken_promise_is_named_and_its_traces_are_kept(study):
    one = study("starts_once")
    cuts = [c for c in one.cuts(["worker", "target"]) if c.point.kind == "taskScheduled"]
    told = []
    report = one.run(cuts, told=lambda result, done, total: told.append((result.cut, done, total)))
    found = {c.victim: report.results[c.name] for c in cuts}
    assert found["target"].outcome == "held", found
    assert found["worker"].outcome == "violated", found
    assert found["worker"].words == "the caller was started 2 times"
    assert Path(found["worker"].folder, "logs", "caller.worker.log").exists()
    bad = next(c.name for c in cuts if c.victim == "worker")
    assert report.swimlane(bad)._repr_html_().count("<svg") == 1
    assert report.counts() == {"held": 1, "violated": 1}
    with pytest.raises(NotKept):
        report.swimlane("99-worker")
    assert [t[1:] for t in told] == [(1, 2), (2, 2)]
    assert not report.held

    again = study("starts_once").run(cuts, told=lambda *_: pytest.fail("all cuts were played"))
    assert again.results == report.results
    one.folder.joinpath("results.jsonl").write_text('{"torn')
    assert study("starts_once")._earlier() == {}


@pytest.mark.parametrize("how", ["stop", "raise"])
def test_a_process_that_hangs_and_an_activity_that_raises(study, how):
    one = study("ends")
    victims = ["worker", "target"] if how == "stop" else ["before", "after"]
    cuts = [c for c in one.cuts(victims, how) if c.point.kind == "taskScheduled"]
    report = one.run(cuts)
    assert len(report.results) == 2
    # The small workflow has no retry policy: what its activity raises is the end of it.
    wanted = "held" if how == "stop" else "violated"
    assert {r.outcome for r in report.results.values()} == {wanted}, report.as_dict()


@pytest.mark.parametrize(
    ("promise", "workflow", "outcome", "words"),
    [
        ("raises", "call", "no answer", "AttributeError"),
        ("never", "call", "violated", "it is late; it is wrong"),
        ("ends", "sleepy", "not ended", "timerCreated"),
        ("ends", "nobody", "violated", ""),
    ],
)
def test_what_is_bad_without_a_cut_is_said_and_nothing_is_cut(
    study, promise, workflow, outcome, words
):
    one = study(promise, workflow, 600 if workflow == "sleepy" else {}, end=2)
    report = one.run(one.cuts(["worker"]))
    assert (report.uncut.outcome, report.results) == (outcome, {})
    assert words in report.uncut.words
    assert not report.held


def test_nothing_is_left_when_the_engine_is_killed_and_it_goes_on_later(study, small, tmp_path):
    given = tmp_path / "input.json"
    given.write_text("{}")
    one = study("ends")
    command = [
        *(sys.executable, "-m", "labkit.cli", "cuts", str(small), "--workflow", "call"),
        *("--input", str(given), "--invariant", one.task.invariant, "--victims", "worker"),
        *("--at-once", "1", "--json"),
    ]
    engine = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    results = one.folder / "results.jsonl"
    wait_until(lambda: results.exists() and results.read_text(), what="a first result", usual=60)
    with pytest.raises(StudyRuns):
        one.run(one.cuts(["worker"]))
    engine.send_signal(signal.SIGKILL)
    engine.wait()
    wait_until(lambda: not _labs_of(one), what="the lab of the engine is gone", usual=15)
    before = len(results.read_text().splitlines())
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    report = json.loads(done.stdout)
    assert report["held"]
    assert len(results.read_text().splitlines()) == len(report["results"]) > before >= 1


def test_an_interrupt_ends_all_labs(study, small, tmp_path):
    one = study("ends")
    code = (
        "import sys; from labkit.cuts import Study; "
        f"s = Study({str(small)!r}, 'call', {{}}, {one.task.invariant!r}); "
        "s.run(s.cuts(['worker', 'scheduler']))"
    )
    engine = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    wait_until(lambda: len(_labs_of(one)) > 5, what="a lab of the engine runs", usual=60)
    engine.send_signal(signal.SIGINT)
    assert engine.wait(30 * patience()) != 0
    wait_until(lambda: not _labs_of(one), what="no lab of the engine runs", usual=15)


def test_a_test_of_ones_own_has_one_case_per_cut(study, small, tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "conftest.py").write_text('pytest_plugins = ["labkit.cuts.plugin"]\n')
    (folder / "test_mine.py").write_text(
        "import pytest\n\n\n"
        f'@pytest.mark.cuts("{small}", workflow="call", input={{}}, points=[2],\n'
        f'                  invariant="{tmp_path}/promises.py:starts_once",\n'
        '                  victims=["worker", "target"])\n'
        "def test_mine(cut):\n    cut.require_held()\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-p", "no:randomly", "."],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert "test_mine[uncut] PASSED" in done.stdout, done.stdout
    assert "test_mine[02-target] PASSED" in done.stdout
    assert "test_mine[02-worker] FAILED" in done.stdout
    assert "02-worker: violated: the caller was started 2 times" in done.stdout


def _labs_of(study: Study) -> list[int]:
    """The pids of what runs in the state folders of a study."""
    found, mark = [], str(study.folder)
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and mark in process.environ().get("LABKIT_STATE", ""):
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found
