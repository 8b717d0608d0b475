"""Why a workflow stands still, and what lets it go on, in words."""

from __future__ import annotations

from labkit.history.joined import RunHistory

GO_ON = (
    "let happen what it waits for, or wait longer; if a step named here has ended, its end is not "
    "written because the next call reaches no app: the sidecar's log names it"
)
NOTHING_OPEN = (
    "its history has no open step: the last turn is not written, as when it calls an app "
    "that is not running"
)
STALLS = {
    "PAYLOAD_SIZE_EXCEEDED": "start a new instance that passes references in place of the data, "
    "or continues as new in time; 1.18.1 does not let this one go on, nor end it",
    "VERSION_NOT_AVAILABLE": "register this version of the workflow again beside the newer one, "
    "and restart its app",
    "PATCH_MISMATCH": "restart its app with code that asks for the patches of the history again, "
    "in the same order",
    "": "read the reason, repair the cause and restart its app",
}
"""What lets a stalled workflow go on, by the reason that the runtime gives."""
TWICE = (
    "do not resume it: a worker with the SDK 1.18.3 never ends the turn of a resume after two "
    "suspensions; terminate it while it is suspended, and start another one"
)
RESUMED = (
    "start another instance: a worker with the SDK 1.18.3 never ends the turn of a resume after "
    "two suspensions, and no call reaches this one any more, also not after a restart"
)


def standstill(history: RunHistory, status: str) -> tuple[list[str], str]:
    """Return in words what a workflow waits for, and what lets it go on.

    Args:
        status: as its sidecar has just reported it.
    """
    if history.stalled:
        why = f"{history.stalled.reason}: {history.stalled.description}"
        return [why], STALLS.get(str(history.stalled.reason), STALLS[""])
    waits = history.awaited()
    words = [f"it waits for {', '.join(waits)}"] if waits else [NOTHING_OPEN]
    if status == "SUSPENDED" and suspended_twice(history):
        return ["it was suspended twice", *words], TWICE
    if status == "SUSPENDED":
        resume = f"lab.client({history.app_id!r}).resume_workflow({history.instance_id!r})"
        return ["it was suspended", *words], f"{resume}, then wait again"
    return words, GO_ON


def suspended_twice(history: RunHistory) -> bool:
    """Return whether it was suspended more than once since it was last resumed."""
    marks = [e.kind for e in history.events if e.kind in ("executionSuspended", "executionResumed")]
    last = max((n for n, kind in enumerate(marks, 1) if kind == "executionResumed"), default=0)
    return len(marks) - last > 1
