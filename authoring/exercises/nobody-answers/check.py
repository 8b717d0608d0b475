"""notification-service gets the call under its own app ID and sends the mail, once."""

from labkit.exercises.observations import besides, came_true, ended, mailed, under_way
from labkit.waiting import patience

SECONDS = 5.0
"""How long a child may take after the end of its order, on a usual machine."""


def wished(case):
    yield besides(ended(case), lambda: left_waiting(case))
    yield mailed(case)


def left_waiting(case):
    """Say that the wrong app is still called, in a child that the order does not wait for."""
    if case.settled() != "COMPLETED":
        return ""
    is_over = came_true(lambda: not under_way(case), SECONDS * patience())
    return "" if is_over else "but a child of it is still waiting"
