"""Kernels that are killed; the fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import lab, make_lab, small
from tests.support.kernel import Kernel

__all__ = ["kernel", "lab", "make_lab", "small"]


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Callable[[], Kernel]]:
    """Return a factory of kernels; all are ended after the test."""
    started: list[Kernel] = []

    def start() -> Kernel:
        started.append(Kernel(tmp_path))
        return started[-1]

    yield start
    for one in started:
        one.kill()
