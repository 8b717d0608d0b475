"""notification-service gets the call under its own app ID and sends the mail, once."""

from labkit.exercises.observations import ended, mailed


def wished(case):
    yield ended(case)
    yield mailed(case)
