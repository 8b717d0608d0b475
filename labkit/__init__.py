"""The package behind the notebooks: a lab of real Dapr processes, and ways to look at it."""

from labkit.lab import Lab
from labkit.waiting import wait_until

__all__ = ["Lab", "wait_until"]
