"""What runs is older than what is on disk: the file is named, and the command that loads it."""

from __future__ import annotations

from labkit.labs.attached import Attached
from tests.support.deployments import TARGET


def newer(lab):
    seen = Attached(lab.run_file.path)
    found = [{a.app_id: a.newer_files() for a in view.started_apps()} for view in (lab, seen)]
    seen.close()
    assert found[0] == found[1]
    return {app_id: files for app_id, files in found[0].items() if files}


def test_a_file_that_was_saved_after_the_start_is_named_until_it_is_loaded(make_lab, small, capsys):
    lab = make_lab(small)
    lab.up(announce=False)
    assert newer(lab) == {}
    (small.parent / "target" / "main.py").write_text(TARGET + "# changed\n")
    assert newer(lab) == {"target": ["target/main.py"]}
    lab.up()
    shown = capsys.readouterr().out
    assert "caller: ready\n" in shown
    assert "since it started: target/main.py; lab.restart('target') loads it" in shown
    lab.restart("target", announce=False)
    assert newer(lab) == {}
    lab.up()
    assert capsys.readouterr().out == "caller: ready\ntarget: ready\n"


def test_a_component_and_the_run_file_are_files_of_an_app_too(make_lab, small, capsys):
    lab = make_lab(small)
    lab.up(announce=False)
    store = small.parent / "components" / "statestore.yaml"
    store.write_text(store.read_text() + "\n")
    assert newer(lab) == {a: ["components/statestore.yaml"] for a in ("caller", "target")}
    lab.restart("caller", announce=False)
    assert newer(lab) == {"target": ["components/statestore.yaml"]}
    small.write_text(small.read_text() + "\n")
    assert newer(lab)["caller"] == ["dapr.yaml"]
    lab.restart("caller")
    assert "a new Lab(...)" in capsys.readouterr().out, "a restart does not read the run file"


def test_a_part_that_does_not_run_has_no_older_code(make_lab, small):
    lab = make_lab(small)
    lab.up(announce=False)
    lab.kill("target", "worker", announce=False)
    (small.parent / "target" / "main.py").write_text(TARGET + "# changed\n")
    assert newer(lab) == {}
    lab.up(announce=False)
    assert newer(lab) == {}
