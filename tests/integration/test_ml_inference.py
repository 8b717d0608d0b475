"""ml-inference-service: its own packages, its model, its limit."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import subprocess

import pytest

from labkit import Lab, copy_of_services, paths

APP = "ml-inference-service"
SERVICE = paths.repo() / "services" / APP
PYTHON = SERVICE / ".venv" / "bin" / "python"
ORDER = {"task_id": "t", "assignee_email": "alice@example.com", "assignee_user_id": "user-alice"}


def run(code: str, *words: str) -> str:
    """Run code with the service's own Python, in its folder; return what it prints."""
    done = subprocess.run(
        [PYTHON, "-c", code, *words], cwd=SERVICE, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("title", "priority", "channels"),
    [("Production outage", "high", ["email", "push"]), ("Water the plants", "normal", ["email"])],
)
def test_the_model_decides_whether_a_push_is_sent(lab, title, priority, channels):
    lab.up("task-orchestrator-service", "notification-service", APP, announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_with_priority", input={**ORDER, "title": title},
                                 instance_id="p")  # fmt: skip
    output = lab.run("p").wait().output
    assert output["priority"] == priority
    assert [n["channel"] for n in output["notifications_sent"]] == channels


def test_training_again_gives_a_model_that_judges_the_same(tmp_path):
    subprocess.run([PYTHON, "train.py", tmp_path], cwd=SERVICE, check=True)
    with (SERVICE / "tasks.csv").open(encoding="utf-8", newline="") as file:
        titles = [row["title"] for row in csv.DictReader(file)]
    code = (
        "import sys, json, main; from pathlib import Path;"
        "main.MODEL = main.load(Path(sys.argv[1])); print(json.dumps(main.scores(sys.argv[2:])))"
    )
    kept, again = (json.loads(run(code, str(f), *titles)) for f in (SERVICE, tmp_path))
    assert again == pytest.approx(kept, abs=0.002)


def test_the_card_and_the_hash_are_those_of_the_model():
    card = (SERVICE / "MODEL.md").read_text()
    for name in ("model.joblib", "tasks.csv"):
        assert hashlib.sha256((SERVICE / name).read_bytes()).hexdigest() in card
    told = (SERVICE / "model.sha256").read_text().split()
    assert told == [hashlib.sha256((SERVICE / "model.joblib").read_bytes()).hexdigest(), told[1]]


def test_the_arrays_of_a_gpu_library_are_used_where_there_is_a_gpu():
    # No GPU here: NumPy under CuPy's name shows that the choice is made, and that scores agree.
    code = (
        "import sys, types, numpy, main; here = main.scores(['Production outage']);"
        "counts = {'n': 1}; cupy = types.ModuleType('cupy'); vars(cupy).update(vars(numpy));"
        "cupy.cuda = types.SimpleNamespace(runtime=types.SimpleNamespace("
        "getDeviceCount=lambda: counts['n'])); sys.modules['cupy'] = cupy;"
        "name, main.ARRAYS = main.device(); there = main.scores(['Production outage']);"
        "counts['n'] = 0; print(name, main.device()[0], here == there)"
    )
    assert run(code).split() == ["gpu", "cpu", "True"]


def test_an_explanation_names_the_word_that_counts():
    code = (
        "import main; text = 'please look at the outage today';"
        "print(main.explanation(text, main.scores([text])[0])[0])"
    )
    assert run(code).strip() == "outage"


def test_a_model_with_another_hash_is_not_loaded(tmp_path):
    copy = shutil.copytree(SERVICE, tmp_path / APP, ignore=shutil.ignore_patterns(".venv"))
    with (copy / "model.joblib").open("ab") as model:
        model.write(b"!")
    done = subprocess.run([PYTHON, "main.py"], cwd=copy, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "is not the file in model.sha256; not loaded." in done.stdout


def test_a_copy_for_an_exercise_uses_the_same_environment_and_its_own_limit(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path))
    run_file = copy_of_services("x", APP)
    with Lab(run_file) as lab:
        lab.up(announce=False)
        command = lab.app(APP).launch.argv("sidecar")
        assert str(run_file.parent / APP / "config.yaml") in command
        assert command.count("--config") == 2
        assert lab.app(APP).connected_workers() == 1


def test_a_missing_environment_is_told_with_the_command_that_makes_it(tmp_path, monkeypatch):
    from labkit.errors import LabError

    monkeypatch.setenv("LABKIT_STATE", str(tmp_path))
    run_file = copy_of_services("x", APP)
    (run_file.parent / APP / ".venv").unlink()
    with Lab(run_file) as lab, pytest.raises(LabError) as told:
        lab.up(announce=False)
    assert "./lab setup" in told.value.fix
