"""Finds the Dapr programs on this machine, without network.

Order: ``LABKIT_DAPR_BIN``, the caches, then PATH and ``~/.dapr/bin``. A program without a manifest
beside it is used only when ``--version`` says exactly the pinned version. One with a manifest must
be the file that was put there: its SHA-256 is asked when its size or time is not as it was when it
was last asked.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from labkit import paths, versions
from labkit.errors import SetupError
from labkit.runtime import manifest
from labkit.waiting import patience

PROGRAMS = ("daprd", "placement", "scheduler", "sentry")
PROGRAM_STARTS = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"#!")
"""Of Linux, of macOS (one processor, several), of scripts."""
VERSION_SECONDS = 10.0
NEEDED = PROGRAMS[:3]  # sentry is for lessons with mTLS; a Dapr CLI installs no sentry


class RuntimeMissing(SetupError):
    """The Dapr programs are not on this machine yet."""

    code = "runtime-missing"


class RuntimeDamaged(RuntimeMissing):
    """The Dapr programs are here, and are not what was put here."""

    code = "runtime-damaged"


class SentryMissing(SetupError):
    """A deployment asks for mTLS, and the Dapr programs that were found are without sentry."""

    code = "sentry-missing"


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
    return _in(paths.cache())


def _in(cache: Path) -> Path:
    return cache / "runtime" / f"{versions.DAPR_RUNTIME}_{platform_name()}"


def binaries(*, thorough: bool = False) -> Binaries:
    """Return the Dapr programs that are on this machine.

    Args:
        thorough: ask the SHA-256 of every program, also of those that look as they did.

    Raises:
        RuntimeMissing: none fits; says where was looked.
        RuntimeDamaged: one would fit, and is not the file that was put there.
    """
    passed: list[str] = []
    broken: list[str] = []
    for folder, origin in _places():
        harm = damaged(folder, thorough=thorough)
        problem = f"{folder} is damaged: {', '.join(harm)}" if harm else unfit(folder)
        if problem is None:
            return Binaries(folder, versions.DAPR_RUNTIME, origin)
        passed.append(f"{origin}: {problem}")
        broken += [passed[-1]] if harm else []
    raise _damaged(broken) if broken else _missing(passed)


def require_sentry(used: Binaries) -> None:
    """Refuse a folder of programs without sentry, which the Dapr CLI does not install.

    Raises:
        SentryMissing: says where it was looked for.
    """
    if os.access(used.sentry, os.X_OK):
        return
    raise SentryMissing(
        "mTLS needs sentry, which is not on this machine",
        asked=f"sentry {versions.DAPR_RUNTIME}, because a Configuration says spec.mtls.enabled",
        found=f"no {used.sentry}; these programs are from {used.origin}",
        look_at="./lab runtime",
        fix="put sentry of the same release there, or let ./lab setup get all four programs, "
        "without LABKIT_DAPR_BIN",
    )


def _missing(passed: Sequence[str]) -> RuntimeMissing:
    return RuntimeMissing(
        f"the Dapr runtime {versions.DAPR_RUNTIME} is not on this machine",
        asked=f"daprd, placement and scheduler {versions.DAPR_RUNTIME}",
        found="\n".join(passed),
        look_at="./lab runtime",
        fix="./lab setup",
    )


def _damaged(broken: Sequence[str]) -> RuntimeDamaged:
    return RuntimeDamaged(
        f"the Dapr runtime {versions.DAPR_RUNTIME} on this machine is damaged",
        asked="the programs that were put here, with the SHA-256 of their manifest",
        found="\n".join(broken),
        look_at=f"{manifest.NAME} in that folder",
        fix="./lab setup gets them again",
    )


def fixes(used: Binaries) -> dict[str, str]:
    """Return what to do when one of these programs cannot be run, by its path."""
    fix = "the Dapr runtime is damaged: ./lab setup gets it again; then lab.up()"
    return {str(used.folder / program): fix for program in PROGRAMS}


def unfit(folder: Path) -> str | None:
    """Say why the programs in a folder cannot be used; None when they can."""
    missing = [n for n in NEEDED if not os.access(folder / n, os.X_OK)]
    if missing:
        return f"no {', '.join(missing)} in {folder}"
    if manifest.read(folder):
        return None
    if no_programs := [n for n in NEEDED if not _is_program(folder / n)]:
        return f"no programs, or damaged ones, in {folder}: {', '.join(no_programs)}"
    daprd = folder / "daprd"
    found = _version_of(daprd, daprd.stat().st_mtime_ns)
    return None if found == versions.DAPR_RUNTIME else f"{folder / 'daprd'} is {found}"


def _is_program(file: Path) -> bool:
    """Whether a file begins as a program does; only daprd can be asked for its version."""
    try:
        with file.open("rb") as data:
            return data.read(4).startswith(PROGRAM_STARTS)
    except OSError:
        return False


def damaged(folder: Path, *, thorough: bool = True) -> list[str]:
    """Return the programs in a folder that are not what its manifest says."""
    asked = PROGRAMS if thorough else NEEDED
    return manifest.damaged(folder, asked, paths.cache() / "runtime", thorough=thorough)


def version_of(program: Path) -> str:
    """Return what a Dapr program says of its version."""
    try:
        within = VERSION_SECONDS * patience()
        told = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=within, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return f"not runnable ({type(problem).__name__})"
    return told.stdout.strip() or "of unknown version"


@lru_cache(maxsize=16)
def _version_of(program: Path, saved: int) -> str:
    """Ask a program once; ``saved`` lets a new one be asked again. Asking takes 0.1 s."""
    return version_of(program)


def _places() -> Iterator[tuple[Path, str]]:
    named = os.environ.get("LABKIT_DAPR_BIN")
    if named:
        yield Path(named), "LABKIT_DAPR_BIN"
    for cache in dict.fromkeys([*paths.caches(), paths.cache()]):
        yield _in(cache), "the cache"
    on_path = shutil.which("daprd")
    if on_path:
        yield Path(on_path).resolve().parent, "PATH"
    home = Path(os.environ.get("HOME") or "/nonexistent")
    yield home / ".dapr" / "bin", "~/.dapr/bin"
