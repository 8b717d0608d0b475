"""Zipkin is found whole or named with the command that gets it; it gets all spans of a run."""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from labkit import versions
from labkit.tracing import Span, forwarding, getting, zipkin
from labkit.tracing.forwarding import Forwarding, to_zipkin
from labkit.tracing.received import from_zipkin
from labkit.tracing.zipkin import FILE, NoZipkin

WHOLE = b"the jar"
SPAN = Span(
    trace_id="5f1423d16ff032db425b708b5a96a371",
    span_id="00f067aa0ba902b7",
    parent_id="c49953cbefcd8277",
    service="notification-service",
    name="activity||send_email",
    start=1_700_000_000.5,
    seconds=0.25,
    tags={"durabletask.task.instance_id": "order"},
)


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A machine with neither Java nor Maven nor Zipkin, on which a small file is the whole jar."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(versions, "ZIPKIN_SHA256", hashlib.sha256(WHOLE).hexdigest())
    return tmp_path


def put(folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(0o755)
    return folder / name


def test_a_machine_without_java_is_told_where_it_comes_from(nowhere):
    with pytest.raises(NoZipkin, match="needs Java") as caught:
        zipkin.command(20001)
    assert "openjdk" in caught.value.fix


def test_the_java_of_java_home_comes_before_that_of_path(nowhere, monkeypatch):
    on_path = put(nowhere / "bin", "java")
    assert zipkin.java() == str(on_path)
    at_home = put(nowhere / "jdk" / "bin", "java")
    monkeypatch.setenv("JAVA_HOME", str(nowhere / "jdk"))
    assert zipkin.java() == str(at_home)


def test_a_missing_jar_is_named_with_the_command_that_gets_it(nowhere):
    put(nowhere / "bin", "java")
    with pytest.raises(NoZipkin, match="not on this machine") as caught:
        zipkin.command(20001)
    assert caught.value.fix.startswith("./lab zipkin gets it")


def test_another_file_under_its_name_is_refused(nowhere):
    put(nowhere / "cache" / "zipkin", FILE)
    with pytest.raises(NoZipkin, match="not the file that it should be") as caught:
        zipkin.jar()
    assert "./lab zipkin" in caught.value.fix


def test_without_maven_the_command_says_what_else_there_is(nowhere):
    put(nowhere / "bin", "java")
    with pytest.raises(NoZipkin, match="could not be obtained") as caught:
        getting.main([])
    assert "sudo apt-get install maven" in caught.value.fix


def test_maven_copies_the_pinned_jar_into_the_cache(nowhere, monkeypatch, capsys):
    for name in ("java", "mvn"):
        put(nowhere / "bin", name)

    def run(argv, cwd, **_):
        assert f"-Dartifact=io.zipkin:zipkin-server:{versions.ZIPKIN}:jar:exec" in argv
        (folder,) = [a.partition("=")[2] for a in argv if a.startswith("-DoutputDirectory=")]
        assert folder == cwd
        (zipkin.place().parent.parent / folder / FILE).write_bytes(WHOLE)
        return subprocess.CompletedProcess(argv, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    assert getting.main([]) == 0
    assert f"zipkin {zipkin.place()}" in capsys.readouterr().out
    assert zipkin.jar().read_bytes() == WHOLE
    assert [p.name for p in (nowhere / "cache").iterdir()] == ["zipkin"], "nothing else is left"


def test_a_download_that_fails_is_reported_in_the_words_of_maven(nowhere, monkeypatch):
    put(nowhere / "bin", "mvn")
    said = "[INFO] x\n[ERROR] Could not transfer artifact\n"
    failed = subprocess.CompletedProcess([], 1, said, "")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(NoZipkin) as caught:
        getting.get()
    assert "Could not transfer artifact" in caught.value.found


def test_it_is_bound_to_loopback(nowhere):
    put(nowhere / "bin", "java")
    (nowhere / "cache" / "zipkin").mkdir(parents=True)
    zipkin.place().write_bytes(WHOLE)
    command = zipkin.command(20001)
    assert "--armeria.ports[0].ip=127.0.0.1" in command
    assert "--armeria.ports[0].port=20001" in command
    assert "-Dcom.linecorp.armeria.useJdkDnsResolver=true" in command, "else UDP on all addresses"


@pytest.mark.parametrize("failed", [False, True])
def test_a_span_is_the_same_when_zipkins_form_is_read_again(failed):
    span = Span(**{**SPAN.__dict__, "failed": failed})
    told = to_zipkin(span)
    (again,) = from_zipkin(json.loads(json.dumps([told])))
    assert (again.failed, again.start, again.seconds) == (failed, span.start, span.seconds)
    assert {k: v for k, v in again.tags.items() if k != "error"} == span.tags


class Taker:
    """Something that takes spans as Zipkin does."""

    def __init__(self) -> None:
        self.taken, self.status = [], 202
        taker = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if taker.status == 202:
                    taker.taken += [s["id"] for s in json.loads(body)]
                self.send_response(taker.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.server_address[1]}\n"


@pytest.fixture
def taker():
    one = Taker()
    yield one
    one.server.shutdown()
    one.server.server_close()


def line(number: int) -> str:
    return Span(**{**SPAN.__dict__, "span_id": f"{number:016x}"}).to_json() + "\n"


def ids(*numbers: int) -> list[str]:
    return [f"{n:016x}" for n in numbers]


def test_every_span_is_sent_once_from_the_first_one_on(tmp_path, taker):
    spans, address = tmp_path / "spans.jsonl", tmp_path / "address"
    one = Forwarding(spans, address)
    assert not one.step(), "there is no Zipkin, and no span"
    spans.write_text(line(1) + line(2) + line(3)[:20])
    address.write_text(taker.address)
    assert one.step()
    assert not one.step(), "a line that is torn waits for its rest"
    with spans.open("a") as file:
        file.write(line(3)[20:])
    assert one.step()
    assert taker.taken == ids(1, 2, 3)


def test_a_zipkin_that_was_started_again_gets_everything(tmp_path, taker):
    spans, address = tmp_path / "spans.jsonl", tmp_path / "address"
    spans.write_text(line(1))
    one = Forwarding(spans, address)
    address.write_text(taker.address + "pid 1\n")
    one.step()
    address.write_text(taker.address + "pid 2\n")
    one.step()
    assert taker.taken == ids(1, 1)


def test_what_could_not_be_sent_is_sent_later_and_what_is_refused_is_not(tmp_path, taker, capsys):
    spans, address = tmp_path / "spans.jsonl", tmp_path / "address"
    spans.write_text(line(1))
    address.write_text(taker.address)
    one = Forwarding(spans, address)
    taker.status = 503
    assert not one.step()
    taker.status = 202
    assert one.step()
    taker.status = 400
    with spans.open("a") as file:
        file.write(line(2))
    one.step()
    assert "Zipkin refused 1 spans with 400" in capsys.readouterr().out
    taker.status = 202
    assert not one.step()
    assert taker.taken == ids(1)


def test_nobody_who_listens_is_no_error(tmp_path):
    (tmp_path / "spans.jsonl").write_text(line(1))
    (tmp_path / "address").write_text("127.0.0.1:1\n")
    assert not Forwarding(tmp_path / "spans.jsonl", tmp_path / "address").step()
    assert forwarding.EVERY < 1
