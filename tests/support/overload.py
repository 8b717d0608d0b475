"""The apps of ``services/overload`` in a folder of a test, with limits and further resources."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from labkit import paths


def write_overload(
    folder: Path,
    limits: Mapping[str, Any],
    at: str = "mail-service",
    resources: Mapping[str, str] | None = None,
) -> Path:
    """Copy the two apps; return the run file.

    Args:
        limits: what ``spec.workflow`` of the Configuration holds.
        at: the app ID whose sidecar gets this Configuration.
        resources: further files beside the component, by name.
    """
    source = paths.repo() / "services" / "overload"
    shutil.copytree(source, folder, dirs_exist_ok=True)
    shutil.copytree(paths.repo() / "components" / "default", folder / "components")
    for name, text in (resources or {}).items():
        (folder / "components" / name).write_text(text, "utf-8")
    limit = {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Configuration",
        "metadata": {"name": "limits"},
        "spec": {"workflow": dict(limits)},
    }
    (folder / "limits.yaml").write_text(yaml.safe_dump(limit), "utf-8")
    apps = [
        {
            "appID": app_id,
            "appDirPath": app_id,
            "command": ["python3", "main.py"],
            **({"configFilePath": "../limits.yaml"} if app_id == at else {}),
        }
        for app_id in ("order-desk", "mail-service")
    ]
    run_file = {"version": 1, "common": {"resourcesPath": "components"}, "apps": apps}
    (folder / "dapr.yaml").write_text(yaml.safe_dump(run_file), "utf-8")
    return folder / "dapr.yaml"
