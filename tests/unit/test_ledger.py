"""Ledgers: read while services write them, and after a service was killed in the middle."""

from __future__ import annotations

import runpy
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace

import pytest

from labkit import paths
from labkit.apps.app import ledger_rows

KILLED_IN_THE_MIDDLE = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.executescript("CREATE TABLE mails (id, text); INSERT INTO mails VALUES (1, 'first');")
db.execute("PRAGMA cache_size = 1")
db.executemany("INSERT INTO mails VALUES (2, ?)", [("x" * 3000,) for _ in range(100)])
os.kill(os.getpid(), 9)
"""


def test_what_a_killed_service_left_half_written_is_undone(tmp_path: Path):
    file = tmp_path / "ledger.sqlite"
    subprocess.run([sys.executable, "-c", KILLED_IN_THE_MIDDLE, str(file)])
    assert file.with_name(file.name + "-journal").stat().st_size > 0, "it was in the middle"
    app = SimpleNamespace(app_id="notification-service", ledger=file)
    assert ledger_rows(app, "mails") == [{"id": 1, "text": "first"}]


@pytest.mark.parametrize("service", ["notification-service", "audit-service"])
def test_activities_that_are_the_first_to_write_do_not_lock_each_other_out(service, tmp_path):
    program = runpy.run_path(str(paths.repo() / "services" / service / "main.py"), run_name="it")
    ledger, together = program["ledger"], Barrier(3)

    def first_write() -> None:
        together.wait()
        with closing(ledger()) as db, db:
            db.execute("CREATE TABLE IF NOT EXISTS another (row)")
            db.execute("INSERT INTO another VALUES (1)")

    with ThreadPoolExecutor(3) as threads:
        for number in range(100):
            ledger.__globals__["LEDGER"] = str(tmp_path / f"{number}.sqlite")
            for done in [threads.submit(first_write) for _ in range(3)]:
                done.result()
