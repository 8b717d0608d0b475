"""Small deployments for tests: real apps, as short as they can be."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path

import yaml

from labkit import paths

CALLER = '''
import datetime, os, signal
import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.workflow(name="call")
def call(ctx, given):
    """Call one activity of the target and return its answer."""
    return (yield ctx.call_activity("work", input=given, app_id="target"))


@wfr.workflow(name="call_child")
def call_child(ctx, given):
    return (yield ctx.call_child_workflow("child", input=given, app_id="target"))


@wfr.workflow(name="sleepy")
def sleepy(ctx, seconds):
    yield ctx.create_timer(datetime.timedelta(seconds=seconds))
    return (yield ctx.call_activity("work", input={}, app_id="target"))


@wfr.workflow(name="paced")
def paced(ctx, given):
    for _ in range(4):
        yield ctx.create_timer(datetime.timedelta(seconds=1))


wfr.start()
signal.pause()
'''

TARGET = '''
import os, pathlib, signal, time
import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()
notes = pathlib.Path(os.environ["LEDGER"]).with_suffix(".txt")


@wfr.activity(name="work")
def work(ctx, given):
    """Note the start, wait for a file that the test makes, note the end."""
    with notes.open("a") as out:
        out.write("start\\n")
    gate = (given or {}).get("gate")
    while gate and not pathlib.Path(gate).exists():
        time.sleep(0.02)
    with notes.open("a") as out:
        out.write("end\\n")
    return {"pid": os.getpid(), "given": given}


@wfr.workflow(name="child")
def child(ctx, given):
    return (yield ctx.call_activity("work", input=given))


wfr.start()
signal.pause()
'''

STORE = """\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: statestore
spec:
  type: state.sqlite
  version: v1
  metadata:
  - name: connectionString
    value: statestore.sqlite
  - name: busyTimeout
    value: 10s
  - name: actorStateStore
    value: "true"
"""

# A plain HTTP server, without workflows.
SHIPPING = """
import json, os
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        given = json.loads(self.rfile.read(int(self.headers["content-length"])) or b"{}")
        answer = json.dumps({"path": self.path, "given": given}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self):
        self.send_response(200)
        self.end_headers()


HTTPServer(("127.0.0.1", int(os.environ["APP_PORT"])), Handler).serve_forever()
"""

# Its workflow ``ask`` calls another app as a service, by the SDK or in plain HTTP.
DESK = '''
import json, os, signal, urllib.request
import dapr.ext.workflow as wf
from dapr.clients import DaprClient

wfr = wf.WorkflowRuntime()


@wfr.activity(name="by_sdk")
def by_sdk(ctx, app_id):
    with DaprClient() as client:
        answer = client.invoke_method(app_id, "check", json.dumps({"to": "Lyon"}), http_verb="POST")
        return json.loads(answer.text())


@wfr.activity(name="by_http")
def by_http(ctx, app_id):
    """Ask the sidecar in plain HTTP, with its token."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{os.environ['DAPR_HTTP_PORT']}/v1.0/invoke/{app_id}/method/check",
        data=b'{"to": "Lyon"}',
        headers={"dapr-api-token": os.environ["DAPR_API_TOKEN"]},
    )
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


@wfr.workflow(name="ask")
def ask(ctx, given):
    way, app_id = given
    return (yield ctx.call_activity(way, input=app_id))


wfr.start()
signal.pause()
'''

RUN_FILE = """\
version: 1
common:
  resourcesPath: components
apps:
- appID: caller
  appDirPath: caller
  command: ["python3", "main.py"]
- appID: target
  appDirPath: target
  command: ["python3", "main.py"]
"""


def write_small(folder: Path, caller: str = CALLER, target: str = TARGET) -> Path:
    """Write a deployment of the apps ``caller`` and ``target``; return its run file."""
    files = {
        "caller/main.py": caller,
        "target/main.py": target,
        "components/statestore.yaml": STORE,
        "dapr.yaml": RUN_FILE,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text), "utf-8")
    return folder / "dapr.yaml"


TRACING = """\
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata:
  name: views
spec:
  tracing:
    samplingRate: "1"
    {exporter}
"""
EXPORTERS = {
    "zipkin": 'zipkin: {endpointAddress: "http://$SPANS_HOST/api/v2/spans"}',
    "otlp": "otel: {endpointAddress: $SPANS_HOST, protocol: http, isSecure: false}",
}


def traced(folder: Path, exporter: str = "zipkin") -> Path:
    """Write the course's own services with a Configuration that sends spans."""
    services = folder / "services"
    shutil.rmtree(services, ignore_errors=True)
    ignored = shutil.ignore_patterns("patterns", "escalation", "fulfilment", "ml-inference-service")
    shutil.copytree(paths.repo() / "services", services, ignore=ignored)
    shutil.copytree(paths.repo() / "components", folder / "components", dirs_exist_ok=True)
    (services / "views.yaml").write_text(TRACING.format(exporter=EXPORTERS[exporter]))
    file = services / "dapr.yaml"
    told = yaml.safe_load(file.read_text())
    told["common"]["configFilePath"] = "views.yaml"
    told["apps"] = [a for a in told["apps"] if "configFilePath" not in a]
    file.write_text(yaml.safe_dump(told, sort_keys=False))
    return file
