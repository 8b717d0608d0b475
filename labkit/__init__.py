"""The package behind the notebooks: a lab of real Dapr processes, and ways to look at it.

What lessons use is exported here, and loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_WHERE = {
    "Lab": "labkit.lab",
    "wait_until": "labkit.waiting",
    "predict": "labkit.predict",
    "observe": "labkit.predict",
    "explain": "labkit.predict",
    "quiz": "labkit.quiz",
    "doctor": "labkit.doctor",
}
__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'labkit' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return __all__
