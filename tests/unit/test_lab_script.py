"""``./lab`` before anything is set up: help is help, and installs nothing."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

from labkit import paths


@pytest.fixture
def clone(tmp_path):
    """A copy of the repository without its environment, and a HOME with nothing in it."""
    for name in ("lab", "labkit", "requirements"):
        source = paths.repo() / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    "words", [[], ["help"], ["--help"], ["test", "--help"], ["start", "-h"]], ids=" ".join
)
def test_help_installs_nothing(clone, words):
    before = {p.name for p in clone.iterdir()}
    env = {"PATH": os.environ["PATH"], "HOME": str(clone)}
    done = subprocess.run(
        [sys.executable, str(clone / "lab"), *words], env=env, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "usage: ./lab VERB" in done.stdout
    assert {p.name for p in clone.iterdir()} == before


def test_help_of_a_verb_asks_for_no_lock_of_the_tests(clone):
    done = subprocess.run(
        [sys.executable, str(paths.repo() / "lab"), "test", "--help"], capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    assert "usage: ./lab" in done.stdout
    assert "installing" not in done.stderr


PYTHON = "%d.%d" % sys.version_info[:2]  # noqa: UP031


def lab(clone, *words, python=sys.executable, **more):
    """Run ``./lab WORDS`` of the clone; return exit code, standard output, standard error."""
    env = {"PATH": os.environ["PATH"], "HOME": str(clone), **OFFLINE, **more}
    done = subprocess.run(
        [python, str(clone / "lab"), *words], env=env, capture_output=True, text=True, timeout=120,
        cwd=clone,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def loaded(clone):
    """Return the script of the clone as a module."""
    loader = SourceFileLoader("lab_of_clone", str(clone / "lab"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


OFFLINE = {
    **dict.fromkeys(("PIP_INDEX_URL", "UV_DEFAULT_INDEX"), "http://127.0.0.1:1/simple"),
    **dict.fromkeys(("PIP_RETRIES", "UV_HTTP_RETRIES"), "0"),
}
"""No test of this file may download anything."""


@pytest.fixture
def environment(tmp_path_factory):
    """An environment that ./lab made for another copy of the course, with its stamp."""
    root = tmp_path_factory.mktemp("colleague")
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".venv" / "bin" / "python").symlink_to(sys.executable)
    stamped(root, "course")
    return root / ".venv"


def stamped(root, *locks, python=PYTHON, made_in=None):
    names = []
    for name in locks:
        lock = (paths.repo() / "requirements" / f"{name}.lock").read_bytes()
        names.append(f"{name} {hashlib.sha256(lock).hexdigest()}")
    facts = {"root": str(made_in or root), "python": f"{python}.0 (main)", "locks": names}
    (root / ".venv" / "lab-stamp.json").write_text(json.dumps(facts))


def test_a_shared_environment_is_used_with_the_labkit_of_this_copy(clone):
    """The course's own environment, as a colleague would share it."""
    (clone / ".venv").symlink_to(sys.prefix)
    (clone / "labkit" / "cli" / "runtime.py").write_text(
        "def main(argv): print('from the copy', __file__)\n"
    )
    code, out, err = lab(clone, "runtime")
    assert (code, err) == (0, "")
    assert f"from the copy {clone}" in out


LINKED = {
    "nothing there": (lambda env: shutil.rmtree(env), "there is nothing at"),
    "no stamp": (lambda env: (env / "lab-stamp.json").unlink(), "is not where ./lab made it"),
    "moved": (lambda env: stamped(env.parent, "course", made_in="/x"), "is not where ./lab made"),
    "lock missing": (lambda env: stamped(env.parent), "lacks requirements/course.lock"),
}


@pytest.mark.parametrize(("harm", "cause"), LINKED.values(), ids=LINKED)
def test_a_linked_environment_that_cannot_be_used_has_its_cause_and_is_left_alone(
    clone, environment, harm, cause
):
    harm(environment)
    before = sorted(environment.rglob("*"))
    (clone / ".venv").symlink_to(environment)
    code, _, err = lab(clone, "setup")
    assert code == 1
    assert err.startswith("linked-environment: the environment that .venv links to cannot be used")
    assert cause in err
    assert "rm .venv" in err
    assert sorted(environment.rglob("*")) == before


def test_a_linked_environment_of_another_python_is_said_to_be_so(clone, environment):
    stamped(environment.parent, "course", python="2.7")
    (clone / ".venv").symlink_to(environment)
    code, _, err = lab(clone, "setup")
    assert code == 1
    assert "is not the one it was made with" in err


def test_the_next_sdk_is_linked_where_the_environment_is_that_of_another_copy(clone, environment):
    script, theirs = loaded(clone), environment.parent / ".next-sdk"
    (clone / ".venv").symlink_to(environment)
    mine = clone / ".next-sdk"
    mine.symlink_to(clone / "nowhere")
    theirs.mkdir()
    stamp = {"locks": [script.stamp_of("next-sdk")]}
    (theirs / "lab-stamp.json").write_text(json.dumps(stamp))
    script.bring_next_sdk()
    assert mine.resolve() == theirs
    script.install = None  # it is there now: nothing is installed
    script.bring_next_sdk()


def test_the_next_sdk_is_installed_into_a_folder_of_its_own(clone, environment, monkeypatch):
    script, asked = loaded(clone), []
    shutil.copytree(environment, clone / ".venv", symlinks=True)
    stamped(clone, "course")

    def install(venv, name, target):
        asked.append((venv, name, target))
        Path(target).mkdir()

    monkeypatch.setattr(script, "install", install)
    script.bring_next_sdk()
    script.bring_next_sdk()
    assert asked == [(str(clone / ".venv"), "next-sdk", str(clone / ".next-sdk"))]


BROKEN = {
    "an empty file as Python": lambda python: (python.unlink(), python.touch(0o755)),
    "no Python": lambda python: python.unlink(),
    "garbage as Python": lambda python: (
        (python.unlink(), python.write_bytes(b"\0" * 99)) and python.chmod(0o755)
    ),
    "made for another Python": lambda python: stamped(python.parents[2], "course", python="2.7"),
    "a closed folder": lambda python: python.parents[1].chmod(0),
}


@pytest.mark.parametrize("harm", BROKEN.values(), ids=BROKEN)
def test_setup_does_not_take_a_broken_environment_for_a_good_one(clone, environment, harm):
    script = loaded(clone)
    shutil.copytree(environment, clone / ".venv", symlinks=True)
    stamped(clone, "course")
    venv = str(clone / ".venv")
    assert script.missing_locks(venv, ["course"], True) == []
    python = clone / ".venv" / "bin" / "python"
    harm(python)
    closed = harm is BROKEN["a closed folder"]
    if not (closed and os.getuid() == 0):  # no folder is closed to root
        assert script.missing_locks(venv, ["course"], True) == ["course"]
    script.clear(venv)
    assert not (clone / ".venv").exists()


def test_nothing_but_an_environment_of_the_script_is_ever_removed(clone):
    for folder in (str(clone), str(clone / "labkit"), sys.prefix):
        with pytest.raises(ValueError, match="is not an environment"):
            loaded(clone).clear(folder)
    assert (clone / "labkit").exists()


def test_a_python_that_cannot_be_run_leads_to_the_set_up(clone, environment):
    shutil.copytree(environment, clone / ".venv", symlinks=True)
    stamped(clone, "course")
    (clone / ".venv" / "bin" / "python").unlink()
    (clone / ".venv" / "bin" / "python").touch(0o755)
    code, _, err = lab(clone, "status")
    assert code == 1
    assert err.startswith("broken-environment: the Python of the environment cannot be run")
    assert "./lab setup makes it again" in err


def test_python_home_of_another_python_is_not_passed_on(clone):
    (clone / ".venv").symlink_to(sys.prefix)
    (clone / "labkit" / "cli" / "runtime.py").write_text(
        "import os\ndef main(argv): print('home', os.environ.get('PYTHONHOME'))\n"
    )
    code, out, err = lab(clone, "runtime", PYTHONHOME=sys.base_prefix)
    assert (code, out) == (0, "home None\n"), err


def test_services_need_not_compile_their_packages_where_no_bytecode_is_to_be_written(
    clone, monkeypatch
):
    """Images for containers forbid it, and packages are installed without any."""
    seen = {"PYTHONDONTWRITEBYTECODE": "1"}
    monkeypatch.setattr(os, "environ", seen)
    monkeypatch.setattr(os, "execv", lambda *_: None)
    loaded(clone).hand_over(["doctor"])
    assert "PYTHONDONTWRITEBYTECODE" not in seen
    assert seen["PYTHONPYCACHEPREFIX"] == str(clone / ".lab" / "bytecode")


@pytest.mark.parametrize("way", ["cwd", "PYTHONPATH"])
def test_files_of_others_hide_no_module_of_a_command(clone, way):
    (clone / ".venv").symlink_to(sys.prefix)
    for name in ("json", "difflib", "psutil", "labkit", "subprocess"):
        (clone / "here").mkdir(exist_ok=True)
        (clone / "here" / f"{name}.py").write_text("raise SystemExit('the wrong one')\n")
    others = {"PYTHONPATH": str(clone / "here")} if way == "PYTHONPATH" else {}
    done = subprocess.run(
        [sys.executable, str(clone / "lab"), "runtime", "--help"], cwd=clone / "here",
        env={"PATH": os.environ["PATH"], "HOME": str(clone), **others}, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.stdout.startswith("usage: ./lab runtime"), done.stderr


@pytest.mark.parametrize(
    ("prefix", "site", "reason"),
    [
        ("/usr", "/nonexistent", "/nonexistent cannot be written"),
        ("colleague", ".", "is that of another copy of the course"),
    ],
)
def test_an_environment_of_others_is_not_installed_into(
    clone, environment, monkeypatch, prefix, site, reason
):
    script = loaded(clone)
    monkeypatch.setattr(sys, "prefix", str(environment) if prefix == "colleague" else prefix)
    assert reason in script.why_not_here(site)


def test_the_environment_of_the_system_is_not_installed_into(clone, monkeypatch, tmp_path):
    script = loaded(clone)
    (tmp_path / "EXTERNALLY-MANAGED").touch()
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setattr(script.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(script.Problem) as caught:
        script.bring_here()
    assert caught.value.text.startswith("no-environment")
    assert "belongs to the system" in caught.value.text
    assert "python3 -m venv" in caught.value.text


def test_packages_go_to_a_cache_of_ones_own_when_the_named_one_cannot_be_written(clone):
    (clone / "file").write_text("")
    code = (
        f"import runpy; lab = runpy.run_path({str(clone / 'lab')!r}); print(lab['cache_folder']())"
    )
    env = {"PATH": os.environ["PATH"], "HOME": str(clone), "LABKIT_CACHE": str(clone / "file")}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.stdout.strip() == str(clone / ".cache" / "dapr-multi-app-workflows"), done.stderr
