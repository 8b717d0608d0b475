"""Run files as ``dapr run -f`` reads them, and wrong ones with key and line."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit import paths
from labkit.errors import LabError
from labkit.runfile import RunFileError, daprd_flags, load


def write(folder: Path, text: str) -> Path:
    for name in ("web", "web/own", "shared", "res"):
        (folder / name).mkdir(exist_ok=True)
    file = folder / "dapr.yaml"
    file.write_text(text)
    return file


FULL = """\
version: 1
common:
  resourcesPath: ./res
  logLevel: debug
  appMaxConcurrency: 5
  env:
    A: common
    B: 1
apps:
  - appDirPath: ./web/
    appPort: 8080
    resourcesPaths: [./own, ../shared]
    command: ["python3", "app.py", 1]
    env:
      A: own
      C: true
  - appID: second
    appDirPath: web
    logLevel: warn
    enableApiLogging: true
"""


def test_what_an_app_says_beats_what_all_say(tmp_path):
    one, two = load(write(tmp_path, FULL)).apps
    assert (one.app_id, two.app_id) == ("web", "second")
    assert one.env == {"A": "own", "B": "1", "C": "true"}
    assert two.env == {"A": "common", "B": "1"}
    assert one.resources == (tmp_path / "web" / "own", tmp_path / "shared")
    assert two.resources == (tmp_path / "res",)
    assert one.command == ("python3", "app.py", "1")
    assert one.app_port == 8080
    assert two.app_port is None
    assert "--app-port" in daprd_flags(one)
    flags = daprd_flags(two)
    assert flags[flags.index("--log-level") + 1] == "warn"
    assert flags[flags.index("--app-max-concurrency") + 1] == "5"


def test_resources_and_configuration_inside_the_app_are_found(tmp_path):
    (tmp_path / "web" / ".dapr" / "resources").mkdir(parents=True)
    (tmp_path / "web" / ".dapr" / "config.yaml").write_text("")
    (spec, _) = load(write(tmp_path, FULL.replace("resourcesPaths: [./own, ../shared]", ""))).apps
    assert spec.resources == (tmp_path / "web" / ".dapr" / "resources",)
    assert spec.config == tmp_path / "web" / ".dapr" / "config.yaml"


def test_the_run_file_of_the_course_names_its_four_apps_and_no_port():
    apps = load(paths.repo() / "services" / "dapr.yaml").apps
    assert len(apps) == 4
    assert {a.app_id for a in apps} == {a.folder.name for a in apps}
    assert all(a.app_port is None and a.dapr_http_port is None for a in apps)


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("version: 1\napps:\n  - appDirPath: web\n    apID: x\n", 4, "appID"),
        ("version: 1\ncomon: {}\napps: [{appDirPath: web}]\n", 2, "common"),
        ("apps:\n  - appDirPath: web\n", 1, "version: 1"),
        ("version: 1\napps: []\n", 1, "apps"),
        ("version: 1\napps:\n  - appID: x\n", 3, "appDirPath"),
        ("version: 1\napps:\n  - appDirPath: nowhere\n", 3, "nowhere"),
        ("version: 1\napps:\n  - appDirPath: web\n    appPort: many\n", 4, "whole number"),
        ("version: 1\napps:\n  - appDirPath: web\n    appPort: 70000\n", 3, "65535"),
        ("version: 1\napps:\n  - appDirPath: web\n    command: python\n", 4, "list"),
        ("version: 1\napps:\n  - appDirPath: web\n  - appDirPath: web\n", 4, "appID"),
        ("version: 1\napps:\n  - appDirPath: web\n    logLevel: [a]\n", 4, "text"),
        ("- a\n", 1, "version"),
        ("a: [\n", 1, "correct"),
    ],
)
def test_a_wrong_one_names_line_and_key(tmp_path, text, line, word):
    with pytest.raises(RunFileError) as caught:
        load(write(tmp_path, text))
    error = caught.value
    assert error.look_at.endswith(f"dapr.yaml:{line}")
    assert word in str(error)
    assert error.mend


def test_a_missing_one_says_so(tmp_path):
    with pytest.raises(RunFileError) as caught:
        load(tmp_path / "dapr.yaml")
    assert "cannot be read" in caught.value.title


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_and_never_raises_something_else(tmp_path_factory, text):
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with suppress(LabError):  # anything else fails the test
        load(file)
