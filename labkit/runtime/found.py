"""Finds the Dapr programs on this machine, without network.

Order: ``LABKIT_DAPR_BIN``, the cache, then PATH and ``~/.dapr/bin``; the last two only when
``--version`` says exactly the pinned version.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from labkit import paths, versions
from labkit.errors import SetupError

PROGRAMS = ("daprd", "placement", "scheduler", "sentry")
NEEDED = PROGRAMS[:3]  # sentry is for lessons with mTLS; a Dapr CLI installs no sentry


class RuntimeMissing(SetupError):
    """The Dapr programs are not on this machine yet."""

    code = "runtime-missing"


@dataclass(frozen=True)
class Binaries:
    """The Dapr programs.

    Attributes:
        folder: holds ``daprd``, ``placement``, ``scheduler`` and, except in a folder that the
            Dapr CLI made, ``sentry``.
        origin: in words, where they came from.
    """

    folder: Path
    version: str
    origin: str

    @property
    def daprd(self) -> Path:
        """The sidecar."""
        return self.folder / "daprd"

    @property
    def placement(self) -> Path:
        """The placement service."""
        return self.folder / "placement"

    @property
    def scheduler(self) -> Path:
        """The scheduler service."""
        return self.folder / "scheduler"

    @property
    def sentry(self) -> Path:
        """The certificate authority, for mTLS."""
        return self.folder / "sentry"


def platform_name() -> str:
    """Return this machine as Dapr's releases name it, e.g. ``linux_amd64``."""
    machine = platform.machine().lower()
    processor = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return f"{platform.system().lower()}_{processor}"


def cache_folder() -> Path:
    """Return the folder in the cache for the pinned version on this kind of machine."""
    return paths.cache() / "runtime" / f"{versions.DAPR_RUNTIME}_{platform_name()}"


def binaries() -> Binaries:
    """Return the Dapr programs that are on this machine.

    Raises:
        RuntimeMissing: none fits; says where was looked.
    """
    passed: list[str] = []
    for folder, origin, trusted in _places():
        problem = unfit(folder, trusted)
        if problem is None:
            return Binaries(folder, versions.DAPR_RUNTIME, origin)
        passed.append(f"{origin}: {problem}")
    raise RuntimeMissing(
        f"the Dapr runtime {versions.DAPR_RUNTIME} is not on this machine",
        asked=f"daprd, placement and scheduler {versions.DAPR_RUNTIME}",
        found="\n".join(passed),
        look_at="./lab runtime",
        fix="./lab setup",
    )


def unfit(folder: Path, trusted: bool) -> str | None:
    """Say why the programs in a folder cannot be used; None when they can."""
    missing = [n for n in NEEDED if not os.access(folder / n, os.X_OK)]
    if missing:
        return f"no {', '.join(missing)} in {folder}"
    if trusted:
        return None
    daprd = folder / "daprd"
    found = _version_of(daprd, daprd.stat().st_mtime_ns)
    return None if found == versions.DAPR_RUNTIME else f"{folder / 'daprd'} is {found}"


def version_of(program: Path) -> str:
    """Return what a Dapr program says of its version."""
    try:
        told = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return f"not runnable ({type(problem).__name__})"
    return told.stdout.strip() or "of unknown version"


@lru_cache(maxsize=16)
def _version_of(program: Path, saved: int) -> str:
    """Ask a program once; ``saved`` lets a new one be asked again. Asking takes 0.1 s."""
    return version_of(program)


def _places() -> Iterator[tuple[Path, str, bool]]:
    named = os.environ.get("LABKIT_DAPR_BIN")
    if named:
        yield Path(named), "LABKIT_DAPR_BIN", False
    yield cache_folder(), "the cache", True
    on_path = shutil.which("daprd")
    if on_path:
        yield Path(on_path).resolve().parent, "PATH", False
    home = Path(os.environ.get("HOME") or "/nonexistent")
    yield home / ".dapr" / "bin", "~/.dapr/bin", False
