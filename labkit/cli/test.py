"""``./lab test``: everything that CI runs. ``--fast`` leaves out what needs a running lab.

Words after ``--`` go to pytest: ``./lab test -- -k ports -x``.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from labkit import paths, runtime
from labkit.errors import SetupError
from labkit.host.console import Console
from labkit.prometheus import getting
from labkit.prometheus.programs import NoPrometheus, program
from labkit.tracing import zipkin
from labkit.tracing.zipkin import NoZipkin

MARK = "LABKIT_SUITE"
BYTECODE = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
STATIC = {
    "style": ["ruff", "check", "--quiet", "."],
    "form": ["ruff", "format", "--check", "--quiet", "."],
    "types": ["mypy", "--no-error-summary"],
    "types of scripts": [sys.executable, "-m", "labkit.cli.scripts"],
    "floors": ["lint-imports"],
    "notebooks": [sys.executable, "-m", "labkit.build", "--check"],
}


class NoBrowser(SetupError):
    """The browser tests have no browser."""

    code = "no-browser"


def main(argv: Sequence[str]) -> int:
    """Run the checks and the tests; exit code 1 when one fails or a process is left behind."""
    own, rest = _split(list(argv))
    parser = argparse.ArgumentParser(prog="./lab test", description=__doc__)
    parser.add_argument("--fast", action="store_true", help="unit tests and static checks only")
    options = parser.parse_args(own)
    console = Console()
    runtime.ensure(console)
    if not options.fast and not rest:
        _require_browser()
        _get_prometheus(console)
        _say_without_zipkin(console)
    with _alone(console), _surroundings() as env:
        failed = [] if rest else _static(console, env)
        console.line("tests")
        code = _pytest(rest, env, fast=options.fast)
        left = _left_behind(env[MARK])
    for line in left:
        print(f"left behind: {line}")
    for name in failed:
        print(f"failed: {name}")
    good = code == 0 and not failed and not left
    console.line("all is well" if good else "something is not well")
    return 0 if good else 1


def _split(argv: list[str]) -> tuple[list[str], list[str]]:
    cut = argv.index("--") if "--" in argv else len(argv)
    return argv[:cut], argv[cut + 1 :]


def _static(console: Console, env: dict[str, str]) -> list[str]:
    """Run the checks that need no lab, side by side; return the names of those that failed."""

    def run(name: str) -> tuple[str, int, str]:
        done = subprocess.run(
            STATIC[name], cwd=paths.repo(), env=env, capture_output=True, text=True
        )
        return name, done.returncode, done.stdout + done.stderr

    failed = []
    with ThreadPoolExecutor() as pool:
        for name, code, output in pool.map(run, STATIC):
            console.line(f"{name}: {'good' if code == 0 else 'failed'}")
            if code:
                print(output)
                failed.append(name)
    return failed


def _pytest(rest: list[str], env: dict[str, str], *, fast: bool) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    # Three more than cores: a test often waits, for a timer or a restart. Two cores were idle for
    # 20 to 37 % of the last third with two more, and for 6 to 9 % of a whole run with three.
    spread = ["-n", str(min(cores, 4) + 3), "--dist", "worksteal"]
    what = rest or [*spread, "tests/unit" if fast else "tests"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *what]
    return subprocess.run(command, cwd=paths.repo(), env=env).returncode


@contextmanager
def _alone(console: Console) -> Iterator[None]:
    """Wait for another suite of this clone: both would measure the same cores."""
    with (paths.state() / "test.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            console.line("another ./lab test is running; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _surroundings() -> Iterator[dict[str, str]]:
    """Yield an environment with a state folder of its own, and a mark for every child."""
    programs = runtime.binaries()
    with tempfile.TemporaryDirectory(prefix="lab-test-", ignore_cleanup_errors=True) as folder:
        # Kernels, builds and checks load labkit some hundred times: its bytecode is kept.
        kept = {k: v for k, v in os.environ.items() if k not in BYTECODE}
        yield {
            **kept,
            MARK: secrets.token_hex(8),
            "LABKIT_STATE": str(Path(folder).resolve()),
            "LABKIT_DAPR_BIN": str(programs.folder),
            # Dapr's programs live for seconds here. With the usual 100 they took a fifth more CPU.
            "GOGC": "400",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        }


def _left_behind(mark: str) -> list[str]:
    """Return the processes that carry the mark of the suite, and end them."""
    left = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark:
                left.append(f"{process.pid} {' '.join(process.cmdline())[:150]}")
                process.kill()
    return left


def browser() -> str | None:
    """Return the path of a Chromium on this machine, or None."""
    return next((p for p in map(shutil.which, BROWSERS) if p), None)


def _get_prometheus(console: Console) -> None:
    """Get Prometheus where it is missing: the tests of the views and of the alerts use it.

    Raises:
        NoPrometheus: it could not be obtained; says how to get it.
    """
    try:
        program("prometheus"), program("promtool")
    except NoPrometheus:
        console.line("getting Prometheus, for the tests of views and alerts")
        getting.get()


def _say_without_zipkin(console: Console) -> None:
    """Say what is not tested where nobody has asked for Zipkin (125 MB, and a Java)."""
    try:
        zipkin.java(), zipkin.jar()
    except NoZipkin as problem:
        console.line(f"{problem.title}: of it only the error is tested")


def _require_browser() -> None:
    if browser() is None:
        raise NoBrowser(
            "the browser tests need Chromium",
            asked="./lab test",
            found=f"none of {', '.join(BROWSERS)} on PATH",
            look_at="README.md, the part about tests",
            fix="install it (on Debian: sudo apt-get install chromium), or run ./lab test --fast",
        )
