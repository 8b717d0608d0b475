"""What all tests share: a state folder of their own, so that nothing meets the user's."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from labkit.waiting import patience

# No test is about time: an example of 1 ms took 1.2 s on a machine whose cores others took.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

USUAL_LOAD = 4.0
"""Runnable processes per core while the suite runs as ``./lab test`` spreads it."""
SHOWN = 1200
"""Longest reason of a failure that is printed at once, in characters."""


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


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Let a test take longer by as much as this machine is slower than the suite makes it."""
    marker = item.get_closest_marker("timeout")
    given = item.config.getoption("timeout", None) or item.config.getini("timeout")
    limit = float(marker.args[0] if marker else given)
    if (factor := patience() / USUAL_LOAD) > 1:
        item.add_marker(pytest.mark.timeout(limit * factor), append=False)
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Collect no garbage while a failure is described.

    CPython 3.11 raises a SystemError, which ends the whole suite, when a destructor parses code
    while code is parsed: https://github.com/python/cpython/issues/106905.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Name a failure at once: whoever waits for an hour, or ends it before, knows it."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        where = "".join(str(report.longrepr).strip().splitlines()[-1:])[:300]
        crash = getattr(report.longrepr, "reprcrash", None)
        why = str(crash.message).strip() if crash else ""
        if len(why) > SHOWN:  # what a verdict stopped at stands at its end
            why = f"{why[: SHOWN // 4]} […] {why[-3 * SHOWN // 4 :]}"
        print(f"\n{report.nodeid} ({report.when}): {where}\n{why}", flush=True)


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
