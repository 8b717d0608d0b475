"""The doctor: no question ends it, and each problem comes with its cause and its command."""

from __future__ import annotations

import os
import shutil
import sys
from types import SimpleNamespace as Fake

import pytest

import labkit
from labkit import machine, paths, versions, waiting
from labkit.apps.app import App
from labkit.cli import __main__ as cli
from labkit.host import environments, foreign, limits, sdk
from labkit.processes import ports
from labkit.runtime import ensured, found


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "state"))


def raising(problem):
    def fail(*_, **__):
        raise problem

    return fail


@pytest.mark.parametrize(
    "problem",
    [
        PermissionError(13, "Permission denied", "/closed"),
        RuntimeError("can't start new thread"),
        OSError("something odd"),
        limits.LimitTooLow("too low", asked="a", found="f", look_at="l", fix="raise it"),
    ],
    ids=lambda p: type(p).__name__,
)
def test_a_question_that_cannot_be_asked_is_a_problem_and_not_the_end(monkeypatch, problem):
    fail = raising(problem)
    fail.__name__ = "some_question"
    monkeypatch.setattr(machine, "QUESTIONS", (fail, machine.python_version))
    report = machine.doctor()
    assert [f.what for f in report] == ["some question", "Python"]
    assert report[0].problem
    assert report[0].fix


# --- the environment of ml-inference-service -----------------------------------------------------


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """The environment of ml-inference-service as ``./lab setup`` made it, where it may be broken.

    Its packages are those of the real one, by a link.
    """
    real = paths.repo() / "services" / environments.SERVICE / ".venv"
    if not real.exists():
        pytest.skip("./lab setup has not made it")
    made = tmp_path / ".venv"
    (made / "bin").mkdir(parents=True)
    (made / "bin" / "python").symlink_to((real / "bin" / "python").resolve())
    shutil.copy(real / "pyvenv.cfg", made)
    version = next((real / "lib").iterdir()).name
    (made / "lib" / version / "site-packages").mkdir(parents=True)
    for entry in next((real / "lib").glob("*/site-packages")).iterdir():
        (made / "lib" / version / "site-packages" / entry.name).symlink_to(entry)
    monkeypatch.setattr(environments, "folder", lambda: made)
    return made


def site(venv):
    return next((venv / "lib").glob("*/site-packages"))


def without(name):
    def harm(venv):
        for entry in site(venv).glob(f"{name}*"):
            entry.unlink()

    return harm


def as_python(text):
    def harm(venv):
        (venv / "bin" / "python").unlink()
        (venv / "bin" / "python").write_text(text)
        (venv / "bin" / "python").chmod(0o755)

    return harm


def another_version(venv):
    (entry,) = site(venv).glob("joblib-*.dist-info")
    entry.rename(entry.with_name("joblib-0.0.1.dist-info"))
    info = site(venv) / "joblib-0.0.1.dist-info"
    info.unlink()
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: joblib\nVersion: 0.0.1\n")


def broken_numpy(venv):
    (site(venv) / "numpy").unlink()
    (site(venv) / "numpy").mkdir()
    (site(venv) / "numpy" / "__init__.py").write_text("raise ImportError('built for another')\n")


BROKEN = {
    "missing": (shutil.rmtree, "not made yet"),
    "without its Python": (lambda v: (v / "bin" / "python").unlink(), "python is missing"),
    "an empty file as Python": (as_python(""), "its Python cannot be run: OSError"),
    "a script as Python": (as_python("#!/bin/sh\nexit 0\n"), "is not a Python that works"),
    "a package missing": (without("joblib"), "joblib 1.6.0 is missing"),
    "a package of another version": (another_version, "joblib is 0.0.1"),
    "no packages, as with another Python": (without(""), "and"),
    "a package that cannot be loaded": (broken_numpy, "built for another"),
}


@pytest.mark.parametrize(("harm", "said"), BROKEN.values(), ids=BROKEN)
def test_a_broken_environment_of_an_app_is_found_with_its_cause(environment, harm, said):
    harm(environment)
    finding = machine.ml_environment()
    assert finding.problem
    assert said in finding.problem
    assert finding.fix == "./lab setup"
    with pytest.raises(environments.EnvironmentBroken):
        environments.require()


def test_an_app_that_lacks_a_package_is_sent_to_the_set_up_only_when_its_environment_is_broken(
    environment, monkeypatch
):
    app = Fake(spec=Fake(folder=environment.parent), app_id="ml")
    life = Fake(last_line=lambda: "ModuleNotFoundError: No module named 'joblib'")
    assert not App._lacks_its_packages(app, life), "a mistake of the learner"
    without("joblib")(environment)
    assert App._lacks_its_packages(app, life)
    life.last_line = lambda: "KeyError: 'title'"
    assert not App._lacks_its_packages(app, life)


def test_a_whole_environment_is_good(environment):
    assert machine.ml_environment().problem is None


def test_an_environment_in_a_folder_that_is_closed_is_found(environment, monkeypatch):
    denied = PermissionError(13, "Permission denied", str(environment))
    monkeypatch.setattr(environments.subprocess, "run", raising(denied))
    assert "its Python cannot be run: PermissionError" in machine.ml_environment().problem


# --- the rest ------------------------------------------------------------------------------------


def test_two_halves_of_the_sdk_are_said_by_the_doctor_and_by_a_lab(monkeypatch, capsys):
    halves = {"dapr": versions.PYTHON_SDK, "dapr-ext-workflow": "1.17.0"}
    monkeypatch.setattr(sdk.metadata, "version", halves.__getitem__)
    assert "dapr-ext-workflow 1.17.0" in machine.sdk_pair().problem
    assert f"dapr-ext-workflow=={versions.PYTHON_SDK}" in machine.sdk_pair().fix
    sdk.warn()
    sdk.warn()
    assert capsys.readouterr().err.count("dapr-ext-workflow 1.17.0") == 1


def test_an_sdk_that_cannot_be_loaded_is_named_in_a_terminal_and_in_a_cell(monkeypatch, capsys):
    broken = ModuleNotFoundError("No module named 'dapr.ext.workflow._durabletask'")
    monkeypatch.setattr("labkit.cli.demo.main", raising(broken))
    with pytest.raises(ModuleNotFoundError):
        cli.main(["demo"])
    halves = {"dapr": versions.PYTHON_SDK, "dapr-ext-workflow": "1.17.0"}
    monkeypatch.setattr(sdk.metadata, "version", halves.__getitem__)
    assert cli.main(["demo"]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("mixed-sdk: the Dapr SDK of this environment is not the one of the")
    assert "pip install --force-reinstall" in shown
    monkeypatch.setattr(labkit, "import_module", raising(broken))
    with pytest.raises(sdk.MixedSdk):
        _ = labkit.Lab


@pytest.mark.parametrize(
    "problem",
    [
        ModuleNotFoundError("No module named 'psutil'", name="psutil"),
        ImportError("cannot import name 'Process' from 'psutil'", name="psutil"),
    ],
)
def test_a_package_that_this_environment_has_lost_is_named(monkeypatch, capsys, problem):
    monkeypatch.setattr("labkit.cli.demo.main", raising(problem))
    assert cli.main(["demo"]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("package-missing: the package psutil is missing from this environment")
    assert "./lab setup" in shown or "pip install" in shown


def test_an_error_of_labkit_itself_is_not_blamed_on_a_package(monkeypatch):
    monkeypatch.setattr("labkit.cli.demo.main", raising(ImportError("x", name="labkit.nothing")))
    with pytest.raises(ImportError):
        cli.main(["demo"])


def test_a_broken_environment_is_made_again_and_one_that_a_link_leads_to_is_not(
    environment, monkeypatch, tmp_path
):
    (environment / environments.STAMP).write_text("{}")
    environments.discard()
    assert not (environment / environments.STAMP).exists()
    link = tmp_path / "link"
    link.symlink_to(environment)
    monkeypatch.setattr(environments, "folder", lambda: link)
    (environment / environments.STAMP).write_text("{}")
    without("joblib")(environment)
    with pytest.raises(environments.EnvironmentBroken) as caught:
        environments.discard()
    assert "remove the link" in caught.value.fix
    assert (environment / environments.STAMP).exists()


def test_the_right_sdk_is_not_spoken_of(capsys):
    sdk.warn()
    assert capsys.readouterr().err == ""


def test_a_module_of_others_on_pythonpath_is_found(monkeypatch, tmp_path):
    (tmp_path / "httpx.py").write_text("raise ValueError('not ours')\n")
    (tmp_path / "harmless_name.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", f"{paths.repo()}{os.pathsep}{tmp_path}")
    finding = machine.foreign_modules()
    assert f"httpx ({tmp_path / 'httpx.py'})" in finding.problem
    assert "harmless_name" not in finding.evidence
    assert finding.fix == "unset PYTHONPATH"
    monkeypatch.setenv("PYTHONPATH", str(paths.repo()))
    assert machine.foreign_modules().problem is None


def test_a_lab_without_pythonpath_does_not_look_for_modules_of_others(monkeypatch, capsys):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setattr(foreign.metadata, "packages_distributions", raising(AssertionError))
    foreign.warn()
    assert capsys.readouterr().err == ""


FOREIGN = {
    "raises": "raise ValueError('not ours')\n",
    "is wrong Python": "def\n",
    "lacks a name": "",
    "ends the program": "import no_such_module_at_all\n",
}


@pytest.mark.parametrize("text", FOREIGN.values(), ids=FOREIGN)
def test_any_command_names_the_module_of_others_that_breaks_it(tmp_path, monkeypatch, text):
    file = tmp_path / "mistaken_module.py"
    file.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(
        foreign.metadata, "packages_distributions", lambda: {"mistaken_module": ["x"]}
    )

    def uses(argv):
        sys.modules.pop("mistaken_module", None)
        import mistaken_module

        return mistaken_module.Client

    monkeypatch.setattr("labkit.cli.demo.main", uses)
    assert cli.main(["demo"]) == 1


def test_the_module_of_others_is_named_with_its_file_and_the_fix(tmp_path, monkeypatch, capsys):
    test_any_command_names_the_module_of_others_that_breaks_it(
        tmp_path, monkeypatch, FOREIGN["raises"]
    )
    shown = capsys.readouterr().err
    assert shown.startswith("foreign-module: a file of somebody else hides the module mistaken_mod")
    assert str(tmp_path / "mistaken_module.py") in shown
    assert "unset PYTHONPATH, or rename mistaken_module.py" in shown


def test_an_installed_labkit_that_is_older_than_the_course_is_found(monkeypatch, tmp_path):
    assert machine.labkit_itself().problem is None
    copy = shutil.copytree(paths.repo() / "labkit", tmp_path / "site-packages" / "labkit")
    monkeypatch.setattr(machine, "__file__", str(copy / "machine.py"))
    assert machine.labkit_itself().problem is None
    (copy / "labs" / "lab.py").write_text("# of last year\n")
    assert "labs/lab.py" in machine.labkit_itself().problem
    assert "pip install ." in machine.labkit_itself().fix


def test_a_busy_machine_is_named_and_is_no_problem(monkeypatch):
    monkeypatch.setattr(machine, "patience", lambda: 12.0)
    assert "12 times as long" in machine.load().evidence
    assert machine.load().problem is None
    assert waiting.patience() >= 1


def test_a_damaged_runtime_is_found_and_set_up_repairs_it(monkeypatch, tmp_path):
    damaged = found.RuntimeDamaged("damaged", asked="a", found="f", look_at="l", fix="f")
    monkeypatch.setattr(machine, "binaries", raising(damaged))
    finding = machine.dapr_runtime()
    assert (finding.problem, finding.fix) == ("damaged", "./lab setup")


def test_blocks_of_ports_in_use_are_not_said_to_be_held_by_labs_only(monkeypatch):
    monkeypatch.setattr(ports, "_bound", lambda port: None)
    with pytest.raises(ports.NoPortsLeft) as caught:
        ports.reserve()
    assert "or by other programs" in caught.value.found
    assert machine.free_ports().problem == "no block of ports is free"


def test_the_error_of_a_full_disk_is_the_same_in_a_set_up_and_elsewhere():
    assert ensured.DiskFull.code == "disk-full"
