"""The limits that the system sets for this user: open files and processes.

A lab asks before it starts anything, because the programs that meet a limit say little of it.
"""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from labkit.errors import SetupError

COUNTED_BELOW = 10_000
"""Counting the threads of a user takes a while; a lab meets no limit above this one."""
CGROUP = Path("/sys/fs/cgroup")
NEEDED_FILES = 256
"""The etcd inside the scheduler reserves 150 and ends below that ("file descriptor limit of etcd
process is too low", measured on 1.18.1 at 64 and 128)."""
NEEDED_PROCESSES = 150
"""A lab of four apps has 11 processes with 93 threads, and its kernel 13 (measured on 2 cores)."""
WANTED_FILES = 1024


class LimitTooLow(SetupError):
    """This user may not open as many files, or run as many processes, as a lab needs."""

    code = "limit-too-low"


@dataclass(frozen=True)
class Limit:
    """One limit of this user.

    Attributes:
        what: ``open files`` or ``processes``.
        flag: the option of ``ulimit`` that shows and sets it.
        most: the limit; None where there is none, or where it does not hold for this user.
        used: how many count against it already.
        needed: how many more a lab needs.
        container: whether it is a limit of the container, not of the user.
    """

    what: str
    flag: str
    most: int | None
    used: int
    needed: int
    container: bool = False

    @property
    def is_too_low(self) -> bool:
        """Whether a lab would meet it."""
        return self.most is not None and self.most - self.used < self.needed

    def __str__(self) -> str:
        if self.most is None:
            return f"{self.what}: no limit"
        used = f", {self.used} in use" if self.used else ""
        whose = " of this container" if self.container else ""
        return f"{self.what}: the limit{whose} is {self.most}{used}"

    @property
    def fix(self) -> str:
        """What raises it."""
        enough = max(4096, self.used + 2 * self.needed)
        if self.container:
            return f"start the container with a higher limit: docker run --pids-limit {enough}"
        return (
            f"ulimit {self.flag} {enough}, then start again; where the system refuses that, "
            f"raise it in /etc/security/limits.conf, or ask who runs this machine"
        )


def open_files() -> Limit:
    """Return the limit per process; the hard one, because Go programs raise the soft one to it."""
    return Limit("open files", "-n", _hard(resource.RLIMIT_NOFILE), 0, NEEDED_FILES)


def processes() -> Limit:
    """Return the limit on processes and threads of this user, of whom root has none on Linux."""
    soft = _number(resource.getrlimit(resource.RLIMIT_NPROC)[0])
    most = None if soft is None or _is_real_root() else soft
    used = _threads() if most and most < COUNTED_BELOW else 0
    own = Limit("processes", "-u", most, used, NEEDED_PROCESSES)
    around = _of_container()
    return around if around and around.is_too_low else own


def _of_container() -> Limit | None:
    """Return the limit on processes of the control group that a container is; None for none."""
    for folder in (CGROUP, CGROUP / "pids"):
        with suppress(OSError, ValueError):
            most = int((folder / "pids.max").read_text("ascii"))
            used = int((folder / "pids.current").read_text("ascii"))
            return Limit("processes", "-u", most, used, NEEDED_PROCESSES, container=True)
    return None


def require() -> None:
    """Raise the soft limit on open files where that is allowed, and ask both limits.

    Raises:
        LimitTooLow: with the limit, what is in use, and what a lab needs.
    """
    _raise_soft()
    for limit in (open_files(), processes()):
        if limit.is_too_low:
            raise LimitTooLow(
                f"the limit on {limit.what} is too low for a lab",
                asked=f"{limit.needed} {limit.what} for a lab",
                found=str(limit),
                look_at=str(CGROUP) if limit.container else f"ulimit {limit.flag}",
                fix=limit.fix,
            )


def free_memory() -> float:
    """Return the bytes that programs can still have: of the machine, or of a smaller container."""
    free = float(psutil.virtual_memory().available)
    with suppress(OSError, ValueError, KeyError):
        most = int((CGROUP / "memory.max").read_text("ascii"))
        used = int((CGROUP / "memory.current").read_text("ascii"))
        stat = dict(n.split() for n in (CGROUP / "memory.stat").read_text("ascii").splitlines())
        free = min(free, most - used + int(stat["inactive_file"]))  # what files take is given back
    return free


def _raise_soft() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_FILES if hard == resource.RLIM_INFINITY else min(WANTED_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _hard(kind: int) -> int | None:
    return _number(resource.getrlimit(kind)[1])


def _number(limit: int) -> int | None:
    return None if limit == resource.RLIM_INFINITY else limit


def _is_real_root() -> bool:
    """Whether this is the root of the machine, whom Linux does not hold to the limit.

    The root of a user namespace is an ordinary user outside (kernel/fork.c asks for INIT_USER).
    """
    if os.getuid() != 0:
        return False
    with suppress(OSError, ValueError):
        inside, outside, _ = Path("/proc/self/uid_map").read_text("ascii").split()[:3]
        return int(inside) == int(outside) == 0
    return True


def _threads() -> int:
    """Return how many threads this user has, as far as the system shows them."""
    own, count = os.getuid(), 0
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.uids().real == own:
                count += process.num_threads()
    return count
