"""The orchestrator reaches notification-service again, in whatever namespace both are."""

from labkit.exercises.observations import ended, mailed


def wished(case):
    yield ended(case)
    yield mailed(case)
