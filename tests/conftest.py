"""What all tests share: a state folder of their own, so that nothing meets the user's."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True, scope="session")
def state_folder(tmp_path_factory: pytest.TempPathFactory):
    """Keep everything that labkit writes out of the repository."""
    folder = tmp_path_factory.mktemp("state")
    before = os.environ.get("LABKIT_STATE")
    os.environ["LABKIT_STATE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["LABKIT_STATE"]
    else:
        os.environ["LABKIT_STATE"] = before
