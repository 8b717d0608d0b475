"""The Dapr programs of the pinned version: found, else downloaded, else built."""

from labkit.runtime.ensured import ensure
from labkit.runtime.found import Binaries, RuntimeDamaged, RuntimeMissing, binaries, fixes

__all__ = ["Binaries", "RuntimeDamaged", "RuntimeMissing", "binaries", "ensure", "fixes"]
