"""Loaded by Python itself when a service of the second lab starts: notes calls of the mail server.

Each connection is noted when it is asked for, so those that nobody accepts count, too.
"""

import os
import sys
from pathlib import Path

PORT = os.environ.get("SMTP_PORT")
NOTES = Path(os.environ.get("LEDGER", "ledger.sqlite")).with_name("connections.txt")


def note(event: str, arguments: tuple) -> None:
    """Write a line for each connection to the port of the mail server."""
    address = arguments[1] if event == "socket.connect" else None
    if isinstance(address, tuple) and str(address[1]) == PORT:
        with NOTES.open("a", encoding="utf-8") as out:
            out.write("connected\n")


sys.addaudithook(note)
