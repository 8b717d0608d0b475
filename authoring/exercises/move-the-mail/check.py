"""The mail is sent by notification-service, once."""

from labkit.exercises.observations import ended, mailed


def wished(case):
    yield ended(case)
    yield mailed(case)
