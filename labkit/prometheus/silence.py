"""What Prometheus may say in place of an answer."""

from __future__ import annotations

from labkit.errors import ObservationError


class PrometheusSilent(ObservationError):
    """Prometheus gave no usable answer."""

    code = "prometheus-silent"


class QueryRefused(PrometheusSilent):
    """Prometheus answers, and refuses the expression."""

    code = "query-refused"
    kinds = ("bad_data", "execution")
    """What it calls the error: it cannot read the expression, or not work it out."""
