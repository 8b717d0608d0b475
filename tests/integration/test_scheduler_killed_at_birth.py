"""A scheduler was killed before its store had anything in it: the next one never leads."""

from __future__ import annotations

import struct
from pathlib import Path

from labkit.infrastructure.controlplane import NEVER_LEADS
from labkit.waiting import wait_until

HEAD = 3
"""Records that etcd writes before it commits anything: a checksum, the member, no snapshot."""


def test_it_gets_an_empty_store_and_workflows_go_on(make_lab, small):
    lab = make_lab(small)
    lab.up(announce=False)
    lab.kill("scheduler", announce=False)
    _forget_all_commits(lab.folder / "scheduler")
    lab.up(announce=False)
    log = lab.folder / "logs" / "scheduler.log"
    wait_until(lambda: NEVER_LEADS.search(log.read_text()), what="etcd reads its store", usual=30)
    lab.up(announce=False)
    wait_until(lambda: lab.silence() is None, what="the scheduler serves sidecars", usual=60)
    lab.client("caller").schedule_new_workflow("call", input={}, instance_id="w")
    assert lab.run("w").wait().status == "COMPLETED"


def _forget_all_commits(data: Path) -> None:
    """Make the store what a kill in the first tenth of a second leaves."""
    (log,) = data.rglob("*-*.wal")
    written, at = bytearray(log.read_bytes()), 0
    for _ in range(HEAD):
        (length,) = struct.unpack_from("<Q", written, at)
        padding = (length >> 56) & 0x7 if length >> 63 else 0
        at += 8 + (length & ((1 << 56) - 1)) + padding
    log.write_bytes(bytes(written[:at]) + bytes(len(written) - at))
    for file in data.rglob("snap/*"):
        file.unlink()
