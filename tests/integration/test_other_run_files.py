"""Run files of other people, as they are: what they lack is named with the way out."""

from __future__ import annotations

import socket

import pytest

from labkit.processes.supervisor import ProcessEnded
from labkit.waiting import NotInTime, wait_until
from tests.support.deployments import write_small

REDIS = """\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: statestore
spec:
  type: state.redis
  version: v1
  metadata:
  - name: redisHost
    value: localhost:{port}
  - name: actorStateStore
    value: "true"
"""

TABLE = """\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: statestore
spec:
  type: state.azure.tablestorage
  version: v1
  metadata:
  - name: accountName
    value: devstoreaccount1
  - name: accountKey
    value: ZGV2c3RvcmVhY2NvdW50a2V5
  - name: tableName
    value: wf
  - name: serviceURL
    value: http://127.0.0.1:{port}/devstoreaccount1
  - name: skipCreateTable
    value: "true"
  - name: actorStateStore
    value: "true"
"""

PLAIN_HTTP = """
import json, os, urllib.error, urllib.request
try:
    urllib.request.urlopen(f"http://localhost:{os.environ['DAPR_HTTP_PORT']}/v1.0/state/statestore/x")
except urllib.error.HTTPError as refused:
    json.loads(refused.read())
"""

PLAIN_HTTP_GOES_ON = PLAIN_HTTP.replace(
    "    json.loads(refused.read())", "    print('refused')"
) + (
    "import signal, dapr.ext.workflow as wf\nwfr = wf.WorkflowRuntime()\n"
    "@wfr.activity(name='work')\ndef work(ctx, given):\n    return 1\n"
    "wfr.start()\nsignal.pause()\n"
)


@pytest.fixture
def port():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]  # bound, and nobody listens


def _with_store(run_file, text, port):
    (run_file.parent / "components" / "statestore.yaml").write_text(text.format(port=port))
    return run_file


def test_a_redis_that_nobody_started_is_named_and_the_stores_of_the_course_are_the_way_out(
    make_lab, small, port
):
    run_file = _with_store(small, REDIS, port)
    with pytest.raises(ProcessEnded) as caught:
        make_lab(run_file).up(announce=False)
    said = f"nothing listens at localhost:{port}, which the component statestore names"
    assert caught.value.found.startswith(said)
    assert 'Lab(run_file, components="default")' in caught.value.fix
    lab = make_lab(run_file, components="default")
    lab.up(announce=False)
    lab.client("caller").schedule_new_workflow("call", input={}, instance_id="w")
    assert lab.run("w").wait(usual=60).status == "COMPLETED"


def test_a_store_that_cannot_hold_actors_is_named(make_lab, small, port):
    lab = make_lab(_with_store(small, TABLE, port))
    with pytest.raises(ProcessEnded) as caught:
        lab.up(announce=False)
    assert "statestore (state.azure.tablestorage) cannot hold actors" in caught.value.found
    assert "panic: runtime error" in caught.value.found


def test_a_service_that_speaks_plain_http_learns_of_the_token_when_it_ends(make_lab, tmp_path):
    lab = make_lab(write_small(tmp_path, target=PLAIN_HTTP))
    with pytest.raises(ProcessEnded) as caught:
        lab.up(announce=False)
    assert "without its API token" in caught.value.found
    assert "JSONDecodeError" in caught.value.found
    assert "DAPR_API_TOKEN" in caught.value.fix


def test_a_service_that_goes_on_after_a_refusal_is_named_when_a_wait_is_in_vain(make_lab, tmp_path):
    lab = make_lab(write_small(tmp_path, target=PLAIN_HTTP_GOES_ON))
    lab.up(announce=False)
    wait_until(lambda: "refused" in lab.app("target").logs(), usual=10)
    with pytest.raises(NotInTime, match="target: its sidecar refused"):
        wait_until(lambda: False, 0.1)
