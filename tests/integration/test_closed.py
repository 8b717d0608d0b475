"""What another user of the host can see of a learner's lab and JupyterLab, and what they cannot."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from labkit import paths
from labkit.course import progress
from labkit.processes import lifeline
from labkit.waiting import wait_until
from tests.support import stranger
from tests.support.system import listening

BROWSER = """\
#!/bin/sh
tr '\\0' ' ' < /proc/$$/cmdline > {seen}.new
mv {seen}.new {seen}
exec sleep 60
"""


@pytest.fixture
def home(monkeypatch) -> Iterator[Path]:
    """A folder that every user of the host may enter and list; a learner's state is in it."""
    folder = Path(tempfile.mkdtemp(prefix="home-"))
    folder.chmod(0o755)
    monkeypatch.setenv("LABKIT_STATE", str(folder / "state"))
    before = os.umask(0o022)
    yield folder
    os.umask(before)
    shutil.rmtree(folder)


def said_by_redis(port: int, *commands: str) -> list[str]:
    """Return the first line of the answer to each command."""
    with socket.create_connection(("127.0.0.1", port), 5) as line, line.makefile("rw") as redis:
        answers = []
        for command in commands:
            redis.write(command + "\r\n")
            redis.flush()
            answers.append(redis.readline().strip())
        return answers


def test_of_a_running_lab_nothing_can_be_read_and_no_secret_is_on_a_command_line(home, make_lab):
    lab = make_lab(components="redis")
    lab.up(announce=False)
    progress.note("explanation", "why", text="what I think")
    (paths.work() / "mine.py").write_text("mine")
    _ = [app.command for app in lab.started_apps()]  # writes the environments for a shell
    (paths.state() / "jupyter").mkdir(mode=0o700)

    assert stranger.can_read(home), "else all that follows proves nothing"
    assert stranger.readable(home / "state") == []
    kept = [*lab.folder.rglob("run.json"), *lab.folder.rglob("*.sh"), *lab.folder.rglob("*.conf")]
    assert len(kept) > 3
    assert {file.stat().st_mode & 0o777 for file in kept} == {0o600}

    token, password = lab.app("audit-service").shared.token, redis_password(lab)
    pids = lifeline.marked(lab.folder.name)
    shown = stranger.command_lines([*pids, lab.lifeline_pid])
    assert "daprd" in shown
    assert "redis" in shown
    assert token not in shown
    assert password not in shown
    assert not [pid for pid in pids if stranger.can_read(Path(f"/proc/{pid}/environ"))]


def redis_password(lab) -> str:
    return str(lab.app("audit-service").launch.env("worker")["REDIS_PASSWORD"])


def test_redis_asks_for_a_password_and_has_no_command_that_writes_or_loads_files(make_lab):
    lab = make_lab(components="redis")
    lab.up("audit-service", announce=False)
    host, _, port = lab.app("audit-service").launch.env("worker")["REDIS_HOST"].partition(":")
    assert host == "127.0.0.1"
    asked = ["PING", "KEYS *", "CONFIG GET dir", "MODULE LIST", "DEBUG SLEEP 0", "AUTH wrong"]
    for answer in said_by_redis(int(port), *asked):
        assert re.match(r"-NOAUTH|-WRONGPASS|-ERR unknown command", answer), answer
    auth, ping, *refused = said_by_redis(
        int(port), f"AUTH {redis_password(lab)}", "PING", "CONFIG SET dir /tmp", "CONFIG GET *",
        "MODULE LOAD /tmp/x.so", "DEBUG SLEEP 0", "REPLICAOF 127.0.0.1 1", "SLAVEOF NO ONE",
    )  # fmt: skip
    assert (auth, ping) == ("+OK", "+PONG")
    assert all(answer.lower().startswith("-err unknown command") for answer in refused), refused


DOCUMENTED = re.compile(r"^\| (`[^|]+`) \| ([^|]+) \|", re.M)


def documented() -> dict[str, str]:
    """What listens, and what it asks for, as docs/loopback.md has them."""
    page = (paths.repo() / "docs" / "loopback.md").read_text("utf-8")
    rows = DOCUMENTED.findall(page.partition("\n## On a host with other users\n")[2])
    return {name: asks for names, asks in rows for name in re.findall(r"`([^`]+)`", names)}


def listeners(lab) -> dict[int, str]:
    """Port to the name that docs/loopback.md has for what listens there."""
    app = lab.app("target")
    longer = {
        "raft": "placement raft",
        "etcd": "scheduler etcd",
        "etcd_peer": "scheduler etcd peer",
    }
    control = lab._control._port.items()
    found = {port: longer.get(name, name).replace("_", " ") for name, port in control}
    found |= {port: name for name, port in lab._infrastructure.ports.items()}
    return found | {
        app.ports.http: "sidecar http",
        app.ports.grpc: "sidecar grpc",
        app.ports.internal: "sidecar internal",
        app.ports.metrics: "sidecar metrics",
        app.ports.app: "service",
    }


def test_what_another_user_can_reach_is_what_the_documentation_says(make_lab, small):
    lab = make_lab(small)
    lab.up("target", announce=False)
    known = listeners(lab)
    assert set(known.values()) == set(documented())
    ports = {port for pairs in listening(lab.folder.name).values() for _, port in pairs}
    assert ports <= set(known), "a port that nobody has described"
    port_of = {name: port for port, name in known.items()}

    def asked(name: str, path: str, **more) -> httpx.Response:
        return httpx.request(url=f"http://127.0.0.1:{port_of[name]}{path}", trust_env=False, **more)

    assert documented()["sidecar http"] == "the token"
    assert asked("sidecar http", "/v1.0/metadata", method="GET").status_code == 401
    assert asked("sidecar http", "/v1.0/healthz", method="GET").is_success
    for name in ("sidecar metrics", "placement metrics", "scheduler metrics"):
        assert documented()[name] == "nothing"
        assert asked(name, "/metrics", method="GET").is_success
    assert "target" in asked("placement health", "/placement/state", method="GET").text
    # etcd's own gateway: what is scheduled can be read, and added to.
    pair = {"key": "cHJvYmU=", "value": "cHJvYmU="}
    assert asked("scheduler etcd", "/v3/kv/put", method="POST", json=pair).is_success
    answer = asked("scheduler etcd", "/v3/kv/range", method="POST", json={"key": pair["key"]})
    assert answer.json()["kvs"][0]["value"] == pair["value"]


def test_the_token_of_jupyterlab_is_on_no_command_line_and_in_no_file_of_others(home):
    seen, script = home / "seen", home / "browser"
    script.write_text(BROWSER.format(seen=seen))
    script.chmod(0o755)
    env = {**os.environ, "BROWSER": str(script), "JUPYTER_TOKEN": "not-this-one"}
    command = [sys.executable, "-m", "labkit.cli", "start"]
    process = subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        url = process.stdout.readline().strip()
        address, _, token = url.partition("?token=")
        assert len(token) == 32
        wait_until(seen.exists, what="the browser is asked to open it", usual=30)
        assert token not in seen.read_text()
        assert token not in stranger.command_lines(every_process())
        assert "jupyterlab" in stranger.command_lines(every_process())
        assert stranger.readable(home / "state") == []
        assert httpx.get(url, trust_env=False).status_code == 200
        for wrong in ("", "?token=", "?token=not-this-one"):
            assert httpx.get(address + wrong, trust_env=False).status_code in (302, 403)
        kernel = start_kernel(url, home / "state")
        for port in kernel.values():  # what cells hold and print
            assert (
                wait_until(lambda port=port: protection(port), what="it listens", usual=60)
                == b"CURVE"
            )
        # One more is the kernel's ear for children that it forks: it sends nothing, and takes what
        # begins with 16 random bytes (ipykernel 7.4.0, iostream.py).
        described = {httpx.URL(url).port, *kernel.values()}
        assert len(listening_below(process.pid) - described) <= 1
        page = re.search(r"file://\S+", seen.read_text())
        assert page, "it is opened by a file"
        file = Path(httpx.URL(page[0]).path)
        assert token in file.read_text()
        assert file.stat().st_mode & 0o777 == 0o600
        files = [f for f in (home / "state").rglob("*") if f.is_file() and holds(f, token)]
        # Jupyter's own page for a browser gets its mode from the umask; its folder is closed.
        ours = [f for f in files if "runtime" not in f.parts]
        assert {f.stat().st_mode & 0o777 for f in ours} == {0o600}
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    assert not list((home / "state" / "jupyter" / "servers").iterdir()), "the token is gone with it"


HELLO = b"\xff" + bytes(8) + b"\x7f\x03\x00"


def start_kernel(url: str, state: Path) -> dict[str, int]:
    """Start a kernel as JupyterLab does, and return the ports on which it will listen."""
    base, token = url.partition("/lab/")[0], url.rpartition("token=")[2]
    header = {"Authorization": f"token {token}"}
    asked = httpx.post(f"{base}/api/kernels", headers=header, json={}, trust_env=False, timeout=60)
    connection = state / "jupyter" / "runtime" / f"kernel-{asked.json()['id']}.json"
    noted = json.loads(connection.read_text())
    return {name: port for name, port in noted.items() if name.endswith("_port")}


def protection(port: int) -> bytes:
    """Return how a socket of ZeroMQ protects what it sends, by the greeting of ZMTP 3."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as line:
            line.sendall(HELLO)
            return line.recv(64, socket.MSG_WAITALL)[12:32].rstrip(b"\0")
    except OSError:
        return b""


def listening_below(pid: int) -> set[int]:
    """Return the ports on which a process and its children listen."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    connections = [c for p in family for c in p.net_connections("inet")]
    return {c.laddr.port for c in connections if c.status == psutil.CONN_LISTEN}


def every_process() -> list[int]:
    return [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit()]


def holds(file: Path, word: str) -> bool:
    return word.encode() in file.read_bytes()


def test_a_server_of_another_jupyter_cannot_open_ours(home, monkeypatch, tmp_path):
    """Settings of the system or the user that switch the token off do not reach our server."""
    from labkit.jupyter import server as jupyter

    other = tmp_path / "etc"
    other.mkdir()
    settings = {"IdentityProvider": {"token": ""}, "ServerApp": {"token": ""}}
    (other / "jupyter_server_config.json").write_text(json.dumps(settings))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(other))
    folder = paths.own(paths.state() / "jupyter")
    env = jupyter.environment(folder, jupyter.private(folder, 1, "ours"))
    code = (
        "from jupyter_server.serverapp import ServerApp as S; s = S(); s.initialize([], "
        "find_extensions=False, new_httpserver=False); print(repr(s.identity_provider.token))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.stdout.strip() == "'ours'", done.stderr
