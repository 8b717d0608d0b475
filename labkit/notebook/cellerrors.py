"""How errors look in a notebook: a few lines with the cause first; ``%tb`` shows the traceback.

Covers labkit's own errors, those of gRPC and of HTTP (also from a client that labkit did not make),
an interrupt, a name that no cell has defined yet, and what the system refuses to labkit: a full
disk, a permission, a limit. Outside IPython nothing is changed.
"""

from __future__ import annotations

import linecache
import re
import sys
import types
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from labkit.errors import LabError, ObservationError
from labkit.host.hosterrors import explained
from labkit.waiting import EXPLAIN

_REFUSED = re.compile(r"ipv[46]:(\S+): Failed to connect")
MORE = "%tb in the next cell shows the traceback"


class CallRefused(ObservationError):
    """A gRPC call failed: the code and the details of the answer."""

    code = "call-refused"


class NameUnknown(LabError):
    """A cell uses a name that no cell has defined: mostly one above it was not run."""

    code = "name-unknown"


def register() -> None:
    """Make IPython show these errors in the short form; nothing elsewhere. Can be called twice."""
    with suppress(ImportError):
        from IPython import get_ipython

        shell: Any = get_ipython()
        if shell is not None and not set(_kinds()) <= set(shell.custom_exceptions):
            shell.set_custom_exc(_kinds(), _show)


def _kinds() -> tuple[type[BaseException], ...]:
    """The errors that are shown so; those of gRPC as soon as somebody has loaded it."""
    ours = (LabError, KeyboardInterrupt, OSError, RuntimeError, NameError)
    return (*ours, *_of_calls())


def _of_calls() -> tuple[type[BaseException], ...]:
    grpc, httpx = sys.modules.get("grpc"), sys.modules.get("httpx")
    return (*([grpc.RpcError] if grpc else []), *([httpx.TransportError] if httpx else []))


def lines_of(problem: BaseException, line: str = "") -> list[str]:
    """Return the short form of an error.

    Args:
        line: the line of the cell that was running, for an interrupt.
    """
    if isinstance(problem, KeyboardInterrupt):
        where = f" `{line}`" if line else ""
        return [f"Interrupted{where}. The lab and its workflows go on."]
    if isinstance(problem, LabError):
        return str(problem).splitlines()
    if isinstance(problem, NameError):
        return [*str(unknown(problem)).splitlines(), f"  more     {MORE}"]
    return [*str(refused(problem)).splitlines(), f"  more     {MORE}"]


def unknown(problem: NameError) -> NameUnknown:
    """Return in labkit's form that a name is not defined."""
    name = problem.name or str(problem).partition("'")[2].partition("'")[0]
    return NameUnknown(
        f"{name} is not defined",
        asked=f"the value of {name}",
        found="no cell that was run since this kernel began defines it",
        look_at=f"the cells above, for the one that defines {name}: did it run?",
        fix="Run > Run All Above Selected Cell, then this cell again; or correct the name",
    )


def unanswered(problem: Any) -> CallRefused:
    """Return an HTTP call without an answer in labkit's form; what has ended is its cause."""
    request = getattr(problem, "_request", None)
    where = str(request.url) if request else "a server"
    reasons = [reason for explain in EXPLAIN for reason in explain()]
    first = reasons[0] if reasons else None
    return CallRefused(
        f"no answer: {problem or type(problem).__name__}",
        asked=f"an HTTP call of {where.partition('?')[0]}",
        found=first.found if first else f"{type(problem).__name__}: {problem}",
        look_at=first.look_at if first else "lab.status(), and lab.app(app_id).logs()",
        fix=first.fix
        if first
        else "start what does not run with lab.up(), then run this cell again",
    )


def refused(problem: Any) -> CallRefused:
    """Return an error of a call in labkit's form, its cause first."""
    httpx = sys.modules.get("httpx")
    if httpx and isinstance(problem, httpx.TransportError):
        return unanswered(problem)
    code = getattr(problem.code(), "name", "UNKNOWN") if hasattr(problem, "code") else "UNKNOWN"
    details = str(problem.details() or "") if hasattr(problem, "details") else str(problem)
    return CallRefused(
        f"{code}: {cause_of(details)}",
        asked="a gRPC call",
        found=f"{code}: {details}",
        look_at="lab.status(), and the log of the sidecar: lab.app(app_id).logs('sidecar')",
        fix="correct what the details name, then run this cell again",
    )


def cause_of(details: str) -> str:
    """Return the last link of a chain of causes, at most 100 characters of it."""
    text = " ".join(details.split())
    if refusal := _REFUSED.search(text):
        return f"nothing listens at {refusal[1]}"
    cause = text.rpartition("desc = ")[2].partition(". ")[0] or "no details"
    return cause if len(cause) <= 100 else cause[:98].rpartition(" ")[0] + " …"


def _show(
    shell: Any, kind: type, problem: BaseException, trace: Any, tb_offset: Any = None
) -> None:
    shell._get_exc_info((kind, problem, trace))  # %tb shows what is noted here
    lines = _short(problem, trace, lambda: _line_of_cell(shell, trace))
    if lines is None:  # an error of the learner's own code, which needs its traceback
        lines = shell.InteractiveTB.structured_traceback(kind, problem, trace, tb_offset=tb_offset)
    shell._showtraceback(kind, problem, lines)


def _short(problem: BaseException, trace: Any, line: Callable[[], str]) -> list[str] | None:
    """Return the short form; None for what is not labkit's, nor refused to labkit by the system."""
    if isinstance(problem, (LabError, KeyboardInterrupt, *_of_calls())):
        return lines_of(problem, line())
    if isinstance(problem, NameError):
        # No cell above is missing then: its traceback says more.
        elsewhere = isinstance(problem, UnboundLocalError) or _came_from_labkit(trace)
        return None if elsewhere or not line() else lines_of(problem)
    refusal = explained(problem) if _came_from_labkit(trace) else None
    return lines_of(refusal) if refusal else None


def _came_from_labkit(trace: types.TracebackType | None) -> bool:
    while trace is not None:
        if str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0] == "labkit":
            return True
        trace = trace.tb_next
    return False


def _line_of_cell(shell: Any, trace: types.TracebackType | None) -> str:
    """Return the line of the cell that was running when the error came."""
    line = ""
    while trace is not None:
        if trace.tb_frame.f_globals is shell.user_global_ns:
            line = linecache.getline(trace.tb_frame.f_code.co_filename, trace.tb_lineno).strip()
        trace = trace.tb_next
    return line
