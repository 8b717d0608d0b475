"""The official release, downloaded from a server that may behave badly."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from labkit import paths, runtime, versions
from labkit.errors import SetupError
from labkit.host.console import Console
from labkit.runtime import RuntimeDamaged, built, manifest, released
from labkit.runtime.ensured import ensure
from labkit.runtime.found import PROGRAMS, RuntimeMissing, cache_folder
from labkit.waiting import patience
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
    monkeypatch.setattr(released, "STALL_SECONDS", 2 * patience())
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
    assert set(manifest.read(got.folder)) == {"origin", *PROGRAMS}
    assert server.url in manifest.read(got.folder)["origin"]
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
        (lambda s: setattr(s, "behave", lambda h: s.hang(60) or True), "no answer"),
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


def change_seven_bytes(program: Path) -> None:
    """Change bytes in the middle, and keep size and time, as a bad disk does."""
    before = program.stat()
    with program.open("r+b") as file:
        file.seek(before.st_size // 2)
        file.write(b"0123456")
    os.utime(program, ns=(before.st_atime_ns, before.st_mtime_ns))


DAMAGE = {
    "seven bytes": change_seven_bytes,
    "garbage": lambda program: program.write_bytes(os.urandom(1000)),
    "empty": lambda program: program.write_bytes(b""),
    "gone": Path.unlink,
    "not executable": lambda program: program.chmod(0o644),
}


@pytest.mark.parametrize("program", PROGRAMS[:2])
@pytest.mark.parametrize("harm", DAMAGE.values(), ids=DAMAGE)
def test_setup_repairs_a_damaged_runtime(server, harm, program):
    folder = ensure().folder
    harm(folder / program)
    with pytest.raises(RuntimeMissing):
        runtime.binaries(thorough=True)
    assert ensure().folder == folder
    assert (folder / program).read_bytes().startswith(b"#!/bin/sh")
    assert os.access(folder / program, os.X_OK)


@pytest.mark.parametrize("name", ["garbage", "empty"])
def test_a_lab_names_a_damaged_runtime_and_the_command_that_repairs_it(server, name):
    folder = ensure().folder
    DAMAGE[name](folder / "daprd")
    with pytest.raises(RuntimeDamaged) as caught:
        runtime.binaries()
    assert f"{folder} is damaged: daprd" in caught.value.found
    assert caught.value.fix.startswith("./lab setup")


@pytest.mark.parametrize("content", [b"", b"garbage"], ids=["empty", "garbage"])
@pytest.mark.parametrize("program", PROGRAMS[:3])
def test_damaged_programs_without_a_manifest_are_not_used(server, program, content):
    folder = ensure().folder
    (folder / manifest.NAME).unlink()
    assert runtime.binaries().folder == folder
    (folder / program).write_bytes(content)
    with pytest.raises(RuntimeMissing) as caught:
        runtime.binaries()
    assert program in caught.value.found
    assert ensure().folder == folder
    assert manifest.read(folder), "set-up has got them again"


def test_a_lab_asks_the_checksums_once_and_again_when_a_file_was_touched(server, monkeypatch):
    folder = ensure().folder
    asked = []
    sha256_of = manifest.sha256_of
    monkeypatch.setattr(manifest, "sha256_of", lambda f: asked.append(f.name) or sha256_of(f))
    runtime.binaries()
    asked.clear()
    runtime.binaries()
    assert asked == []
    (folder / "daprd").touch()
    runtime.binaries()
    assert asked == ["daprd"]


def closed_to_us(monkeypatch, *folders: Path) -> None:
    """Make folders read-only for this process, also when that is root."""
    access = os.access

    def refused(path, mode):
        return mode & os.W_OK == 0 and access(path, mode)

    def asked(path, mode):
        inside = any(Path(path) in (f, *f.rglob("*")) for f in folders)
        return refused(path, mode) if inside else access(path, mode)

    monkeypatch.setattr(os, "access", asked)


def test_a_runtime_in_a_shared_read_only_cache_is_used(server, monkeypatch, tmp_path):
    shared = ensure().folder
    closed_to_us(monkeypatch, tmp_path / "cache")
    assert ensure().folder == shared
    assert paths.cache() == tmp_path / ".cache" / paths.NAME


def test_what_a_shared_read_only_cache_lacks_goes_to_a_cache_of_ones_own(
    server, monkeypatch, tmp_path
):
    (tmp_path / "cache").mkdir()
    closed_to_us(monkeypatch, tmp_path / "cache")
    assert ensure().folder.is_relative_to(tmp_path / ".cache" / paths.NAME)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_damaged_runtime_in_a_shared_read_only_cache_is_replaced_by_ones_own(
    server, monkeypatch, tmp_path
):
    shared = ensure().folder
    DAMAGE["seven bytes"](shared / "scheduler")
    closed_to_us(monkeypatch, tmp_path / "cache")
    own = ensure().folder
    assert own.is_relative_to(tmp_path / ".cache" / paths.NAME)
    assert runtime.binaries(thorough=True).folder == own
    assert manifest.damaged(shared, PROGRAMS, tmp_path, thorough=True) == ["scheduler"]
