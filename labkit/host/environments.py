"""Environments of apps that have packages of their own: whether one is what its lock says.

Makes nothing: that is the work of ``./lab setup``.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from packaging.markers import Marker
from packaging.utils import NormalizedName, canonicalize_name

from labkit import paths
from labkit.errors import SetupError

SERVICE = "ml-inference-service"
SECONDS = 60.0
STAMP = "lab-stamp.json"
"""By this file ``lab`` knows an environment that it has made."""
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)\s*(?:;\s*([^\\]+?))?\s*\\?$", re.MULTILINE)
_ASK = """\
import importlib.metadata, json, sys
found = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
print(json.dumps({"python": "%d.%d.%d" % sys.version_info[:3], "packages": found}))
import numpy
"""


class EnvironmentBroken(SetupError):
    """The environment of an app is missing, or is not what its lock says."""

    code = "environment-broken"


def folder() -> Path:
    """Return the environment of ``ml-inference-service``, where its run file looks for it."""
    return paths.repo() / "services" / SERVICE / ".venv"


def require() -> None:
    """Require the environment of ``ml-inference-service``.

    Raises:
        EnvironmentBroken: with what is wrong with it.
    """
    if problem := trouble():
        raise EnvironmentBroken(
            f"the environment of {SERVICE} is missing or broken",
            asked=f"the packages of requirements/{SERVICE}.lock in {folder()}",
            found=problem,
            look_at=str(folder()),
            fix="remove the link, then ./lab setup"
            if folder().is_symlink()
            else "./lab setup makes it again",
        )


def discard() -> None:
    """Let ``./lab`` make the environment again; one that a link leads to is not ours to change.

    Raises:
        EnvironmentBroken: it is a link.
    """
    if folder().is_symlink():
        require()
    with suppress(OSError):
        (folder() / STAMP).unlink()


def trouble() -> str | None:
    """Say what is wrong with the environment of ``ml-inference-service``; None when it is right."""
    python = folder() / "bin" / "python"
    try:
        python.stat()
        done = subprocess.run(
            [str(python), "-I", "-c", _ASK], capture_output=True, text=True, timeout=SECONDS
        )
    except FileNotFoundError:
        return "not made yet" if not folder().exists() else f"{python} is missing"
    except (OSError, subprocess.TimeoutExpired) as problem:
        return f"its Python cannot be run: {type(problem).__name__}: {problem}"
    return _differences(done) or _said(done)


def _said(done: subprocess.CompletedProcess[str]) -> str | None:
    if done.returncode == 0:
        return None
    lines = done.stderr.strip().splitlines()
    return f"its packages cannot be loaded: {lines[-1] if lines else done.returncode}"


def _differences(done: subprocess.CompletedProcess[str]) -> str | None:
    """Return the packages that are missing or of another version, at most three of them."""
    try:
        said = json.loads(done.stdout)
    except ValueError:  # an empty file as Python ends with 0 where a shell runs it
        return f"{folder() / 'bin' / 'python'} is not a Python that works" + (
            f": {done.stderr.strip().splitlines()[-1]}" if done.stderr.strip() else ""
        )
    have = {canonicalize_name(k): v for k, v in said["packages"].items() if k}
    wrong = [
        f"{name} {version} is missing" if name not in have else f"{name} is {have[name]}"
        for name, version in _pinned(said["python"])
        if have.get(name) != version
    ]
    more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    return f"Python {said['python']}: {', '.join(wrong[:3])}{more}" if wrong else None


def _pinned(python: str) -> Iterator[tuple[NormalizedName, str]]:
    """Yield name and version of what the lock pins for a version of Python on this system."""
    lock = (paths.repo() / "requirements" / f"{SERVICE}.lock").read_text("utf-8")
    about = {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    for name, version, marker in _PINNED.findall(lock):
        if not marker or Marker(marker).evaluate(about):
            yield canonicalize_name(name), version
