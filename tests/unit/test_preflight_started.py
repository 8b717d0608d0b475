"""Which files of a folder an app runs, by its command."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.preflight import inspect
from labkit.preflight.started import files
from tests.support.manifests import about, calling, run_file, states, worker

SOURCES = {
    "main.py": "import helper\nfrom pkg import deep",
    "other.py": "",
    "helper.py": "import os, third_party",
    "pkg/__init__.py": "from .inner import x",
    "pkg/inner.py": "import helper",
    "pkg/deep.py": "",
    "pkg/__main__.py": "from pkg.deep import y",
    "ring.py": "import ring2",
    "ring2.py": "import ring",
    "dynamic.py": "import importlib\nimportlib.import_module('x')",
    "paths.py": "import sys\nsys.path.insert(0, 'x')",
    "wrong.py": "def",
    "below/script.py": "import helper, beside",
    "below/beside.py": "",
    "space/mod.py": "",
    "by_space.py": "import space.mod",
}
MAIN = ["main.py", "helper.py", "pkg/__init__.py", "pkg/deep.py", "pkg/inner.py"]
PKG = ["pkg/__init__.py", "pkg/__main__.py", "pkg/inner.py", "pkg/deep.py"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in SOURCES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        (["python3", "main.py"], MAIN),
        (["python3", "-u", "./main.py", "other.py"], MAIN),
        (["uv", "run", "main.py"], MAIN),
        ([".venv/bin/python", "-m", "main"], MAIN),
        (["python3", "-m", "pkg"], [*PKG, "helper.py"]),
        (["python3", "-m", "uvicorn", "main:app", "--port", "80"], MAIN),
        (["gunicorn", "pkg.deep:create()"], [f for f in MAIN if f != "main.py"]),
        (["python3", "-c", "import other; other.serve()"], ["other.py"]),
        (["sh", "-c", "exec python3 other.py"], ["other.py"]),
        (["python3", "below/script.py"], ["below/script.py", "below/beside.py"]),
        (["python3", "ring.py"], ["ring.py", "ring2.py"]),
        (["python3", "wrong.py"], ["wrong.py"]),
        (["python3", "by_space.py"], ["by_space.py", "space/mod.py"]),
        ([], None),
        (["./start.sh"], None),
        (["node", "app.js"], None),
        (["python3", "missing.py"], None),
        (["python3", "-c", "exec(open('x').read())"], None),
        (["python3", "-c", "def"], None),
        (["python3", "dynamic.py"], None),
        (["python3", "paths.py"], None),
        (["sh", "-c", "cd below && python3 script.py"], None),
        (["sh", "-c", "'"], None),
        (["python3", "\0.py"], None),
    ],
)
def test_a_command_runs_its_file_and_what_that_imports_from_the_folder(folder, command, wanted):
    found = files(folder, command)
    names = None if found is None else sorted(str(f.relative_to(folder)) for f in found)
    assert names == (None if wanted is None else sorted(wanted))


def three_apps(folder: Path) -> Path:
    """Three apps of one folder and three commands, as in the examples of the Python SDK."""
    apps = [
        f"{name}: appDirPath: code; command: [python3, {name}.py]"
        for name in ("one", "two", "three")
    ]
    file = run_file(folder, *apps)
    file.write_text(
        "".join(
            line
            for line in file.read_text().splitlines(keepends=True)
            if line.strip() not in ("appDirPath: one", "appDirPath: two", "appDirPath: three")
        )
    )
    worker(folder / "code", calling("call_activity('work', app_id='two')"), "one.py")
    worker(folder / "code", "import shared\n@wfr.activity\ndef work(ctx): ...\n", "two.py")
    worker(folder / "code", "@wfr.activity\ndef other(ctx): ...\n", "three.py")
    worker(folder / "code", "@wfr.activity\ndef common(ctx): ...\n", "shared.py")
    return file


def test_apps_that_share_a_folder_are_told_apart_by_their_commands(tmp_path):
    file = three_apps(tmp_path)
    (found,) = about(inspect([file]), "names")
    assert (found.state, found.why) == (
        "holds",
        f"two registers work in {tmp_path / 'code' / 'two.py'}:5",
    )
    worker(tmp_path / "code", calling("call_activity('work', app_id='three')"), "one.py")
    (found,) = about(inspect([file]), "names")
    assert found.state == "cannot be known"
    assert "two.py:5 may, and no file that its command runs imports it" in found.why
    worker(tmp_path / "code", calling("call_activity('nowhere', app_id='three')"), "one.py")
    assert states(inspect([file])) == ["broken"]


def test_a_command_that_does_not_say_what_it_runs_leaves_it_open(tmp_path):
    file = three_apps(tmp_path)
    file.write_text(file.read_text().replace("python3, two.py", "./start.sh"))
    (found,) = about(inspect([file]), "names")
    assert found.state == "cannot be known"
    assert "several apps have that folder" in found.why


def test_with_a_python_path_nobody_knows_what_is_imported(tmp_path):
    file = three_apps(tmp_path)
    common = "common: {resourcesPath: ./components, env: {PYTHONPATH: x}}"
    file.write_text(file.read_text().replace("common: {resourcesPath: ./components}", common))
    (found,) = about(inspect([file]), "names")
    assert found.state == "cannot be known"
