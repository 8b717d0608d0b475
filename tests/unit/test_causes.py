"""Causes that no line of a log names."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import yaml

from labkit.apps import causes


def component(kind="state.redis", name="store", **values):
    metadata = [{"name": k, "value": v} for k, v in values.items()]
    spec = {"type": kind, "version": "v1", "metadata": metadata}
    return {"kind": "Component", "metadata": {"name": name}, "spec": spec}


def write(folder: Path, *documents) -> Path:
    (folder / "all.yaml").write_text(yaml.safe_dump_all(documents))
    return folder


@pytest.mark.parametrize(
    ("value", "expected"),
    {
        "localhost:6379": [("localhost", 6379)],
        "127.0.0.1:6379,10.0.0.7:6379": [("127.0.0.1", 6379)],
        "[::1]:6379": [("[::1]", 6379)],
        "redis://user:word@localhost:6380/0": [("localhost", 6380)],
        "amqp://guest:guest@localhost:5672": [("localhost", 5672)],
        "host=localhost user=me password=x port=5433 dbname=d": [("localhost", 5433)],
        "host=localhost user=me": [("localhost", 5432)],
        "root:word@tcp(127.0.0.1:3306)/?allowNativePasswords=true": [("127.0.0.1", 3306)],
        "redis:6379": [],
        "notlocalhost:6379": [],
        "localhost": [],
        "http://example.org:80/localhost": [],
        "": [],
    }.items(),
)
def test_a_place_on_this_machine_is_found_in_whatever_form(value, expected):
    assert causes.places(component(host=value)) == expected


@pytest.fixture
def port():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]  # bound, and nobody listens


def test_a_server_that_nobody_started_is_named_with_the_way_out(tmp_path, port):
    folder = write(tmp_path, component(host=f"localhost:{port}"))
    log = f"dial tcp 127.0.0.1:{port}: connect: connection refused"
    found = causes.of_sidecar(log, [folder])
    assert found.found == f"nothing listens at localhost:{port}, which the component store names"
    assert 'components="default"' in found.fix
    assert found.look_at == str(tmp_path / "all.yaml")


@pytest.mark.parametrize(
    ("kind", "ours"), [("pubsub.kafka", "redis"), ("state.mongodb", "default")]
)
def test_the_way_out_has_a_broker_where_one_is_needed(tmp_path, port, kind, ours):
    folder = write(tmp_path, component(host=f"localhost:{port}"), component(kind, "other"))
    found = causes.of_sidecar(f"refused 127.0.0.1:{port}", [folder])
    assert f'components="{ours}"' in found.fix


def test_a_place_that_the_log_does_not_complain_of_is_no_cause(tmp_path, port):
    """A binding may name a service of the lab itself."""
    folder = write(tmp_path, component("bindings.http", url=f"http://localhost:{port}/orders"))
    assert causes.of_sidecar("unknown component type", [folder]) is None
    assert causes.of_sidecar("dial tcp 127.0.0.1:1: connection refused", [folder]) is None


def test_a_server_that_listens_is_no_cause(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        folder = write(tmp_path, component(host=f"localhost:{port}"))
        assert causes.of_sidecar(f"refused 127.0.0.1:{port}", [folder]) is None


PANIC = """\
time="t" level=info msg="Using 'store' as actor state store" app_id=desk
panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation]
"""


def test_a_store_that_cannot_hold_actors_is_named_with_its_type(tmp_path):
    folder = write(tmp_path, component("state.azure.tablestorage"), component(name="other"))
    found = causes.of_sidecar(PANIC, [folder])
    assert "store (state.azure.tablestorage) cannot hold actors" in found.found


@pytest.mark.parametrize("line", range(2))
def test_a_panic_or_a_store_alone_is_no_such_cause(tmp_path, line):
    write(tmp_path, component("state.azure.tablestorage"))
    assert causes.of_sidecar(PANIC.splitlines()[line], [tmp_path]) is None


HTTP = 'dapr_http_server_request_count{app_id="a",method="GET",path="/v1.0/x",status="%s"} %d\n'
GRPC = 'dapr_grpc_io_server_completed_rpcs{app_id="a",grpc_server_status="%s"} %d\n'


@pytest.mark.parametrize(
    ("metrics", "count"),
    [
        (HTTP % (401, 2), "2 requests"),
        (GRPC % ("UNAUTHENTICATED", 1), "1 request "),
        (HTTP % (401, 2) + HTTP % (401, 3), "5 requests"),
    ],
)
def test_refused_requests_are_counted(metrics, count):
    assert f"refused {count}" in causes.of_refusals(metrics + HTTP % (200, 9)).found


@pytest.mark.parametrize("metrics", ["", HTTP % (200, 4), HTTP % (500, 4), GRPC % ("OK", 3)])
def test_other_answers_are_no_refusals(metrics):
    assert causes.of_refusals(metrics) is None
