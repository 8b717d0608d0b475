"""The Dapr programs of the pinned version: found, else downloaded, else built."""

from labkit.runtime.ensured import ensure
from labkit.runtime.found import (
    Binaries,
    RuntimeDamaged,
    RuntimeMissing,
    SentryMissing,
    binaries,
    fixes,
    require_sentry,
)

__all__ = [
    "Binaries",
    "RuntimeDamaged",
    "RuntimeMissing",
    "SentryMissing",
    "binaries",
    "ensure",
    "fixes",
    "require_sentry",
]
