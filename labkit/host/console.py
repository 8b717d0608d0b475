"""Lines about long steps, on standard error: what is done, since when, how far."""

from __future__ import annotations

import sys
import time
from typing import TextIO

BAR = 30


class Console:
    """Writes lines with the elapsed time; a bar where the size is known.

    On a terminal the bar is redrawn in place; elsewhere it becomes one line per quarter.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._began = time.monotonic()
        self._shown = -1
        self._open = False

    def line(self, text: str) -> None:
        """Write one line."""
        self._end_bar()
        elapsed = time.monotonic() - self._began
        print(f"[{elapsed:6.1f} s] {text}", file=self._stream, flush=True)

    def progress(self, what: str, done: float, total: float) -> None:
        """Say how far a step is; ``done`` and ``total`` in any one unit."""
        share = min(done / total, 1.0) if total else 0.0
        if self._stream.isatty():
            full = int(share * BAR)
            bar = "#" * full + "." * (BAR - full)
            print(f"\r          {what} [{bar}] {share:4.0%}", end="", file=self._stream, flush=True)
            self._open = True
        elif int(share * 4) != self._shown:
            self._shown = int(share * 4)
            self.line(f"{what}: {share:.0%}")

    def _end_bar(self) -> None:
        if self._open:
            print(file=self._stream)
            self._open = False
