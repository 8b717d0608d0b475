"""An order whose delivery is refused, or never answered, ends as cancelled, and nothing is left."""

from labkit.exercises.shop import cancelled, drawn, fulfilled, status_is

RETRIES_SECONDS = 8.0


def wished(case):
    yield from cancelled(case)


def counter(trial):
    trial.lab()
    far = trial.order(given=drawn(trial.draw, country=f"X{trial.draw.word()[0].upper()}"))
    silent = trial.order(given=drawn(trial.draw, country="IS"))
    near = trial.order(given=drawn(trial.draw))
    yield from cancelled(far)
    yield from cancelled(silent, "with a carrier that does not answer, ", within=RETRIES_SECONDS)
    near.settled()
    yield status_is(near, "fulfilled", "where deliveries are made, ", id="fulfilled")
    yield from fulfilled(near)
