"""Draws an incident from a seed, and seals it so that nobody reads it by chance.

The same seed draws the same incident as long as the list of faults is the same; a file that was
saved holds the faults themselves, so it stays the same when the list grows. Sealed means: not
readable at a glance. Who wants to open it can.
"""

from __future__ import annotations

import base64
import binascii
import errno
import hashlib
import json
import secrets
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from labkit.errors import DeploymentError
from labkit.incidents.deployed import fit
from labkit.incidents.faults import Fault, faults
from labkit.reading import plainfile

MOST = 10**6
TWO_OF = 4
"""One incident of so many has two faults."""
FORM = "labkit incident 1"
MOST_BYTES = 100_000


class NotSaved(DeploymentError):
    """A file cannot be written."""

    code = "not-saved"


class WrongIncident(DeploymentError):
    """A file or a text does not hold an incident."""

    code = "wrong-incident"


@dataclass(frozen=True)
class Sealed:
    """An incident that was drawn.

    Attributes:
        seed: draws its orders, too.
        faults: their IDs.
    """

    seed: int
    faults: tuple[str, ...]

    def opened(self) -> tuple[Fault, ...]:
        """Return the faults.

        Raises:
            WrongIncident: this course does not have one of them.
        """
        known = faults()
        if set(self.faults) <= set(known):
            return tuple(known[id] for id in self.faults)
        raise WrongIncident(
            "this course has not all that the incident needs",
            asked=f"incident {self.seed}",
            found="it was made with another version of the course",
            look_at="CHANGELOG.md",
            fix="use the version it was made with, or draw another: ./lab incident",
        )


def draw(seed: int | None = None) -> Sealed:
    """Return the incident of a seed; without one, of a number that is drawn."""
    seed = secrets.randbelow(MOST) if seed is None else seed
    drawn = [f for f in faults().values() if f.is_drawn]
    ranked = sorted(drawn, key=lambda f: _number(seed, f.id))
    first = ranked[0]
    if _number(seed, "two faults") % TWO_OF:
        return Sealed(seed, (first.id,))
    second = next((f for f in ranked[1:] if fit([first, f])), None)
    return Sealed(seed, (first.id, second.id) if second else (first.id,))


def _number(seed: int, name: str) -> int:
    """A number for a name that depends on no other name, so a longer list changes few draws."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8], "big")


# --- sealing -------------------------------------------------------------------------------------


def seal(incident: Sealed) -> str:
    """Return an incident as a text that tells nothing at a glance."""
    told = json.dumps([incident.seed, *incident.faults]).encode()
    return base64.b85encode(zlib.compress(told)[::-1]).decode()


def unseal(text: str, where: str) -> Sealed:
    """Return the incident of a sealed text.

    Args:
        where: the file and the line it comes from, for the error.

    Raises:
        WrongIncident: it was not sealed by us, or was changed since.
    """
    try:
        told = json.loads(zlib.decompress(base64.b85decode(text.encode())[::-1]))
        seed, *ids = told
        if not (isinstance(seed, int) and ids and all(isinstance(i, str) for i in ids)):
            raise ValueError(text)
    except (ValueError, TypeError, AttributeError, zlib.error, binascii.Error, RecursionError):
        _refuse(where, "its sealed text is not whole")
    return Sealed(seed, tuple(ids))


def save(incident: Sealed, file: Path) -> None:
    """Write an incident to a file that can be sent to a class."""
    lines = [FORM, f"seed {incident.seed}", seal(incident)]
    try:
        if file.exists():
            _require_ours(file)
        file.write_text("\n".join(lines) + "\n", "utf-8")
    except OSError as problem:
        raise NotSaved(
            "the incident cannot be saved",
            asked=f"--save {file}",
            found=str(problem.strerror or problem),
            look_at=f"ls -ld {file.absolute().parent} {file}",
            fix="name a new file, in a folder that exists and that you can write to",
        ) from problem


def _require_ours(file: Path) -> None:
    """Refuse to write over what is no saved incident: OSError, in words."""
    if not plainfile.read(file, MOST_BYTES).startswith(FORM.encode()):
        raise OSError(errno.EEXIST, "there is a file already, and it is no incident", str(file))


def read(file: Path) -> Sealed:
    """Return the incident of a file.

    Raises:
        WrongIncident: with the line that is wrong.
    """
    try:
        lines = plainfile.read(file, MOST_BYTES).decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        _refuse(str(file), str(getattr(problem, "strerror", None) or "it is not a text"))
    if lines[:1] != [FORM]:
        _refuse(f"{file}, line 1", f"{_shown(lines[:1])}, where {FORM!r} should stand")
    if len(lines) < 2 or not lines[1].startswith("seed "):
        _refuse(f"{file}, line 2", f"{_shown(lines[1:2])}, where the seed should stand")
    found = unseal("".join(lines[2:3]), f"{file}, line 3")
    if lines[1] != f"seed {found.seed}":
        _refuse(f"{file}, line 2", f"{_shown(lines[1:2])}, which is not the seed that was sealed")
    return found


def _shown(lines: Iterable[str]) -> str:
    return repr(next(iter(lines), "nothing")[:40])


def _refuse(where: str, found: str) -> NoReturn:
    raise WrongIncident(
        "this is not an incident of the course",
        asked=f"the incident in {where}",
        found=found,
        look_at=where,
        fix="take the file as it was sent to you, or draw one: ./lab incident",
    )


def of(ids: Sequence[str], seed: int = 0) -> Sealed:
    """Return the incident with these faults, for tests and benches."""
    return Sealed(seed, tuple(ids))
