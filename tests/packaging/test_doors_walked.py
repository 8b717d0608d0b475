"""A plain environment that is not .venv: pip (editable and not), and ``./lab setup --here``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from labkit import paths

UV = Path(sys.executable).parent / "uv"
LESSONS = """
from labkit.labs.lab import Lab
with Lab() as lab:
    lab.up("ml-inference-service", "task-orchestrator-service")
    print("workers", lab.app("ml-inference-service").connected_workers())
"""
"""What lesson 06 needs: the environment of ml-inference-service, and the runtime."""


class Plain:
    """A virtual environment somewhere, and commands with its Python."""

    def __init__(self, folder: Path, clone) -> None:
        self.folder, self.course = folder, clone.folder
        # Packages come from the cache of this machine, as they would on a second visit.
        self.env = {**clone.env, "UV_CACHE_DIR": str(paths.cache() / "uv")}
        self.env["PATH"] = f"{folder / 'bin'}{os.pathsep}{UV.parent}{os.pathsep}{self.env['PATH']}"
        self.env.pop("LABKIT_SUITE", None)
        self.uv("venv", "--quiet", "--seed", "--python", sys.executable, str(folder))

    def uv(self, *words: str) -> None:
        done = subprocess.run(
            [str(UV), *words], env=self.env, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr

    def install(self, *what: str) -> None:
        self.uv("pip", "install", "--quiet", "--python", str(self.folder / "bin" / "python"), *what)

    def python(self, *words: str, cwd: Path | None = None, **more: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [str(self.folder / "bin" / "python"), *words], cwd=cwd or self.course,
            env={**self.env, **more}, capture_output=True, text=True, timeout=200,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr


@pytest.mark.timeout(600)
def test_pip_and_one_command_give_what_the_lessons_need(clone, tmp_path):
    plain = Plain(tmp_path / "plain", clone)
    learn = plain.course / "learn"
    plain.install(str(plain.course))

    code, out, err = plain.python("-m", "labkit", "demo", cwd=tmp_path)
    assert code == 1, "without the course around it"
    assert "course-missing: the files of the course are not here" in err
    none = {"LABKIT_DAPR_BIN": "", "PATH": "/usr/bin:/bin"}
    code, out, err = plain.python("-m", "labkit", "demo", **none)
    assert code == 1, "before the set-up"
    assert "runtime-missing" in err
    assert "./lab setup" in err

    code, out, err = plain.python("-m", "labkit", "setup")
    assert code == 0, err
    assert "services/ml-inference-service/.venv is ready" in err
    where = "import labkit; print(labkit.__file__)"
    assert "site-packages" in plain.python("-c", where, cwd=learn)[1]
    code, out, err = plain.python("-m", "labkit", "demo", cwd=learn)
    assert code == 0, err
    assert "COMPLETED" in out
    code, out, err = plain.python("-c", LESSONS, cwd=learn)
    assert (code, out.splitlines()[-1]) == (0, "workers 1"), err

    plain.install("--editable", str(plain.course))
    assert str(plain.course / "labkit") in plain.python("-c", where, cwd=learn)[1]
    code, out, err = plain.python("-m", "labkit", "demo", cwd=tmp_path)
    assert code == 0, err
    assert "COMPLETED" in out
    assert not (plain.course / ".venv").exists(), "this environment is enough"


@pytest.mark.timeout(600)
def test_the_set_up_here_makes_the_environment_of_the_caller_that_of_the_course(clone, tmp_path):
    plain = Plain(tmp_path / "conda", clone)
    lab = str(plain.course / "lab")
    code, _, err = plain.python(lab, "setup", "--here")
    assert code == 0, err
    assert f"the Python environment {tmp_path / 'conda'} is ready" in err
    assert "services/ml-inference-service/.venv is ready" in err

    code, out, err = plain.python(lab, "demo")
    assert code == 0, err
    assert "COMPLETED" in out
    ml = plain.course / "services" / "ml-inference-service" / ".venv"
    (ml / "bin" / "python").unlink()
    (ml / "bin" / "python").touch(0o755)
    code, out, err = plain.python(lab, "doctor")
    assert code == 1
    assert "environment of ml-inference-service: its Python cannot be run" in out
    code, out, err = plain.python(lab, "setup")
    assert code == 0, "the command that the doctor names repairs it"
    assert "making the Python environment services/ml-inference-service/.venv" in err
    code, out, err = plain.python("-c", LESSONS, cwd=plain.course / "learn")
    assert (code, out.splitlines()[-1]) == (0, "workers 1"), err
    assert not (plain.course / ".venv").exists(), "this environment is enough"
