"""A check has a lab of its own beside the learner's, which nobody else meets."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from labkit.labs import lab as lab_module
from labkit.labs import runs
from labkit.labs.attached import Attached
from labkit.labs.lab import Lab, NothingToResume
from labkit.labs.runs import all_runs
from labkit.processes import ports
from labkit.processes.ports import NoPortsLeft

ENV = {"GREETING": "drawn for it", "PLACE": "check"}


def test_a_private_lab_disturbs_no_other_and_is_found_by_nobody(make_lab, small, capsys):
    small.write_text(small.read_text() + "  env: {GREETING: of the run file}\n")
    lab = make_lab(small)
    lab.up(announce=False)
    own = make_lab(small, private=True, env=ENV)
    own.up(announce=False)
    own.kill("target", "worker", announce=False)
    own.restart("target", announce=False)
    own.stop("caller", announce=False)
    assert capsys.readouterr().out == ""
    assert own.app("target").launch.env("worker").items() >= ENV.items()
    assert lab.app("target").launch.env("worker")["GREETING"] == "of the run file"
    seen = Attached(small)
    assert (seen.folder, seen.notice) == (lab.folder, "")
    seen.close()
    lab.client("caller").schedule_new_workflow("call", input={}, instance_id="w")
    assert lab.run("w").wait(usual=60).status == "COMPLETED"
    own.down()
    assert own.folder.exists()
    lab.down()
    taken = make_lab(small, resume=True)
    assert taken.folder == lab.folder, "the newest ended run is a private one"


def test_the_folder_of_a_private_lab_is_kept_until_the_next_one(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path))
    one, other = tmp_path / "a.yaml", tmp_path / "b.yaml"
    kept = runs.create(one, None, private=True)
    kept.close()
    for _ in range(runs.KEEP + 1):
        runs.create(one, None).close()
    runs.create(other, None, private=True).close()
    assert kept.path.exists()
    assert len([r for r in all_runs() if not r.is_private]) == runs.KEEP
    runs.create(one, None, private=True).close()
    assert not kept.path.exists()


def test_in_a_notebook_a_lab_that_cannot_be_made_takes_no_place(make_lab, small, monkeypatch):
    """Lab(resume=True) without a run; the advice is to make a Lab(), which must then work."""
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: Shell()))
    monkeypatch.setattr(lab_module, "_in_this_kernel", None)
    with pytest.raises(NothingToResume):
        make_lab(small, resume=True)
    first = make_lab(small)
    private = make_lab(small, private=True)
    second = make_lab(small)
    assert lab_module._in_this_kernel is second
    assert first.troubles()[0].how.startswith("was ended")
    assert private.troubles() == []
    second.down()


def test_a_lab_that_finds_no_ports_holds_no_run(small, tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(ports, "_starts", list)
    with pytest.raises(NoPortsLeft):
        Lab(small)
    (run,) = all_runs()
    assert not run.alive


class Shell:
    """As much of IPython as a lab asks for."""

    custom_exceptions = ()

    def set_custom_exc(self, kinds, handler):
        self.custom_exceptions = kinds
