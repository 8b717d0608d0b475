"""Downloads the official release archives, checked against their published SHA-256."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import tarfile
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath
from typing import IO, Any

from labkit import paths, versions
from labkit.errors import SetupError
from labkit.host.console import Console
from labkit.runtime.found import PROGRAMS, platform_name
from labkit.runtime.manifest import sha256_of

RELEASES_URL = "https://github.com/dapr/dapr/releases/download"
STALL_SECONDS = float(os.environ.get("LABKIT_STALL_SECONDS", "15"))
"""No answer, or no further byte, for so long: the way is given up (offline costs seconds)."""
TRIES = 4


class DownloadFailed(SetupError):
    """A file of the release could not be downloaded."""

    code = "download-failed"


class WrongChecksum(SetupError):
    """A downloaded file is not the published one."""

    code = "wrong-checksum"


class UnsafeArchive(SetupError):
    """An archive holds something that it must not hold."""

    code = "unsafe-archive"


def fetch(folder: Path, console: Console) -> str:
    """Put all programs of the release into ``folder``; return their origin in words.

    Raises:
        DownloadFailed, WrongChecksum, UnsafeArchive: with the address that was asked.
    """
    base = os.environ.get("LABKIT_RELEASES_URL", RELEASES_URL).rstrip("/")
    base = f"{base}/v{versions.DAPR_RUNTIME}"
    downloads = paths.cache() / "downloads" / versions.DAPR_RUNTIME
    downloads.mkdir(parents=True, exist_ok=True)
    for program in PROGRAMS:
        name = asset_name(program)
        wanted = _checksum(f"{base}/{name}.sha256")
        archive = downloads / name
        download(f"{base}/{name}", archive, wanted, console)
        extract(archive, program, folder)
    shutil.rmtree(downloads, ignore_errors=True)
    return f"release v{versions.DAPR_RUNTIME} from {base}"


def asset_name(program: str) -> str:
    """Return the file name of a program's archive in a release."""
    flavour = f"-{versions.DAPR_BUILD_TAGS}" if program == "daprd" else ""
    return f"{program}_{platform_name()}{flavour}.tar.gz"


def download(url: str, target: Path, sha256: str, console: Console) -> None:
    """Download a file, resuming what is there of it, and check it.

    Raises:
        DownloadFailed: no answer, a refusal, or cut off again and again.
        WrongChecksum: the whole file arrived and is another; it is removed.
    """
    part = target.with_suffix(".part")
    for attempt in range(1, TRIES + 1):
        before = part.stat().st_size if part.exists() else 0
        whole = _receive(url, part, before, console)
        if whole:
            break
        if part.stat().st_size == before or attempt == TRIES:
            raise _failed(url, f"cut off after {part.stat().st_size} bytes, {attempt} tries")
        console.line(f"cut off after {part.stat().st_size} bytes; going on from there")
    got = sha256_of(part)
    if got != sha256:
        part.unlink()
        raise WrongChecksum(
            "a downloaded file is not the published one",
            asked=f"{url} with SHA-256 {sha256}",
            found=f"SHA-256 {got}; the file was removed",
            look_at=f"{url}.sha256",
            fix="repeat ./lab setup; if it happens again, a proxy changes what it passes on",
        )
    part.replace(target)


def extract(archive: Path, program: str, folder: Path) -> None:
    """Take one program out of an archive; nothing else is written.

    Raises:
        UnsafeArchive: a member leaves the folder or is no plain file, or the program is missing.
    """
    try:
        with tarfile.open(archive, "r:gz") as tar:
            members = tar.getmembers()
            for member in members:
                _require_safe(archive, member)
            wanted = [m for m in members if m.isfile() and PurePosixPath(m.name).name == program]
            if not wanted:
                raise _unsafe(archive, f"no file {program}; members: {[m.name for m in members]}")
            source: IO[bytes] | None = tar.extractfile(wanted[0])
            assert source is not None
            with source, (folder / program).open("wb") as out:
                shutil.copyfileobj(source, out)
    except (tarfile.TarError, EOFError) as problem:
        raise _unsafe(archive, f"not readable: {problem}") from problem
    (folder / program).chmod(0o755)


def _require_safe(archive: Path, member: tarfile.TarInfo) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise _unsafe(archive, f"the member {member.name!r} leaves the folder")
    if not (member.isfile() or member.isdir()):
        raise _unsafe(archive, f"the member {member.name!r} is a link or a device")


def _receive(url: str, part: Path, before: int, console: Console) -> bool:
    """Append what arrives to ``part``; return whether the file is whole."""
    headers = {"Range": f"bytes={before}-"} if before else {}
    try:
        with _open(url, headers) as answer:
            resumed = answer.status == 206
            length = int(answer.headers.get("Content-Length") or 0)
            total = length + (before if resumed else 0)
            done = before if resumed else 0
            with part.open("ab" if resumed else "wb") as out:
                while chunk := answer.read(1 << 16):
                    out.write(chunk)
                    done += len(chunk)
                    console.progress(url.rsplit("/", 1)[-1], done, total)
            return not total or done >= total
    except urllib.error.HTTPError as problem:
        if problem.code == 416:  # we hold all of it, or more than there is
            part.unlink()
            return _receive(url, part, 0, console)
        raise _failed(url, f"HTTP {problem.code} {problem.reason}") from problem
    except (http.client.HTTPException, TimeoutError, ConnectionError) as problem:
        if not part.exists():
            raise _failed(url, f"{type(problem).__name__}: {problem}") from problem
        return False


def _checksum(url: str) -> str:
    try:
        with _open(url, {}) as answer:
            text = answer.read(4096).decode("ascii", "replace")
    except (urllib.error.HTTPError, http.client.HTTPException, OSError) as problem:
        raise _failed(url, f"{type(problem).__name__}: {problem}") from problem
    match = re.match(r"\s*([0-9a-fA-F]{64})\b", text)
    if match is None:
        raise _failed(url, f"no SHA-256 in it: {text[:60]!r}")
    return match[1].lower()


def _open(url: str, headers: dict[str, str]) -> Any:
    request = urllib.request.Request(url, headers={"User-Agent": paths.NAME, **headers})
    try:
        opener = urllib.request.build_opener()  # reads the proxies of this moment
        return opener.open(request, timeout=STALL_SECONDS)
    except urllib.error.HTTPError:
        raise
    except (TimeoutError, urllib.error.URLError) as problem:
        reason = getattr(problem, "reason", problem)
        raise _failed(url, f"no answer: {reason}") from problem


def _failed(url: str, found: str) -> DownloadFailed:
    return DownloadFailed(
        "a file of the Dapr release could not be downloaded",
        asked=f"GET {url}",
        found=found,
        look_at="your network; proxies are taken from HTTPS_PROXY",
        fix="repeat ./lab setup; a download that was cut off goes on from where it was",
    )


def _unsafe(archive: Path, found: str) -> UnsafeArchive:
    return UnsafeArchive(
        "an archive of the release is not what it should be",
        asked=f"take a program out of {archive.name}",
        found=found,
        look_at=str(archive),
        fix=f"remove {archive} and repeat ./lab setup",
    )
