"""Spans of workflows: what sidecars report to a tracing system, and the traces they make.

:mod:`.catcher` is a program that keeps every span that a sidecar sends; :mod:`.spans` reads them.
It starts nothing and has never heard of a lab.
"""

from labkit.tracing.spans import Span, Trace, of_instance, read

HOST_VARIABLE = "SPANS_HOST"
"""A Configuration that sends spans to ``$SPANS_HOST`` gets a catcher from the lab."""
FILE = "spans.jsonl"
"""Where the lab keeps them, in the folder of the run."""

__all__ = ["FILE", "HOST_VARIABLE", "Span", "Trace", "of_instance", "read"]
