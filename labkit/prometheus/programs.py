"""Finds ``prometheus`` and ``promtool``: on PATH, else where ``./lab prometheus`` has put them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Literal

from labkit import paths
from labkit.errors import SetupError

Program = Literal["prometheus", "promtool"]
GET = "./lab prometheus"
ELSEWHERE = "on macOS: brew install prometheus; with conda: conda install -c conda-forge prometheus"


class NoPrometheus(SetupError):
    """Prometheus or its tool is not on this machine."""

    code = "no-prometheus"


def folder() -> Path:
    """Where the package is unpacked, beside the programs of Dapr."""
    return paths.cache() / "prometheus"


def program(name: Program) -> Path:
    """Return a program.

    Raises:
        NoPrometheus: it is neither on PATH nor in the cache.
    """
    on_path = shutil.which(name)
    if on_path:
        return Path(on_path)
    for cache in paths.caches():
        own = cache / "prometheus" / "usr" / "bin" / name
        if os.access(own, os.X_OK) and own.is_file():
            return own
    raise NoPrometheus(
        f"{name} is not on this machine",
        asked=f"the program {name}",
        found=f"none on PATH, and none in {folder()}",
        look_at="./lab prometheus --help, which says what it would do",
        fix=f"{GET} gets it for Debian and Ubuntu, without root; {ELSEWHERE}",
    )


def missing() -> NoPrometheus | None:
    """Return why Prometheus cannot be used here; None when it and its tool are on this machine."""
    try:
        program("prometheus"), program("promtool")
    except NoPrometheus as problem:
        return problem
    return None
