"""Steps that observe the lab of this exercise."""

from labkit.exercises.steps import an_order_with_a_store


def steps(lab):
    yield from an_order_with_a_store(lab)
