"""Apps of a lab invoke each other as services, as Dapr's tutorial "combined patterns" does."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.support.deployments import DESK, SHIPPING, STORE
from tests.support.system import listening

RUN_FILE = """\
version: 1
common:
  resourcesPath: components
apps:
- appID: desk
  appDirPath: desk
  command: ["python3", "main.py"]
- appID: shipping
  appDirPath: shipping
  appPort: {port}
  command: ["python3", "main.py"]
"""


@pytest.fixture
def combined(tmp_path: Path) -> Path:
    """Two apps; the second has no workflows, and the run file names its port, as it must."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
    files = {
        "desk/main.py": DESK,
        "shipping/main.py": SHIPPING,
        "components/statestore.yaml": STORE,
        "dapr.yaml": RUN_FILE.format(port=port),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path / "dapr.yaml"


def _asked(lab, way: str, app_id: str):
    instance = f"{way}-{app_id}"
    desk = lab.client("desk")
    desk.schedule_new_workflow("ask", input=[way, app_id], instance_id=instance)
    return lab.run(instance).wait(usual=60)


def test_an_app_is_invoked_by_its_app_id_and_an_unknown_one_is_named(make_lab, combined):
    lab = make_lab(combined)
    lab.up(announce=False)
    expected = {"path": "/check", "given": {"to": "Lyon"}}
    assert _asked(lab, "by_sdk", "shipping").output == expected
    assert _asked(lab, "by_http", "shipping").output == expected
    assert "ThisLabHasNoSuchApp" in json.dumps(str(_asked(lab, "by_sdk", "absent").failure))
    daprd = listening(lab.folder.name)["daprd"]
    assert {ip for ip, _ in daprd} == {"127.0.0.1"}, "and none asks the network by mDNS"


def test_an_app_is_invoked_that_was_started_later_or_anew(make_lab, combined):
    lab = make_lab(combined)
    lab.up("desk", announce=False)
    assert _asked(lab, "by_sdk", "shipping").status == "FAILED", "it does not run yet"
    lab.up("shipping", announce=False)
    lab.restart("shipping", announce=False)
    assert _asked(lab, "by_http", "shipping").status == "COMPLETED"


def test_a_configuration_of_the_run_file_keeps_the_resolver(make_lab, combined):
    own = combined.parent / "own.yaml"
    own.write_text(
        "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata:\n  name: own\n"
        'spec:\n  tracing:\n    samplingRate: "0"\n'
    )
    text = combined.read_text().replace("common:\n", "common:\n  configFilePath: own.yaml\n")
    combined.write_text(text)
    lab = make_lab(combined)
    lab.up(announce=False)
    assert _asked(lab, "by_http", "shipping").status == "COMPLETED"
