"""A fresh clone with an empty HOME, driven by the real ``./lab``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from labkit import paths, runtime

KEPT = ("LABKIT_SUITE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
KEPT_PREFIXES = ("PIP_", "UV_", "GO", "HTTP", "http", "NO_PROXY", "no_proxy", "ALL_PROXY")


@dataclass
class Clone:
    """A copy of the repository, and the environment of somebody who has nothing."""

    folder: Path
    env: dict[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *words: str, **more: str) -> subprocess.Popen[str]:
        """Start ``./lab WORDS``."""
        process = subprocess.Popen(
            [sys.executable, str(self.folder / "lab"), *words],
            cwd=self.folder,
            env={**self.env, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def run(self, *words: str, **more: str) -> tuple[int, str, str]:
        """Run ``./lab WORDS``; return exit code, standard output, standard error."""
        process = self.start(*words, **more)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    def git(self, *words: str) -> str:
        """Run git in the clone; return what it printed."""
        name = ["-c", "user.name=Learner", "-c", "user.email=learner@example.com"]
        command = ["git", *name, *words]
        done = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, check=True
        )
        return done.stdout


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    """A clone in a folder whose name has spaces and letters that are not ASCII."""
    folder = tmp_path / "çours ü 課程"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=paths.repo(), capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, listed):
        if (paths.repo() / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(paths.repo() / name, folder / name)
    home = tmp_path / "home"
    home.mkdir()
    env = {k: v for k, v in os.environ.items() if k in KEPT or k.startswith(KEPT_PREFIXES)}
    made = Clone(
        folder,
        {
            **env,
            "HOME": str(home),
            "PATH": f"{Path(sys.base_prefix) / 'bin'}:/usr/bin:/bin",
            "LABKIT_DAPR_BIN": str(runtime.binaries().folder),
            "LANG": "C.UTF-8",
        },
    )
    yield made
    for process in made.started:
        if process.poll() is None:  # the test has failed; what it started must not stay
            process.terminate()
            process.communicate(timeout=30)
