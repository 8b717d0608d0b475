"""The manifest beside the Dapr programs: where they came from, and what each one was.

Asking the SHA-256 of 280 MB takes about a second. So a file that was right is noted with its size
and time, and asked again only when these change, or by ``./lab setup`` and ``./lab doctor``.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

NAME = "manifest.json"
SEEN = "verified.json"


def read(folder: Path) -> dict[str, str]:
    """Return what is known of the programs in a folder: origin and SHA-256 of each."""
    return {k: str(v) for k, v in _object(folder / NAME).items()}


def write(folder: Path, origin: str, programs: Iterable[str]) -> None:
    """Note where the programs came from, and what they are now."""
    facts = {"origin": origin, **{p: sha256_of(folder / p) for p in programs}}
    (folder / NAME).write_text(json.dumps(facts, indent=1), "utf-8")


def damaged(folder: Path, programs: Iterable[str], notes: Path, *, thorough: bool) -> list[str]:
    """Return the programs that are there and are not those of the manifest.

    Args:
        notes: the folder of the note on what was asked before; one that cannot be written is no
            problem.
        thorough: ask, whatever was noted.
    """
    expected = read(folder)
    there = [p for p in programs if p in expected and (folder / p).is_file()]
    seen = {} if thorough else _object(notes / SEEN)
    now = {str(folder / p): [expected[p], *_looks(folder / p)] for p in there}
    asked = [p for p in there if seen.get(str(folder / p)) != now[str(folder / p)]]
    wrong = [p for p in asked if sha256_of(folder / p) != expected[p]]
    if set(asked) - set(wrong):
        _note(notes, {k: v for k, v in now.items() if Path(k).name not in wrong})
    return wrong


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal; "" of one that cannot be read."""
    digest = hashlib.sha256()
    with suppress(OSError), file.open("rb") as data:
        while chunk := data.read(1 << 20):
            digest.update(chunk)
        return digest.hexdigest()
    return ""


def _looks(file: Path) -> list[int]:
    found = file.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ino]


def _note(notes: Path, facts: dict[str, list[object]]) -> None:
    with suppress(OSError):
        notes.mkdir(parents=True, exist_ok=True)
        new = notes / f"{SEEN}.{os.getpid()}"
        new.write_text(json.dumps({**_object(notes / SEEN), **facts}), "utf-8")
        new.replace(notes / SEEN)


def _object(file: Path) -> dict[str, object]:
    """Return the object that a file holds; an empty one when it holds none."""
    try:
        said = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}
