"""Gets the Dapr programs: what is found first, wins; each way skipped says why."""

from __future__ import annotations

import errno
import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from labkit import paths, versions
from labkit.errors import LabError, SetupError
from labkit.host.console import Console
from labkit.host.hosterrors import DiskFull
from labkit.runtime import built, found, manifest, released
from labkit.runtime.found import Binaries, RuntimeMissing

Way = Callable[[Path, Console], str]


def ensure(console: Console | None = None) -> Binaries:
    """Return the Dapr programs, after getting them if need be; damaged ones are got again.

    Raises:
        SetupError: no way worked; carries the reason of each.
    """
    console = console or Console()
    try:
        return found.binaries(thorough=True)
    except RuntimeMissing as missing:
        for line in str(missing.found).splitlines():
            console.line(f"Dapr {versions.DAPR_RUNTIME}: skipped {line}")
    with _alone(console):
        try:
            return found.binaries(thorough=True)  # another setup was quicker
        except RuntimeMissing:
            return _got(console)


def _got(console: Console) -> Binaries:
    reasons = []
    ways: tuple[tuple[str, Way], ...] = (
        ("the official release", released.fetch),
        ("a build from Go modules", built.build),
    )
    for name, way in ways:
        console.line(f"Dapr {versions.DAPR_RUNTIME}: trying {name}")
        try:
            return _kept(way, console)
        except OSError as problem:
            if problem.errno == errno.ENOSPC:
                raise _disk_full() from problem
            reasons.append(f"{name}: {problem}")
        except LabError as problem:
            reasons.append(f"{name}: {problem.title}: {problem.found}")
        console.line(f"skipped {reasons[-1]}")
    raise SetupError(
        f"the Dapr runtime {versions.DAPR_RUNTIME} could not be obtained",
        asked=f"daprd, placement, scheduler and sentry for {found.platform_name()}",
        found="\n".join(reasons),
        look_at=str(paths.cache() / "runtime"),
        fix="connect to the network (a proxy: HTTPS_PROXY) and repeat ./lab setup, or put the "
        "programs into a folder and name it: LABKIT_DAPR_BIN=FOLDER ./lab setup",
    )


def _kept(way: Way, console: Console) -> Binaries:
    """Let a way fill a new folder, check it, and move it into its place in one step."""
    final = found.cache_folder()
    final.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix="new-", dir=final.parent))
    try:
        origin = way(new, console)
        version = found.version_of(new / "daprd")
        if version != versions.DAPR_RUNTIME:
            raise SetupError(
                "the sidecar we obtained has the wrong version",
                asked=versions.DAPR_RUNTIME,
                found=version,
                look_at=origin,
                fix="repeat ./lab setup",
            )
        manifest.write(new, origin, found.PROGRAMS)
        shutil.rmtree(final, ignore_errors=True)
        new.chmod(0o755)
        new.replace(final)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    console.line(f"Dapr {versions.DAPR_RUNTIME}: ready in {final}")
    return found.binaries()


@contextmanager
def _alone(console: Console) -> Iterator[None]:
    """Hold the lock of the cache, so that two setups at once do the work once."""
    folder = paths.cache() / "runtime"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            console.line("another ./lab is getting the Dapr runtime; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for left in folder.glob("new-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def _disk_full() -> DiskFull:
    folder = paths.cache()
    free = shutil.disk_usage(folder).free / 1e6
    return DiskFull(
        "the disk is full",
        asked=f"room for the Dapr runtime in {folder}",
        found=f"{free:.0f} MB free",
        look_at=f"df -h {folder}",
        fix="free some space, or name a folder on another disk: LABKIT_CACHE=FOLDER ./lab setup",
    )
