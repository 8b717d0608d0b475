"""The mail is sent by notification-service, once; by which activity is free."""

from labkit.exercises.observations import ended, mailed

CHANGED = {"send_email"}


def wished(case):
    yield ended(case)
    yield mailed(case)
