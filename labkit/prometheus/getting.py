"""``./lab prometheus``: get Prometheus for the views of a lab, without root.

On Debian and Ubuntu the package ``prometheus`` is downloaded by apt and unpacked into the cache of
the course; nothing is installed, and no service is started. Elsewhere it says what to do.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from labkit import paths
from labkit.prometheus.programs import ELSEWHERE, NoPrometheus, folder, program

SECONDS = 600


def main(argv: Sequence[str]) -> int:
    """Get it where it is missing, and say where it is.

    Raises:
        NoPrometheus: it could not be obtained.
    """
    argparse.ArgumentParser(prog="./lab prometheus", description=__doc__).parse_args(argv)
    try:
        program("prometheus"), program("promtool")
    except NoPrometheus:
        get()
    print(f"prometheus {program('prometheus')}")
    print(f"promtool   {program('promtool')}")
    return 0


def get() -> None:
    """Download the package and unpack it into the cache.

    Raises:
        NoPrometheus: there is no apt, or it has failed; carries what it said.
    """
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise _without("this system has no apt-get and dpkg-deb")
    paths.own(paths.cache())
    with tempfile.TemporaryDirectory(dir=paths.cache()) as name:
        _run(["apt-get", "download", "prometheus"], Path(name))
        packages = list(Path(name).glob("prometheus_*.deb"))
        _run(["dpkg-deb", "-x", str(packages[0]), "unpacked"], Path(name))
        shutil.rmtree(folder(), ignore_errors=True)
        (Path(name) / "unpacked").rename(folder())


def _run(argv: Sequence[str], where: Path) -> None:
    done = subprocess.run(
        argv, cwd=where, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise _without(f"{' '.join(argv[:2])}: {said[-1] if said else 'failed'}")


def _without(found: str) -> NoPrometheus:
    return NoPrometheus(
        "Prometheus could not be obtained",
        asked="the Debian package prometheus, unpacked",
        found=found,
        look_at="apt-get download prometheus",
        fix=f"put prometheus and promtool on PATH; {ELSEWHERE}",
    )
