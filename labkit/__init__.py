"""The package behind the notebooks: a lab of real Dapr processes, and ways to look at it.

What lessons use is exported here, and loaded when it is first used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

_WHERE = {
    "labkit.lab": ("Lab",),
    "labkit.errors": ("LabError",),
    "labkit.waiting": ("settled", "wait_until"),
    "labkit.predict": ("predict", "observe", "finish"),
    "labkit.quiz": ("quiz",),
    "labkit.daprmap": ("dapr_here",),
    "labkit.terms": ("glossary",),
    "labkit.doctor": ("doctor",),
    "labkit.exercises": ("apply", "begin", "check", "diagnose", "hint", "reset"),
    "labkit.workspace": ("workspace", "copy_of_services"),
}
__all__ = sorted(name for names in _WHERE.values() for name in names)


def _load(module: str) -> None:
    """Load a module and export its names, also where one is the module's own name."""
    loaded = import_module(module)
    globals().update({name: getattr(loaded, name) for name in _WHERE[module]})


def __getattr__(name: str) -> Any:
    for module, names in _WHERE.items():
        if name in names:
            _load(module)
            return globals()[name]
    raise AttributeError(f"module 'labkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


if "IPython" in sys.modules:  # a notebook: make its cell magic and the form of errors known
    _load("labkit.workspace")
    import_module("labkit.workspace").register()
    import_module("labkit.cellerrors").register()
