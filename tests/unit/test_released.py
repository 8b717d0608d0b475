"""The official release, downloaded from a server that may behave badly."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from labkit import paths, runtime, versions
from labkit.console import Console
from labkit.errors import SetupError
from labkit.runtime import built, released
from labkit.runtime.ensured import ensure, manifest_of
from labkit.runtime.found import PROGRAMS, RuntimeMissing, cache_folder
from tests.support.server import Server

SCRIPT = f"#!/bin/sh\necho {versions.DAPR_RUNTIME}\n"


def archive(program: str, member: str | None = None, link: str | None = None) -> bytes:
    """Return a release archive with one member."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        info = tarfile.TarInfo(member or program)
        data = (SCRIPT + "#" * 40_000 + os.urandom(30_000).hex()).encode()
        if link:
            info.type, info.linkname = tarfile.SYMTYPE, link
            tar.addfile(info)
        else:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return raw.getvalue()


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server with a whole release; cache and HOME are empty."""
    server = Server()
    for program in PROGRAMS:
        put(server, program, archive(program))
    monkeypatch.setenv("LABKIT_RELEASES_URL", server.url)
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delenv("LABKIT_DAPR_BIN", raising=False)
    monkeypatch.setattr(released, "STALL_SECONDS", 0.5)
    monkeypatch.setattr(built, "build", no_build)
    yield server
    server.close()


def no_build(folder: Path, console: Console) -> str:
    raise SetupError("no build in this test", asked="x", found="x", look_at="x", fix="x")


def path_of(program: str) -> str:
    return f"/v{versions.DAPR_RUNTIME}/{released.asset_name(program)}"


def put(server: Server, program: str, data: bytes) -> None:
    server.files[path_of(program)] = data
    digest = hashlib.sha256(data).hexdigest()
    server.files[path_of(program) + ".sha256"] = f"{digest}  {program}\n".encode()


def test_a_release_is_put_into_the_cache_with_its_hashes(server):
    got = ensure()
    assert got.folder == cache_folder()
    assert set(manifest_of(got.folder)) == {"origin", *PROGRAMS}
    assert server.url in manifest_of(got.folder)["origin"]
    asked = len(server.asked)
    ensure()
    assert len(server.asked) == asked, "the second time asks nobody"
    assert not (paths.cache() / "downloads" / versions.DAPR_RUNTIME).exists()


def test_redirects_are_followed(server):
    def redirect(handler) -> bool:
        if handler.path.startswith("/moved"):
            handler.path = handler.path.removeprefix("/moved")
            return False
        handler.send_response(302)
        handler.send_header("Location", f"{server.url}/moved{handler.path}")
        handler.end_headers()
        return True

    server.behave = redirect
    assert ensure().version == versions.DAPR_RUNTIME


def test_a_download_that_is_cut_off_goes_on_from_where_it_was(server):
    cut = []

    def once(handler) -> bool:
        if handler.path == path_of("daprd") and not cut:
            cut.append(1)
            server.serve(handler, cut=20_000)
            return True
        return False

    server.behave = once
    ensure()
    ranges = [r for p, r in server.asked if p == path_of("daprd")]
    assert ranges == [None, "bytes=20000-"]


def test_what_an_earlier_setup_left_is_used(server):
    def always(handler) -> bool:
        if handler.path == path_of("daprd"):
            server.serve(handler, cut=0)
            return True
        return False

    part = paths.cache() / "downloads" / versions.DAPR_RUNTIME / released.asset_name("daprd")
    part.parent.mkdir(parents=True)
    part.with_suffix(".part").write_bytes(server.files[path_of("daprd")][:10_000])
    ensure()
    assert (path_of("daprd"), "bytes=10000-") in server.asked


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda s: put(s, "daprd", b"no archive"), "not readable"),
        (lambda s: put(s, "daprd", archive("daprd", "../../evil")), "leaves the folder"),
        (lambda s: put(s, "daprd", archive("daprd", "/etc/evil")), "leaves the folder"),
        (lambda s: put(s, "daprd", archive("daprd", link="/etc/passwd")), "link or a device"),
        (lambda s: put(s, "daprd", archive("other")), "no file daprd"),
        (lambda s: s.files.update({path_of("daprd"): b"changed"}), "not the published one"),
        (lambda s: s.files.pop(path_of("daprd")), "HTTP 404"),
        (lambda s: s.files.update({path_of("daprd") + ".sha256": b"<html>"}), "no SHA-256"),
        (lambda s: setattr(s, "behave", lambda h: s.hang(3) or True), "no answer"),
    ],
    ids=["garbage", "outside", "absolute", "link", "missing", "hash", "404", "html", "slow"],
)
def test_a_bad_release_is_passed_over_with_its_reason_and_leaves_nothing(server, spoil, words):
    spoil(server)
    with pytest.raises(SetupError) as caught:
        ensure()
    assert words in caught.value.found
    assert "no build in this test" in caught.value.found
    assert "LABKIT_DAPR_BIN" in caught.value.fix
    assert list((paths.cache() / "runtime").glob("*/daprd")) == []
    with pytest.raises(RuntimeMissing):
        runtime.binaries()


def test_a_server_that_is_not_there_costs_no_time_and_is_named(server, monkeypatch):
    monkeypatch.setenv("LABKIT_RELEASES_URL", "http://127.0.0.1:1")
    with pytest.raises(SetupError) as caught:
        ensure()
    assert "Connection refused" in caught.value.found


def test_a_proxy_is_used(server, monkeypatch):
    monkeypatch.setenv("LABKIT_RELEASES_URL", "http://releases.example.com")
    monkeypatch.setenv("http_proxy", server.url)
    for path in list(server.files):
        server.files[f"http://releases.example.com{path}"] = server.files[path]
    assert ensure().version == versions.DAPR_RUNTIME


def test_a_half_written_cache_is_replaced(server):
    cache_folder().mkdir(parents=True)
    (cache_folder() / "daprd").write_text("half")
    (cache_folder().parent / "new-left").mkdir()
    assert ensure().folder == cache_folder()
    assert not (cache_folder().parent / "new-left").exists()


def test_programs_of_another_version_are_passed_over(server, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    for program in PROGRAMS:
        (other / program).write_text("#!/bin/sh\necho 1.16.0\n")
        (other / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{other}:/usr/bin:/bin")
    with pytest.raises(RuntimeMissing) as caught:
        runtime.binaries()
    assert "is 1.16.0" in caught.value.found
    monkeypatch.setenv("LABKIT_DAPR_BIN", str(tmp_path / "nowhere"))
    with pytest.raises(RuntimeMissing) as caught:
        runtime.binaries()
    assert "no daprd, placement, scheduler in" in caught.value.found
