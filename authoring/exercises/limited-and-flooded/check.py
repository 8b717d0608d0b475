"""Both replicas together hand the provider three mails at once, and leave none out."""

from labkit.exercises.cases import Case
from labkit.exercises.observations import ordered
from labkit.exercises.provider import flood

MOST = 3


def steps(lab):
    """How fast the orders of the notebook came is not known: the second lab decides."""
    yield ordered(Case(lab, "order-0", "order"))


def counter(trial):
    yield from flood(trial, MOST)
