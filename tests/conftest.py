"""What all tests share: a state folder of their own, so that nothing meets the user's."""

from __future__ import annotations

import os
import signal

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--every-answer``: an hour of answers to the exercises instead of some minutes."""
    help = "play every wrong and right answer of the exercises, not some of each"
    parser.addoption("--every-answer", action="store_true", help=help)


def pytest_configure() -> None:
    """Let Ctrl-C reach what the tests start.

    Who starts the suite in the background of a script (``./lab test &``) starts it with SIGINT
    ignored, and so would be every process of it: those that the tests interrupt as well.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
