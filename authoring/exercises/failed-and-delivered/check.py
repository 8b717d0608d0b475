"""The target hands the provider two mails at once, and leaves none out."""

from labkit.exercises.cases import Case
from labkit.exercises.observations import ordered
from labkit.exercises.provider import flood

MOST = 2


def steps(lab):
    """How fast the orders of the notebook came is not known: the second lab decides."""
    yield ordered(Case(lab, "order-0", "order"))


def counter(trial):
    yield from flood(trial, MOST)
