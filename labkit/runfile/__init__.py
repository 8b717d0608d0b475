"""Reads ``dapr.yaml``, Dapr's own multi-app run format, as ``dapr run -f`` does; starts nothing.

Keys, defaults and precedence are those of the Dapr CLI (its packages ``runfileconfig`` and
``standalone``): a value of an app beats the value in ``common``; ``env`` is merged
key by key; resources of an app beat ``<appDirPath>/.dapr/resources``, which beat those in
``common``; paths in ``common`` start at the run file, paths of an app at its ``appDirPath``.
Where the CLI falls back to files in the user's home folder, we fall back to nothing.

There is one reader. It reads as much as it can and collects what is wrong: :func:`load`, for a lab,
raises the first fault; ``./lab preflight`` reports them all. A fault says what ``dapr run`` does
about it, since a lab is stricter: the CLI ignores a key that it does not know, starts two apps with
one app ID side by side, and takes nearly anything as an app ID.
"""

from __future__ import annotations

from pathlib import Path

from labkit.errors import DeploymentError
from labkit.reading.yamltree import cut
from labkit.runfile.reading import MOST_APPS, Fault, Reading, read, read_root
from labkit.runfile.spec import AppSpec, RunFile, app_id_of, cli_env, daprd_flags, named

__all__ = [
    "MOST_APPS",
    "AppSpec",
    "Fault",
    "Reading",
    "RunFile",
    "RunFileError",
    "app_id_of",
    "cli_env",
    "daprd_flags",
    "load",
    "named",
    "read",
    "read_root",
]


class RunFileError(DeploymentError):
    """The run file cannot be used as it is."""

    code = "wrong-run-file"


def load(path: Path) -> RunFile:
    """Read a run file for a lab.

    Raises:
        RunFileError: it is missing, not valid YAML, or something in it is wrong; names key and
            line.
    """
    reading = read(path)
    for fault in reading.faults:
        if not fault.is_fine_in_a_lab:
            raise _error(reading.path, fault)
    return RunFile(reading.path, reading.apps)


def _error(path: Path, fault: Fault) -> RunFileError:
    file = cut(str(path), 300)
    return RunFileError(
        f"the run file is wrong: {cut(fault.what, 90)}",
        asked=f"read {file}",
        found=f"line {fault.line}: {fault.what}" if fault.line else fault.what,
        look_at=f"{file}:{fault.line or 1}",
        fix=fault.fix,
    )
