"""All replicas together hand the provider three mails at once, and leave none out."""

from dataclasses import replace

from labkit.exercises.cases import Case
from labkit.exercises.observations import ordered
from labkit.exercises.provider import flood

MOST = 3
REPLICAS = {"mail-service": MOST + 1}
"""More than mails are allowed: what each replica may do by itself is too much then."""
ORDERS = 40
"""Of ten, one replica of four got none in a fifth of the plays; of 40 in one of ten thousand."""


def steps(lab):
    """How fast the orders of the notebook came is not known: the second lab decides."""
    yield ordered(Case(lab, "order-0", "order"))


def counter(trial):
    trial.exercise = replace(trial.exercise, replicas=REPLICAS)
    yield from flood(trial, MOST, ORDERS)
