"""The Dapr programs of the pinned version: found, downloaded or built."""

from labkit.runtime.found import Binaries, binaries

__all__ = ["Binaries", "binaries"]
