"""What a learner sees when something does not start."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import httpx
import psutil
import pytest

from labkit.apps import service
from labkit.apps.app import NoLedger, UnknownPart
from labkit.apps.client import NoClient
from labkit.apps.ownapp import OwnApp
from labkit.apps.sidecar import SidecarSilent, SocketPathTooLong
from labkit.infrastructure.components import WrongComponent
from labkit.infrastructure.surroundings import configuration
from labkit.labs.attached import Attached
from labkit.labs.lab import AppNotStarted, LabClosed, NothingToResume, UnknownApp
from labkit.labs.readiness import AppWithoutWorker, NotReady, TwoWorkers
from labkit.processes import lives
from labkit.processes.ports import PortTaken, is_listening
from labkit.processes.supervisor import ProcessEnded
from labkit.runfile import RunFileError
from labkit.waiting import wait_until
from tests.support.deployments import TARGET, write_small


@pytest.fixture
def short_folder():
    """A folder whose path leaves room for the name of a Unix socket."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


WEB_APP = """
import http.server, os
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"hello")
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["APP_PORT"])), Hello).serve_forever()
"""


def test_a_service_that_dies_while_starting_shows_its_last_words(make_lab, tmp_path):
    lab = make_lab(write_small(tmp_path, target="print('before')\nraise NameError('wfr')\n"))
    with pytest.raises(ProcessEnded) as caught:
        lab.up(announce=False)
    assert "NameError: wfr" in caught.value.found
    assert caught.value.look_at.endswith("target.worker.log")


def out_of_time(run_file):
    """Give the state store less time for its initialisation than it needs; return its file."""
    store = run_file.parent / "components" / "statestore.yaml"
    whole = store.read_text()
    store.write_text(whole.replace("spec:\n", "spec:\n  initTimeout: 1ns\n"))
    return store, whole


def test_a_sidecar_that_runs_out_of_time_on_a_slow_machine_gets_more(
    make_lab, tmp_path, monkeypatch
):
    """Seen where others took the cores: "context deadline exceeded", 4 s after the start."""
    monkeypatch.setattr("labkit.apps.ownapp.busy", lambda: "this machine is slow now")
    lab = make_lab(write_small(tmp_path))
    store, whole = out_of_time(tmp_path / "dapr.yaml")
    again = OwnApp.sidecar_starts_again

    def with_time(app):
        store.write_text(whole)
        return again(app)

    monkeypatch.setattr(OwnApp, "sidecar_starts_again", with_time)
    lab.up("caller", announce=False)
    assert lab.app("caller").connected_workers() == 1
    assert lives.started_by_the_lab(lab.folder) == ["caller sidecar"]


@pytest.mark.parametrize(("slow", "starts"), [("this machine is slow now", 3), ("", 1)])
def test_a_sidecar_that_never_has_enough_time_ends_the_start(
    make_lab, tmp_path, monkeypatch, slow, starts
):
    monkeypatch.setattr("labkit.apps.ownapp.busy", lambda: slow)
    monkeypatch.setattr("labkit.labs.readiness.busy", lambda: slow)
    lab = make_lab(write_small(tmp_path))
    out_of_time(tmp_path / "dapr.yaml")
    with pytest.raises(ProcessEnded) as caught:
        lab.up("caller", announce=False)
    sidecars = [e for e in lives.entries(lab.folder) if e.get("name") == "caller sidecar"]
    assert sum(e["event"] == "start" for e in sidecars) == starts
    assert slow in caught.value.found
    assert ("./lab stop" in caught.value.fix) == bool(slow)


@pytest.mark.parametrize(("slow", "starts"), [("this machine is slow now", [3]), ("", [1, 2])])
def test_a_service_that_gives_up_on_its_sidecar_on_a_slow_machine_gets_more_time(
    make_lab, tmp_path, monkeypatch, slow, starts
):
    """A service of the course waits ten seconds for its sidecar, which may not be there yet."""
    monkeypatch.setattr("labkit.apps.ownapp.busy", lambda: slow)
    log, port = tmp_path / "starts", 'os.environ["DAPR_GRPC_PORT"]'
    gives_up = f"""\
open({str(log)!r}, "a").write("x")
if os.path.getsize({str(log)!r}) < 3:  # the first start may be too early, which is another reason
    print("No Dapr sidecar on 127.0.0.1:" + {port}, flush=True)
    os._exit(1)
wfr.start()"""
    lab = make_lab(write_small(tmp_path, target=TARGET.replace("wfr.start()", gives_up)))
    if slow:
        lab.up("target", announce=False)
        assert lab.app("target").connected_workers() == 1
        assert "target worker" in lives.started_by_the_lab(lab.folder)
    else:
        with pytest.raises(ProcessEnded) as caught:
            lab.up("target", announce=False)
        assert "No Dapr sidecar" in caught.value.found
    assert len(log.read_text()) in starts


def test_the_address_of_a_service_waits_for_its_server(make_lab, tmp_path):
    # Seen in CI, under load: the first request came between the worker and the server.
    go = tmp_path / "go"
    waits = f"import os.path, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.05)"
    late = TARGET.replace("wfr.start()", f"wfr.start()\n{waits}\n{WEB_APP}")
    assert late != TARGET
    lab = make_lab(write_small(tmp_path, target=late))
    lab.up(announce=False)
    app = lab.app("target")
    assert not is_listening("127.0.0.1", app.ports.app)
    threading.Timer(0.5, go.touch).start()
    assert httpx.get(app.url, trust_env=False, timeout=60).text == "hello"


def test_a_service_without_a_server_has_no_address(make_lab, small, monkeypatch):
    monkeypatch.setattr(service, "SERVER_SECONDS", 0.1)
    lab = make_lab(small)
    lab.up(announce=False)
    with pytest.raises(service.NoServer) as caught:
        print(lab.app("target").url)
    assert "nothing listens" in caught.value.found
    assert "running" in caught.value.found
    lab.kill("target", "worker")
    assert lab.app("target").url.startswith("http://127.0.0.1:")


def with_sockets(folder):
    run_file = write_small(folder)
    sockets = "  unixDomainSocket: .\n  env: {DAPR_GRPC_ENDPOINT: 'unix:dapr-target-grpc.socket'}\n"
    text = run_file.read_text().replace("- appID: target\n", f"- appID: target\n{sockets}")
    run_file.write_text(text)
    return run_file


def test_a_sidecar_with_unix_sockets_is_an_app_like_any_other(make_lab, short_folder):
    lab = make_lab(with_sockets(short_folder))
    lab.up(announce=False)
    target = lab.app("target")
    assert not is_listening("127.0.0.1", target.ports.grpc)
    lab.client("caller").schedule_new_workflow("call_child", input={}, instance_id="c")
    run = lab.run("c").wait()
    assert run.status == "COMPLETED"
    assert [c.app_id for c in run.history.children] == ["target"]
    with pytest.raises(NoClient):
        lab.client("target")
    lab.kill("target")  # the sockets of a killed sidecar stay
    lab.up(announce=False)
    noted = {a.app_id for a in Attached(lab.run_file.path).ended_services()}
    assert noted == set(), "the pids of the second start are noted"


def test_a_socket_with_a_path_that_no_system_takes_is_refused_with_its_length(make_lab, tmp_path):
    folder = tmp_path / ("a" * 100)
    folder.mkdir()
    lab = make_lab(with_sockets(folder))
    with pytest.raises(SocketPathTooLong) as caught:
        lab.up(announce=False)
    assert "103" in caught.value.found


def test_a_service_without_a_worker_is_named(make_lab, tmp_path):
    lab = make_lab(write_small(tmp_path, target="import signal\nsignal.pause()\n"))
    with pytest.raises(AppWithoutWorker) as caught:
        lab.up(within=5, announce=False)
    assert "connected workers 0" in caught.value.found


def test_without_an_actor_store_nothing_can_be_a_workflow_and_no_worker_is_awaited(
    make_lab, tmp_path
):
    run_file = write_small(tmp_path, target="import signal\nsignal.pause()\n")
    (tmp_path / "components" / "statestore.yaml").unlink()
    lab = make_lab(run_file)
    lab.up("target", within=10, announce=False)
    assert lab.app("target").process("worker").is_alive


def test_a_worker_that_the_lab_did_not_start_is_named_with_its_pid(make_lab, small):
    lab = make_lab(small)
    lab.up(announce=False)
    app = lab.app("target")
    env = {k: v for k, v in app.launch.env("worker").items() if k != "LABKIT_RUN"}
    stranger = subprocess.Popen(
        [sys.executable, "main.py"], cwd=app.spec.folder, env=env, start_new_session=True
    )
    try:
        wait_until(lambda: app.connected_workers() == 2)
        with pytest.raises(TwoWorkers) as caught:
            lab.up(announce=False)
        assert str(stranger.pid) in caught.value.found
    finally:
        stranger.kill()
        stranger.wait()
    wait_until(lambda: app.connected_workers() == 1)
    lab.up(announce=False)


def test_two_workers_that_a_service_starts_itself_are_its_own_affair(make_lab, tmp_path):
    run_file = write_small(tmp_path, target=TARGET)
    script = run_file.parent / "target" / "both.sh"
    script.write_text("python3 main.py &\nexec python3 main.py\n")
    first, _, rest = run_file.read_text().partition("- appID: target")
    rest = rest.replace('["python3", "main.py"]', '["sh", "both.sh"]', 1)
    run_file.write_text(f"{first}- appID: target{rest}")
    lab = make_lab(run_file)
    lab.up(announce=False)
    wait_until(lambda: lab.app("target").connected_workers() == 2)
    lab.up(announce=False)


def test_a_component_that_is_wrong_is_quoted_from_the_log_of_the_sidecar(make_lab, tmp_path):
    run_file = write_small(tmp_path)
    store = tmp_path / "components" / "statestore.yaml"
    second = store.read_text().replace("name: statestore", "name: second")
    store.with_name("second.yaml").write_text(second.replace("statestore.sqlite", "two.sqlite"))
    with pytest.raises(ProcessEnded) as caught:
        make_lab(run_file).up(announce=False)
    assert "duplicate actor state store" in caught.value.found


def test_a_sidecar_that_hangs_is_named_with_what_its_log_says(make_lab, small):
    lab = make_lab(small)
    lab.up(announce=False)
    with lab.frozen("target", "sidecar"), pytest.raises(NotReady) as caught:
        lab.up("target", within=0.2, announce=False)
    assert "its sidecar does not answer" in caught.value.found


def test_garbage_in_a_component_is_named_before_anything_starts(make_lab, small):
    store = small.parent / "components" / "statestore.yaml"
    store.write_text(store.read_text() + "  }: garbage\n")
    lab = make_lab(small)
    with pytest.raises(WrongComponent) as caught:
        lab.up(announce=False)
    assert caught.value.title.startswith("statestore.yaml, line ")
    assert lab.processes() == []


def test_a_comma_and_a_quotation_mark_in_every_path_harm_nothing(make_lab, tmp_path, monkeypatch):
    odd = tmp_path / 'a, "b"'
    monkeypatch.setenv("LABKIT_STATE", str(odd / "state"))
    run_file = write_small(odd / "course")
    config = tmp_path / "x,y" / "own.yaml"
    config.parent.mkdir()
    config.write_text(configuration({}))
    text = run_file.read_text().replace("common:\n", f"common:\n  configFilePath: {config}\n")
    run_file.write_text(text)
    lab = make_lab(run_file)
    lab.up(announce=False)
    lab.client("caller").schedule_new_workflow("call", input={}, instance_id="w")
    assert lab.run("w").wait(usual=60).status == "COMPLETED"


def test_ports_that_the_run_file_names_are_used_and_a_taken_one_is_named(make_lab, tmp_path):
    run_file = write_small(tmp_path, target=WEB_APP)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        text = run_file.read_text().replace(
            "- appID: target\n", f"- appID: target\n  appPort: {port}\n"
        )
        run_file.write_text(text)
        holder.listen()
        with pytest.raises(PortTaken) as caught:
            make_lab(run_file).up("target", announce=False)
        assert str(port) in caught.value.title
    lab = make_lab(run_file)
    lab.up("target", announce=False)
    assert lab.app("target").ports.app == port
    assert lab.app("target").connected_workers() == 0, "a web app needs no worker"


def test_questions_to_what_is_not_there_are_answered_with_what_to_do(make_lab, small):
    lab = make_lab(small)
    with pytest.raises(UnknownApp):
        lab.up("tarjet")
    with pytest.raises(AppNotStarted):
        lab.client("target")
    lab.up("target", announce=False)
    with pytest.raises(NoLedger):
        lab.ledger("target", "nothing")
    with pytest.raises(UnknownPart):
        lab.kill("target", "engine")
    lab.kill("target", "sidecar")
    with pytest.raises(SidecarSilent) as caught:
        lab.app("target").metadata()
    assert "SIGKILL" in caught.value.found
    lab.down()
    lab.down()
    with pytest.raises(LabClosed):
        lab.up()


def test_nothing_to_resume_and_no_run_file_are_clear(make_lab, tmp_path):
    with pytest.raises(NothingToResume):
        make_lab(write_small(tmp_path), resume=True)
    with pytest.raises(RunFileError):
        make_lab(tmp_path / "no.yaml")


def test_code_that_was_changed_is_used_after_a_restart(make_lab, small):
    lab = make_lab(small)
    lab.up(announce=False)
    changed = TARGET.replace('return {"pid": os.getpid(), "given": given}', 'return "new"')
    (small.parent / "target" / "main.py").write_text(changed)
    lab.restart("target", "worker")
    lab.client("caller").schedule_new_workflow("call", input={}, instance_id="n")
    assert lab.run("n").wait().output == "new"


def test_the_command_of_an_app_shows_sidecar_service_and_cli(make_lab, small):
    small.write_text(
        small.read_text().replace("- appID: target\n", "- appID: target\n  logLevel: debug\n")
    )
    lab = make_lab(small)
    lab.up("target", announce=False)
    command = lab.app("target").command
    assert "--app-id target" in command
    *_, with_cli = command.split("Dapr CLI")
    assert "dapr run --app-id target" in with_cli
    assert "--log-level debug -- python3 main.py" in with_cli
    assert "dapr_" in lab.app("target").metrics()
    assert "target" in str(lab.placement_state())


def test_the_lines_of_a_service_start_it_in_any_shell(make_lab, tmp_path):
    run_file = write_small(tmp_path / "it's a folder")
    run_file.write_text(run_file.read_text() + "  env: {GREETING: it's $HOME}\n")
    lab = make_lab(run_file)
    lab.up(announce=False)
    app = lab.app("target")
    lines = app.command.partition("# service\n")[2].partition("\n#")[0]
    (file,) = (lab.folder / "env").glob("target.worker.sh")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert app.shared.token not in app.command
    lab.kill("target", "worker")
    elsewhere = {"DAPR_GRPC_ENDPOINT": "127.0.0.1:1", "DAPR_API_TOKEN": "a=b", "NAMESPACE": "x"}
    shell = subprocess.Popen(
        ["sh"], stdin=subprocess.PIPE, text=True, env={"PATH": "/usr/bin:/bin", **elsewhere},
        start_new_session=True,
    )  # fmt: skip
    try:
        shell.stdin.write(lines + "\n")
        shell.stdin.close()
        wait_until(lambda: app.connected_workers() == 1)
        lab.client("caller").schedule_new_workflow("call", input={}, instance_id="pasted")
        pid = lab.run("pasted").wait().output["pid"]
        process = psutil.Process(pid)
        own = {k: v for k, v in app.launch.env("worker").items() if k not in os.environ}
        assert own.items() <= process.environ().items()
        assert process.environ()["GREETING"] == "it's $HOME"
        assert not {"DAPR_GRPC_ENDPOINT", "NAMESPACE"} & process.environ().keys()
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()
    wait_until(lambda: app.connected_workers() == 0)


def test_what_points_to_another_dapr_does_not_reach_the_lab(make_lab, small, monkeypatch):
    from dapr.conf import settings

    for name in ("DAPR_GRPC_ENDPOINT", "DAPR_HTTP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setattr(settings, name, "http://127.0.0.1:1", raising=False)
    monkeypatch.setenv("NAMESPACE", "elsewhere")
    for name, value in {"DAPR_RUNTIME_HOST": "127.0.0.2", "DAPR_GRPC_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
        monkeypatch.setattr(settings, name, value)
    monkeypatch.setattr(settings, "DAPR_API_TOKEN", "of another")
    text = small.read_text()
    small.write_text(text.replace("common:\n", "common:\n  env: {A: b}\n"))
    lab = make_lab(small)
    lab.up(announce=False)
    lab.client("caller").schedule_new_workflow("call", input={}, instance_id="here")
    assert lab.run("here").wait().output["given"] == {}
    assert "elsewhere" not in str(lab.placement_state())
    for app in lab.started_apps():
        for part in ("sidecar", "worker"):
            env = app.process(part).env
            assert "127.0.0.1:1" not in {v.removeprefix("http://") for v in env.values()}
            assert "127.0.0.2" not in env.values()
            assert ("A" in env) == (part == "worker"), "env of the run file is the command's"


ASKS_AT_ONCE = """
import os, urllib.request
port = os.environ["DAPR_HTTP_PORT"]
assert os.environ["APP_PROTOCOL"] == "http" and os.environ["DAPR_METRICS_PORT"]
request = urllib.request.Request(
    f"http://127.0.0.1:{port}/v1.0/secrets/secrets/word",
    headers={"dapr-api-token": os.environ["DAPR_API_TOKEN"]},
)
print("secret", urllib.request.urlopen(request).read().decode())
"""
SECRETS = """
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: secrets}
spec:
  type: secretstores.local.file
  version: v1
  metadata: [{name: secretsFile, value: ./secrets.json}]
"""


def test_a_command_finds_its_sidecar_listening_and_files_of_its_folder(make_lab, tmp_path):
    """As with the CLI, which waits for the sidecar and starts it in the folder of the app."""
    run_file = write_small(tmp_path, target=ASKS_AT_ONCE)
    target = run_file.parent / "target"
    (target / ".dapr" / "resources").mkdir(parents=True)
    (target / ".dapr" / "resources" / "secrets.yaml").write_text(SECRETS)
    (target / "secrets.json").write_text('{"word": "found"}')
    text = run_file.read_text()
    run_file.write_text(
        text.replace("- appID: target\n", "- appID: target\n  enableProfiling: 1\n")
    )
    with pytest.raises(RunFileError):
        make_lab(run_file)
    run_file.write_text(
        text.replace("- appID: target\n", "- appID: target\n  enableProfiling: yes\n")
    )
    lab = make_lab(run_file)
    with pytest.raises(ProcessEnded) as caught:  # its work is done, and no worker is connected
        lab.up("target", announce=False)
    assert "exit code 0" in caught.value.title
    app = lab.app("target")
    assert 'secret {"word":"found"}' in app.logs("worker")
    assert is_listening("127.0.0.1", app.ports.profile)
    assert not is_listening("127.0.0.1", 7777), "the port of daprd, the same for all apps"
