"""Whether this machine has Prometheus; a test that needs it is skipped with the command."""

from __future__ import annotations

import pytest

from labkit import prometheus
from labkit.errors import LabError


def _found() -> bool:
    try:
        return all(prometheus.program(name) for name in ("prometheus", "promtool"))
    except LabError:
        return False


have_prometheus = pytest.mark.skipif(not _found(), reason="get it with ./lab prometheus")
