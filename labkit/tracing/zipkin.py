"""Zipkin beside a lab: its program, its command line, and questions to it.

Zipkin is one jar of 125 MB that needs Java 17. It keeps spans in memory, so it has none after a new
start; the catcher sends all of a run again (:mod:`.forwarding`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
from html import escape
from pathlib import Path
from typing import Any

import httpx

from labkit import paths, versions
from labkit.errors import SetupError
from labkit.reading import plainhttp

HOST = "127.0.0.1"
ARTIFACT = f"io.zipkin:zipkin-server:{versions.ZIPKIN}:jar:exec"
FILE = f"zipkin-server-{versions.ZIPKIN}-exec.jar"
ADDRESS = "zipkin.address"
"""The file of a run that says where its Zipkin is."""
GET = "./lab zipkin"
SECONDS = 5.0


class NoZipkin(SetupError):
    """Zipkin, or the Java that runs it, is not on this machine."""

    code = "no-zipkin"


class Zipkin:
    """A Zipkin, by its address.

    Attributes:
        url: where its page is.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def __repr__(self) -> str:
        return "Zipkin; its page is at zipkin.url"

    def _repr_html_(self) -> str:
        return f'<a href="{escape(self.url)}" target="_blank">Zipkin</a>'

    def is_ready(self) -> bool:
        """Whether it takes spans."""
        try:
            return self._get("/health").is_success
        except httpx.HTTPError:
            return False

    def page(self, trace_id: str) -> str:
        """Return the address of the page of a trace."""
        return f"{self.url}/zipkin/traces/{trace_id}"

    def spans(self, trace_id: str) -> list[dict[str, Any]]:
        """Return the spans that it has of a trace, in Zipkin's own form; none when it has none."""
        try:
            answer = self._get(f"/api/v2/trace/{trace_id}")
            return list(answer.json()) if answer.is_success else []
        except (httpx.HTTPError, ValueError):
            return []

    def _get(self, path: str) -> httpx.Response:
        with plainhttp.client(SECONDS) as http:
            return http.get(f"{self.url}{path}")


def command(port: int) -> list[str]:
    """Return the command line of a Zipkin on loopback.

    Measured on 3.5.1: with ``--server.address`` it still listens on all addresses; the port of its
    server, Armeria, has an address of its own. Armeria's own resolver of names opens a UDP socket
    on all addresses, that of the JDK none.

    Raises:
        NoZipkin: the jar or Java is not on this machine.
    """
    return [
        *(java(), "-Xmx128m", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true"),
        *("-Dcom.linecorp.armeria.useJdkDnsResolver=true", "-jar", str(jar())),
        f"--armeria.ports[0].ip={HOST}",
        f"--armeria.ports[0].port={port}",
        "--armeria.ports[0].protocols[0]=http",
    ]


def java() -> str:
    """Return the program of Java: that of ``JAVA_HOME``, else the one on PATH.

    Raises:
        NoZipkin: there is none.
    """
    home = os.environ.get("JAVA_HOME")
    found = home and shutil.which("java", path=str(Path(home) / "bin"))
    if found := found or shutil.which("java"):
        return found
    raise NoZipkin(
        "Zipkin needs Java, which is not on this machine",
        asked="the program java",
        found="none in JAVA_HOME, and none on PATH",
        look_at="java -version",
        fix="install Java 17 or newer; on Debian: sudo apt-get install openjdk-17-jre-headless; on"
        " macOS: brew install openjdk; with conda: conda install -c conda-forge openjdk",
    )


def place() -> Path:
    """Return where the jar belongs."""
    return paths.cache() / "zipkin" / FILE


def jar() -> Path:
    """Return the jar.

    Raises:
        NoZipkin: it is in no cache, or is another file.
    """
    for cache in paths.caches():
        file = cache / "zipkin" / FILE
        if file.is_file():
            require_whole(file)
            return file
    raise NoZipkin(
        "Zipkin is not on this machine",
        asked=f"{FILE}, version {versions.ZIPKIN} of Zipkin",
        found=f"no such file in {place().parent}",
        look_at=f"{GET} --help, which says what it would do",
        fix=f"{GET} gets it by Maven; or put the file there: {ARTIFACT} of Maven Central",
    )


def require_whole(file: Path) -> None:
    """Raise NoZipkin where a file is not the jar of this version."""
    with file.open("rb") as opened:
        found = hashlib.sha256()
        while part := opened.read(1 << 20):
            found.update(part)
    if found.hexdigest() != versions.ZIPKIN_SHA256:
        raise NoZipkin(
            f"{file.name} is not the file that it should be",
            asked=f"SHA-256 {versions.ZIPKIN_SHA256}",
            found=f"SHA-256 {found.hexdigest()}",
            look_at=str(file),
            fix=f"remove it, then {GET}",
        )
