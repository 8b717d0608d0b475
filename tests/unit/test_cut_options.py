"""Options, files and folders of a study that make no sense are refused before a lab starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labkit.cuts import command
from labkit.cuts.invariant import WrongInvariant, load
from labkit.cuts.study import Study
from labkit.errors import LabError

RUN = "version: 1\napps:\n- {appID: orders, appDirPath: orders, command: [python3, main.py]}\n"
NEEDED = ["p", "--workflow", "w", "--input", "i", "--invariant", "f:g"]
NUMBERS = [
    "--at-once=-1",
    "--at-once=0",
    "--sample=0",
    "--sample=-1",
    "--end=nan",
    "--end=soon",
    "--away=-1",
]


def study(folder: Path, monkeypatch, workflow: str = "order") -> Study:
    monkeypatch.setenv("LABKIT_STATE", str(folder / "state"))
    (folder / "orders").mkdir(exist_ok=True)
    (folder / "orders" / "main.py").write_text("")
    (folder / "dapr.yaml").write_text(RUN)
    (folder / "promise.py").write_text("def holds(lab, i): ...\n")
    return Study(folder / "dapr.yaml", workflow, 1, f"{folder / 'promise.py'}:holds")


@pytest.mark.parametrize("option", NUMBERS)
def test_a_number_that_makes_no_sense_is_refused(option, capsys):
    with pytest.raises(SystemExit) as ended:
        command._parser().parse_args([*NEEDED, option])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert option.partition("=")[0] in said
    assert "invalid _" not in said


@pytest.mark.parametrize("given", ["²", "0", "4-1", "6"])
def test_events_that_are_not_there_are_refused(given):
    with pytest.raises(command.WrongOption):
        command._numbers(given, 5)


@pytest.mark.parametrize("deep", [True, False])
def test_an_input_that_is_no_file_or_nested_too_deep_is_refused(tmp_path, deep):
    file = tmp_path / "input.json"
    file.write_text("[" * 100_000) if deep else os.mkfifo(file)
    with pytest.raises(command.WrongOption):
        command._json_of(str(file))


def test_an_invariant_that_ends_python_is_no_promise_that_held(tmp_path):
    (tmp_path / "promise.py").write_text("import sys\nsys.exit(0)\n")
    with pytest.raises(WrongInvariant):
        load(f"{tmp_path / 'promise.py'}:holds")


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: (folder / ".#main.py").symlink_to("me@host.1:2"),
        lambda folder: (folder / "data.json").mkdir(),
        lambda folder: os.mkfifo(folder / "x.json"),
    ],
    ids=["lock file of an editor", "folder", "pipe"],
)
def test_a_study_reads_files_only(tmp_path, monkeypatch, make):
    (tmp_path / "orders").mkdir()
    make(tmp_path / "orders")
    study(tmp_path, monkeypatch)


def test_the_folder_of_a_study_stays_where_studies_are(tmp_path, monkeypatch):
    for workflow in ("../../x", "x" * 300):
        made = study(tmp_path, monkeypatch, workflow).folder
        assert made.parent.name == "cuts"
        assert made.is_dir()


def test_results_that_are_torn_are_played_again(tmp_path, monkeypatch):
    made = study(tmp_path, monkeypatch)
    lines = [b"\xff\xfe", b"[" * 100_000, b'{"cut": 1', b'{"other": "version"}']
    (made.folder / "results.jsonl").write_bytes(b"\n".join(lines))
    assert made._earlier() == {}


def test_a_recording_that_is_torn_is_recorded_again(tmp_path, monkeypatch):
    made = study(tmp_path, monkeypatch)
    kept = made.folder / "recorded.json"
    kept.write_text('{"result": {')

    class NoLab(LabError):
        """Stands for the start of a lab, which this test does not need."""

    def asked(*_):
        raise NoLab("a lab is started", asked="", found="", look_at="", fix="")

    monkeypatch.setattr("labkit.cuts.study.Slot", asked)
    with pytest.raises(NoLab):
        made.record()
    assert not kept.exists()
