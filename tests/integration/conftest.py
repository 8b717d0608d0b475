"""A real lab for one test; afterwards nothing of it may be left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkit.labs.lab import Lab
from labkit.processes import lifeline, ports
from tests.support.deployments import write_small
from tests.support.system import listening


@pytest.fixture
def make_lab() -> Iterator[Callable[..., Lab]]:
    """Return a factory of labs; each is ended and inspected after the test."""
    made: list[Lab] = []

    def make(*args, **kwargs) -> Lab:
        made.append(Lab(*args, **kwargs))
        return made[-1]

    yield make
    for lab in made:
        run_id = lab.folder.name
        used = [port for pairs in listening(run_id).values() for _, port in pairs]
        lab.down()
        assert lifeline.marked(run_id) == [], "no process of the lab may be left"
        assert [p for p in used if not ports.is_free(p)] == [], "its ports must be free again"


@pytest.fixture
def lab(make_lab) -> Lab:
    """The course's own services, not started."""
    return make_lab()


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A deployment of two small apps, ``caller`` and ``target``, in a folder of its own."""
    return write_small(tmp_path / "deployment")
