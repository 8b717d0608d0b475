"""The file of evidence: one JSON object a line, only ever added to.

``.lab/progress.jsonl`` holds predictions, answers, observations, verdicts, hints taken, resets.
Each line is added with a lock and a flush to the disk. Whatever else is in the file is skipped: a
line that is torn, not UTF-8, not an object, nested too deeply, or longer than any of ours. What
stands in the file's place (a folder, a pipe, a link to nowhere) is an error of the form that the
course has, in a cell as in a command.

What is about one ID is looked for from the end, so a cell does not read the whole file.
"""

from __future__ import annotations

import errno
import fcntl
import json
import math
import os
import stat
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from labkit import paths
from labkit.errors import SetupError
from labkit.waiting import poll

KINDS = (
    *("prediction", "observation", "answer", "explanation", "verdict", "hint", "reset", "lesson"),
    *("incident", "question"),
)
BLOCK = 1 << 16
LONGEST = 1 << 20
"""Bytes of a line that is read."""
LONGEST_TEXT = LONGEST // 8
"""Characters of a text that is noted; each may take six bytes."""
LOCK_SECONDS = 30.0


class EvidenceNotKept(SetupError):
    """A line of evidence could not be written."""

    code = "evidence-not-kept"


class EvidenceNotReadable(SetupError):
    """The file of evidence cannot be read."""

    code = "evidence-not-readable"


class Entry(NamedTuple):
    """One line of evidence.

    Attributes:
        at: seconds since the epoch.
        kind: one of KINDS.
        id: of the prediction, question, exercise or lesson.
        facts: what else was noted.
    """

    at: float
    kind: str
    id: str
    facts: dict[str, Any]


def file() -> Path:
    """Return the path of the evidence."""
    return paths.state() / "progress.jsonl"


# --- adding --------------------------------------------------------------------------------------


def note(kind: str, id: str, **facts: Any) -> None:
    """Add one line, and return when it is on the disk.

    Raises:
        EvidenceNotKept: the disk is full, or something else is in the file's place.
    """
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is none of {KINDS}")
    told = {"at": time.time(), "kind": kind, "id": id, **facts}
    line = json.dumps({k: _writable(v) for k, v in told.items()}, default=str)
    with _adding(f"add the {kind} {id} to {file()}") as descriptor:
        _add(descriptor, line.encode() + b"\n")


def require_addable() -> None:
    """Raise EvidenceNotKept when no line could be added; makes the file when it is missing."""
    with _adding(f"add to {file()}"):
        pass


def _writable(value: Any) -> Any:
    """Return a value as a line can hold it: no half characters, no number that JSON lacks."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()[:LONGEST_TEXT]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _add(descriptor: int, line: bytes) -> None:
    _, locked = poll(lambda: _try_lock(descriptor), within=LOCK_SECONDS, grows=True)
    if not locked:
        raise OSError(errno.EAGAIN, f"another process has held its lock for {LOCK_SECONDS:g} s")
    size = os.fstat(descriptor).st_size
    # A line that a crash has torn must not swallow this one.
    torn = size and os.pread(descriptor, 1, size - 1) != b"\n"
    try:
        _write(descriptor, b"\n" + line if torn else line)
        os.fsync(descriptor)
    except OSError:
        with suppress(OSError):  # half a line is worth nothing
            os.ftruncate(descriptor, size)
        raise


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# --- reading -------------------------------------------------------------------------------------


def entries(kind: str | None = None, id: str | None = None) -> list[Entry]:
    """Return the evidence, oldest first; of one kind or one ID, when given.

    Raises:
        EvidenceNotReadable: something else is in the file's place.
    """
    if id is not None:
        return [e for e in reversed(list(backwards(id))) if kind in (None, e.kind)]
    return [e for e in scan() if kind in (None, e.kind)]


def newest(kind: str, id: str) -> Entry | None:
    """Return the newest entry of a kind with an ID, or None."""
    return next((e for e in backwards(id) if e.kind == kind), None)


def scan() -> Iterator[Entry]:
    """Yield all evidence, oldest first; warn once when lines were skipped.

    Raises:
        EvidenceNotReadable: something else is in the file's place.
    """
    skipped: list[int] = []
    yield from _scanned(skipped)
    if skipped:
        lines = "1 line" if len(skipped) == 1 else f"{len(skipped)} lines"
        where = f"the first is line {skipped[0]}"
        warnings.warn(f"{file()}: {lines} skipped, not readable; {where}", stacklevel=2)


def counted() -> tuple[int, int]:
    """Return how many entries there are, and how many lines that are none.

    Raises:
        EvidenceNotReadable: something else is in the file's place.
    """
    skipped: list[int] = []
    return sum(1 for _ in _scanned(skipped)), len(skipped)


def backwards(*ids: str) -> Iterator[Entry]:
    """Yield the evidence about any of these IDs, newest first; reads no more than is asked for.

    Raises:
        EvidenceNotReadable: something else is in the file's place.
    """
    words = {word for id in ids for word in (json.dumps(id).encode(), b'"' + _utf8(id) + b'"')}
    for line in _lines_from_the_end():
        # Only what may be about them is taken apart; any character can be written as \uXXXX.
        if b"\\u" in line or any(word in line for word in words):
            entry = _entry(line)
            if entry is not None and entry.id in ids:
                yield entry


def _scanned(skipped: list[int]) -> Iterator[Entry]:
    number = 0
    for piece in _pieces():
        for line in piece.splitlines():
            number += 1
            entry = _entry(line)
            if entry is not None:
                yield entry
            elif line.strip():
                skipped.append(number)


def _pieces() -> Iterator[bytes]:
    """Yield the lines, the first one first; of a line that is too long its beginning, no entry."""
    with _reading() as descriptor, os.fdopen(os.dup(descriptor), "rb") as stream:
        ended = True
        while piece := stream.readline(LONGEST):
            if ended:
                yield piece
            ended = piece.endswith(b"\n")


def _lines_from_the_end() -> Iterator[bytes]:
    """Yield the lines, the last one first; reads in blocks, and keeps no line that is too long."""
    with _reading() as descriptor:
        position, rest = os.fstat(descriptor).st_size, b""
        while position > 0:
            start = max(0, position - BLOCK)
            lines = (os.pread(descriptor, position - start, start) + rest).splitlines(keepends=True)
            position = start
            rest = lines.pop(0) if start and lines else b""
            rest = rest if len(rest) <= LONGEST else b"\n"
            yield from reversed(lines)


def _entry(line: bytes) -> Entry | None:
    if len(line) > LONGEST:
        return None
    try:
        text = line.decode("utf-8").strip("\ufeff \t\r\n")
        told, end = _JSON(text, 0)
        at, kind, id = told.pop("at"), told.pop("kind"), told.pop("id")
        plain = type(at) in (int, float) and type(kind) is type(id) is str
        if end < len(text) or not plain or not math.isfinite(at):
            return None
        if (b"\\ud" in line or b"\\uD" in line) and _has_half(id, kind, told):
            return None
        return Entry(float(at), kind, id, told)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    except (StopIteration, RecursionError, OverflowError):  # no value; too deep; 10 ** 400
        return None


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"JSON has no {constant}")


_JSON: Any = vars(json.JSONDecoder(parse_constant=_refused))["scan_once"]


def _has_half(*values: Any) -> bool:
    r"""Whether a text holds half a character (``\ud800``), which no output can show."""
    try:
        json.dumps(values, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


# --- the file ------------------------------------------------------------------------------------


@contextmanager
def _opened(flags: int) -> Iterator[int]:
    """Open the file, which is for its user only; what is not a file is refused."""
    # A pipe would let the opening wait for somebody at its other end.
    descriptor = os.open(file(), flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, f"it is {_kind_of(found.st_mode)}, not a file")
        if found.st_mode & 0o077 and not file().is_symlink():
            with suppress(OSError):  # somebody else's
                os.fchmod(descriptor, 0o600)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _adding(asked: str) -> Iterator[int]:
    """Open the file for adding to it; made when it is not there yet."""
    try:
        with _opened(os.O_RDWR | os.O_APPEND | os.O_CREAT) as descriptor:
            yield descriptor
    except OSError as problem:
        _not_kept(asked, problem)


@contextmanager
def _reading() -> Iterator[int]:
    """Open the file for reading; nothing in place of one that is not there yet."""
    try:
        with _opened(os.O_RDONLY) if os.path.lexists(file()) else _nothing() as descriptor:
            yield descriptor
    except OSError as problem:
        _not_readable(problem)


@contextmanager
def _nothing() -> Iterator[int]:
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123
        yield nothing.fileno()


def _kind_of(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device"}
    return kinds.get(stat.S_IFMT(mode), "something else")


def _not_kept(asked: str, problem: OSError) -> NoReturn:
    full = problem.errno in (errno.ENOSPC, errno.EDQUOT)
    raise EvidenceNotKept(
        "the disk is full: nothing was saved" if full else "nothing was saved",
        asked=asked,
        found=_said(problem),
        look_at=f"df -h {file().parent}" if full else f"ls -l {file()}",
        fix="free some space, then repeat" if full else _way_out(problem),
    ) from problem


def _not_readable(problem: OSError) -> NoReturn:
    raise EvidenceNotReadable(
        "your evidence cannot be read",
        asked=f"read {file()}",
        found=_said(problem),
        look_at=f"ls -l {file()}",
        fix=_way_out(problem),
    ) from problem


def _said(problem: OSError) -> str:
    if file().is_symlink() and not file().exists():
        return f"it is a link to {file().readlink()}, which does not exist"
    return str(problem.strerror or problem)


def _way_out(problem: OSError) -> str:
    if problem.errno == errno.EAGAIN:
        return "end that process (./lab ps lists the labs), then repeat"
    if file().is_symlink():
        return "bring back what it links to, or remove the link, then repeat"
    if problem.errno in (errno.ENOLCK, errno.EOPNOTSUPP):
        return "use a disk that can lock files: LABKIT_STATE=FOLDER ./lab start"
    if not os.access(file().parent, os.W_OK):
        return f"make {file().parent} writable, or use another: LABKIT_STATE=FOLDER ./lab start"
    if problem.errno in (errno.EACCES, errno.EPERM):
        return "make it a file of your own that you can read and write, then repeat"
    return "move it away; the next entry makes a new file"
