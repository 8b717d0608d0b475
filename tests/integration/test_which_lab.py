"""Which lab somebody from outside looks at, and what is said when there is none any more."""

from __future__ import annotations

import json
import os
import signal

import pytest

from labkit import paths
from labkit.cli import __main__ as cli
from labkit.labs.attached import Attached, LabNotRunning, RunFileChanged
from labkit.processes import lifeline
from labkit.waiting import wait_until
from tests.chaos.conftest import kernel
from tests.support.deployments import TARGET

__all__ = ["kernel"]


def test_an_app_that_the_run_file_has_lost_is_named(make_lab, small):
    lab = make_lab(small)
    lab.up(announce=False)
    small.write_text(small.read_text().replace("appID: target", "appID: goal"))
    with pytest.raises(RunFileChanged) as caught:
        Attached(lab.run_file.path)
    assert "target" in caught.value.title
    assert "goal" in caught.value.found


def test_of_two_labs_of_one_file_it_is_said_which_one_is_looked_at(make_lab, small):
    older, newer = make_lab(small), make_lab(small)
    older.up("caller", announce=False)
    newer.up("caller", announce=False)
    seen = Attached(small)
    assert seen.folder == newer.folder
    assert older.folder.name in seen.notice
    seen.close()
    newer.down()
    seen = Attached(small)
    assert seen.folder == older.folder
    assert f"{newer.folder.name}" in seen.notice
    assert "has ended" in seen.notice
    seen.close()
    older.down()
    with pytest.raises(LabNotRunning) as caught:
        Attached(small)
    assert newer.folder.name in caught.value.found


def test_a_lab_whose_kernel_was_killed_is_gone_at_once(kernel, small):
    one = kernel()
    one.run(f"from labkit import Lab\nlab = Lab({str(small)!r})\nlab.up(announce=False)")
    seen = Attached(small)
    seen.close()
    os.kill(one.pid(), signal.SIGKILL)
    wait_until(lambda: _not_running(small), 2, "the lab of the killed kernel is not found")
    wait_until(lambda: lifeline.marked(seen.folder.name) == [])


def _not_running(run_file):
    try:
        Attached(run_file).close()
    except LabNotRunning:
        return True
    return False


def test_ps_names_each_process_what_ended_and_what_is_newer(make_lab, small, capsys):
    lab = make_lab(small)
    lab.up(announce=False)
    lab.kill("caller", "worker", announce=False)
    (small.parent / "target" / "main.py").write_text(TARGET + "# changed\n")
    assert cli.main(["ps"]) == 0
    shown = capsys.readouterr().out
    assert "caller worker: ended with signal SIGKILL" in shown
    assert "target worker: running" in shown
    assert "target/main.py: saved after it was started; lab.restart('target')" in shown
    assert f"kernel {os.getpid()}" in shown
    assert cli.main(["ps", "--json"]) == 0
    (listed,) = [
        r for r in json.loads(capsys.readouterr().out)["labs"] if r["id"] == lab.folder.name
    ]
    assert {p["name"] for p in listed["processes"]} >= {"placement", "caller worker"}
    assert listed["newer_files"] == {"target": ["target/main.py"]}


def test_a_stopped_lab_says_that_it_was_stopped(make_lab, small, capsys):
    lab = make_lab(small)
    lab.up(announce=False)
    client = lab.client("caller")
    assert cli.main(["stop", lab.folder.name]) == 0
    wait_until(lambda: not [p for p in lab.processes() if p.is_alive])
    capsys.readouterr()
    assert cli.main(["ps"]) == 0
    shown = capsys.readouterr().out
    assert "was stopped by ./lab stop; lab.up() starts everything again" in shown
    assert "its sidec\n" not in shown
    for lookup in (lab, Attached(small)):
        (trouble,) = lookup.troubles()
        assert "was stopped by ./lab stop" in str(trouble)
    with pytest.raises(Exception, match=r"was stopped by \./lab stop"):
        client.schedule_new_workflow("call", input={}, instance_id="n")
    lab.up(announce=False)
    assert lab.troubles() == []
    client.schedule_new_workflow("call", input={}, instance_id="n")
    assert lab.run("n").wait(usual=60).status == "COMPLETED"


def test_ps_names_what_a_service_started_itself(make_lab, tmp_path, capsys):
    from tests.support.deployments import write_small

    run_file = write_small(tmp_path / "own")
    (run_file.parent / "target" / "both.sh").write_text("sleep 1000 &\nexec python3 main.py\n")
    head, _, tail = run_file.read_text().rpartition('["python3", "main.py"]')
    run_file.write_text(f'{head}["sh", "both.sh"]{tail}')
    lab = make_lab(run_file)
    lab.up(announce=False)
    assert cli.main(["ps"]) == 0
    assert "started by target worker: sleep 1000" in capsys.readouterr().out
    assert paths.runs().exists()


def test_a_look_from_outside_goes_on_with_what_is_started_later(make_lab, small):
    lab = make_lab(small)
    lab.up("caller", announce=False)
    seen = Attached(small)
    assert [a.app_id for a in seen.started_apps()] == ["caller"]
    lab.up("target", announce=False)
    assert seen.app("target").connected_workers() == 1
    lab.kill("target", "worker", announce=False)
    wait_until(lambda: [t.title for t in seen.troubles()] == ["target worker"], usual=10)
    lab.up(announce=False)
    assert seen.troubles() == []
    assert seen.app("target").process("worker").pid == lab.app("target").process("worker").pid
    seen.close()
