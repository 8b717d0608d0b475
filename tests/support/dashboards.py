"""A deployment in which every panel of the course's dashboards has something to show."""

from __future__ import annotations

import socket
from pathlib import Path

import yaml

from tests.support.deployments import DESK, SHIPPING, traced

APPS = ("task-orchestrator-service", "notification-service", "audit-service", "desk", "shipping")
WITH_CERTIFICATES = """\
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata:
  name: views
spec:
  mtls:
    enabled: true
"""
BROKEN = """\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: broken
spec:
  type: pubsub.redis
  version: v1
  ignoreErrors: true
  initTimeout: 2s
  metadata:
  - name: redisHost
    value: 127.0.0.1:1
"""


def watched(folder: Path) -> Path:
    """Write the course's services, two apps that invoke each other, and a component that fails.

    Returns:
        the run file; its sidecars have certificates.
    """
    run_file = traced(folder)
    (run_file.parent / "views.yaml").write_text(WITH_CERTIFICATES)
    for name, code in (("desk", DESK), ("shipping", SHIPPING)):
        (run_file.parent / name).mkdir()
        (run_file.parent / name / "main.py").write_text(code)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
    told = yaml.safe_load(run_file.read_text())
    command = ["python3", "main.py"]
    told["apps"] += [
        {"appID": "desk", "appDirPath": "desk", "command": command},
        {"appID": "shipping", "appDirPath": "shipping", "appPort": port, "command": command},
    ]
    run_file.write_text(yaml.safe_dump(told, sort_keys=False))
    resources = run_file.parent / told["common"]["resourcesPath"]
    (resources / "broken.yaml").write_text(BROKEN)
    return run_file
