"""The Dapr programs of the pinned version: found, else downloaded, else built."""

from labkit.runtime.ensured import ensure
from labkit.runtime.found import Binaries, RuntimeMissing, binaries

__all__ = ["Binaries", "RuntimeMissing", "binaries", "ensure"]
