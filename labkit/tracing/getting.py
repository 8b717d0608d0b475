"""``./lab zipkin``: get Zipkin for the traces of a lab, by Maven.

The jar (125 MB) goes into the cache of the course; nothing is installed. Maven asks the repository
that its own settings name. Zipkin itself needs Java 17 or newer.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from labkit import paths
from labkit.tracing import zipkin
from labkit.tracing.zipkin import ARTIFACT, FILE, NoZipkin

SECONDS = 1200


def main(argv: Sequence[str]) -> int:
    """Get it where it is missing, and say where it is.

    Raises:
        NoZipkin: there is no Java, or the jar could not be obtained.
    """
    argparse.ArgumentParser(prog="./lab zipkin", description=__doc__).parse_args(argv)
    print(f"java   {zipkin.java()}")
    try:
        zipkin.jar()
    except NoZipkin:
        get()
    print(f"zipkin {zipkin.jar()}")
    return 0


def get() -> None:
    """Let Maven copy the jar into the cache.

    Raises:
        NoZipkin: there is no Maven, or it has failed; carries what it said.
    """
    maven = shutil.which("mvn")
    if maven is None:
        raise _without("mvn is not on PATH")
    paths.own(paths.cache())
    with tempfile.TemporaryDirectory(dir=paths.cache()) as name:
        argv = [maven, "-B", "-q", "dependency:copy", f"-Dartifact={ARTIFACT}"]
        done = subprocess.run(
            [*argv, f"-DoutputDirectory={name}"],
            cwd=name,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        file = Path(name) / FILE
        if done.returncode or not file.is_file():
            said = [s for s in (done.stdout + done.stderr).splitlines() if "ERROR" in s]
            raise _without(said[0] if said else "Maven has failed, and does not say why")
        zipkin.require_whole(file)
        zipkin.place().parent.mkdir(exist_ok=True)
        file.replace(zipkin.place())


def _without(found: str) -> NoZipkin:
    return NoZipkin(
        "Zipkin could not be obtained",
        asked=ARTIFACT,
        found=found,
        look_at=f"mvn dependency:get -Dartifact={ARTIFACT}",
        fix="install Maven (on Debian: sudo apt-get install maven; on macOS: brew install maven),"
        f" or put {FILE} of Maven Central into {zipkin.place().parent}",
    )
