"""What a lab can start: a run file, or a folder of Kubernetes manifests."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from labkit import manifests, runfile
from labkit.runfile import RunFile

RUN_FILE = "dapr.yaml"


def load(path: Path, given: Mapping[str, Any] | None = None) -> RunFile:
    """Read a run file or its folder, or a folder of manifests without a run file.

    Args:
        given: further arguments of :func:`labkit.manifests.load`, as :func:`facts` returns them.

    Raises:
        RunFileError, WrongManifest: something in it is wrong; names file and line.
    """
    with suppress(OSError):  # a name that is too long, or a folder that is closed: load() says so
        if path.is_dir():
            file = path / RUN_FILE
            is_deployed = not file.exists() and any(path.glob("*.y*ml"))
            return manifests.load(path, **(given or {})) if is_deployed else runfile.load(file)
    return runfile.load(path)


def facts(deployment: RunFile) -> dict[str, Any]:
    """Return how manifests were read, for who looks at the lab from outside; {} for a run file."""
    if not isinstance(deployment, manifests.Deployed):
        return {}
    return {"images": deployment.images or {}, "namespace": deployment.namespace}
