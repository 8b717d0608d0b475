"""Questions to the operating system about processes and sockets."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil

from labkit.processes import lifeline


def listening(run_id: str) -> dict[str, set[tuple[str, int]]]:
    """Return process name to (address, port) pairs that a run's processes listen on."""
    found: dict[str, set[tuple[str, int]]] = {}
    for pid in lifeline.marked(run_id):
        with suppress(psutil.NoSuchProcess):  # it may end while we ask
            process = psutil.Process(pid)
            for connection in process.net_connections("inet"):
                if connection.status == psutil.CONN_LISTEN or connection.type.name == "SOCK_DGRAM":
                    pair = (connection.laddr.ip, connection.laddr.port)
                    found.setdefault(process.name(), set()).add(pair)
    return found


def files_below(folder: Path) -> set[Path]:
    """Return all files below a folder."""
    return {p for p in folder.rglob("*") if p.is_file()}
