"""Blocks of loopback ports that no two labs on a host share.

A block is owned by whoever has bound its first port. Binding is atomic, holds between all users of
a host, needs no file, and ends with the process, so a lab that was killed leaves nothing behind.
The guard socket is passed on to the lifeline and to every process of the lab, so the block is held
until the last of them is gone. Blocks lie below the range from which the kernel takes ports for
outgoing connections, so nothing else takes them by chance.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from pathlib import Path

from labkit.errors import StartError

BLOCK_SIZE = 64
FIRST, LAST = 20000, 30000
LAST_PORT = 65535

_given: dict[int, int] = {}  # first port of a block to how often this process has had it


class PortTaken(StartError):
    """A port that a file names is in use."""

    code = "port-taken"


class PortOutOfRange(StartError):
    """A number that names no port."""

    code = "port-out-of-range"


class PortNotAllowed(StartError):
    """The system lets this user have no server on a port."""

    code = "port-not-allowed"


class NoPortsLeft(StartError):
    """All blocks of ports are in use."""

    code = "no-ports-left"


class PortBlock:
    """A block of ports that belongs to this process as long as ``guard`` is open."""

    def __init__(self, guard: socket.socket) -> None:
        self.guard = guard
        self.first: int = guard.getsockname()[1]
        self._free = self._usable()

    def take(self) -> int:
        """Return a port of the block that nobody listens on, each one once.

        Raises:
            NoPortsLeft: the block is used up.
        """
        try:
            return next(self._free)
        except StopIteration:
            raise NoPortsLeft(
                "this lab needs more ports than one block has",
                asked=f"one more port of block {self.first}",
                found=f"{BLOCK_SIZE - 1} ports in use",
                look_at="./lab ps",
                fix="start fewer apps in one lab",
            ) from None

    def close(self) -> None:
        """Give the block back."""
        self.guard.close()

    def _usable(self) -> Iterator[int]:
        return (p for p in range(self.first + 1, self.first + BLOCK_SIZE) if is_free(p))


def reserve(prefer: int | None = None) -> PortBlock:
    """Return a block of ports that is ours alone.

    Args:
        prefer: first port of the block to try before all others.

    Raises:
        NoPortsLeft: every block is held by somebody.
    """
    starts = _starts()
    # gRPC remembers for some seconds that an address of this process did not answer, and refuses
    # calls meanwhile: so a new lab does not get the ports of the one before.
    starts.sort(key=lambda first: _given.get(first, 0))
    if prefer in starts:
        starts.insert(0, prefer)
    for first in starts:
        guard = _bound(first)
        if guard is not None:
            _given[first] = _given.get(first, 0) + 1
            return PortBlock(guard)
    raise NoPortsLeft(
        "no block of ports is free for another lab",
        asked=f"{BLOCK_SIZE} ports between {FIRST} and {LAST}",
        found=f"all {len(starts)} blocks are in use: by labs of this host, of other users too, or "
        "by other programs that listen there",
        look_at="./lab ps for your own labs; ss -ltn, or netstat -an, for the rest",
        fix="end labs that are not used any more: ./lab stop",
    )


def free_blocks() -> int:
    """Return how many blocks nobody holds now."""
    free = 0
    for first in _starts():
        if guard := _bound(first):  # given back at once: a lab that starts now must find one
            guard.close()
            free += 1
    return free


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this port now, on any address of the machine."""
    return _refusal(port) is None


def _refusal(port: int) -> int | None:
    """Return the number of the error with which the system refuses a port; None if it does not."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As Go and uvicorn do: a connection that has ended (TIME_WAIT) does not block a server.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OverflowError:
            return errno.ERANGE
        except OSError as problem:
            return problem.errno
        return None


def is_listening(host: str, port: int) -> bool:
    """Tell whether somebody takes connections there."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def is_listening_at(path: str) -> bool:
    """Tell whether somebody takes connections at a Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex(path) == 0


def require_free(port: int, asked: str) -> int:
    """Return ``port`` when it is free.

    Raises:
        PortOutOfRange, PortNotAllowed: nobody, or not this user, can have such a port.
        PortTaken: it is in use; names the holder where the system tells.
    """
    require_usable(port, asked, "the ports in the run file", "remove it from the run file")
    if is_free(port):
        return port
    raise PortTaken(
        f"port {port} is in use",
        asked=asked,
        found=f"port {port} is held by {holder_of(port)}",
        look_at="./lab ps, and the ports in the run file",
        fix="end that process, or remove the port from the run file: the lab chooses one",
    )


def require_usable(port: int, asked: str, look_at: str, leave_out: str) -> None:
    """Require a number that this user can have a server on, whether it is in use or not.

    Args:
        leave_out: how to do without naming a port.

    Raises:
        PortOutOfRange: it is no port.
        PortNotAllowed: it takes rights that this user does not have.
    """
    if not 1 <= port <= LAST_PORT:
        raise PortOutOfRange(
            f"{port} is not a port",
            asked=asked,
            found=f"{port}; ports go from 1 to {LAST_PORT}",
            look_at=look_at,
            fix=f"name a port above 1023, or {leave_out}: a free one is chosen",
        )
    if _refusal(port) in (errno.EACCES, errno.EPERM):
        raise PortNotAllowed(
            f"this user may not have a server on port {port}",
            asked=asked,
            found=f"the system refuses port {port}: Permission denied; below 1024 it takes rights",
            look_at=look_at,
            fix=f"name a port above 1023, or {leave_out}: a free one is chosen",
        )


def holder_of(port: int) -> str:
    """Name the process that listens on ``port``, as far as the system lets us see."""
    import psutil

    try:
        listening = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        pids = {c.pid for c in listening if c.laddr and c.laddr.port == port and c.pid}
        names = [f"{psutil.Process(p).name()} (pid {p})" for p in sorted(pids)]
    except psutil.Error:
        names = []
    return ", ".join(names) or "a process that this user cannot see"


def _starts() -> list[int]:
    return list(range(FIRST, min(LAST, _ephemeral_from()) - BLOCK_SIZE, BLOCK_SIZE))


def _bound(port: int) -> socket.socket | None:
    guard = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        guard.bind(("127.0.0.1", port))
    except OSError:
        guard.close()
        return None
    return guard


def _ephemeral_from() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:  # macOS: 49152 and above
        return LAST
