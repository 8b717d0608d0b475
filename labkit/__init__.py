"""The package behind the notebooks: a lab of real Dapr processes, and ways to look at it.

What lessons use is exported here, and loaded when it is first used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

_WHERE = {
    "labkit.labs.lab": ("Lab",),
    "labkit.errors": ("LabError",),
    "labkit.waiting": ("settled", "wait_until"),
    "labkit.course.predictions": ("predict", "observe", "finish"),
    "labkit.course.quizzes": ("quiz",),
    "labkit.course.daprmap": ("dapr_here",),
    "labkit.course.terms": ("glossary",),
    "labkit.machine": ("doctor",),
    "labkit.exercises": ("accident", "apply", "begin", "check", "diagnose", "hint", "reset"),
    "labkit.apps.curled": ("curl",),
    "labkit.incidents.oncall": ("incident",),
    "labkit.incidents.atlas": ("atlas",),
    "labkit.mail.curves": ("Curves", "Played"),
    "labkit.workfiles": ("workspace", "copy_of_services"),
}
__all__ = sorted(name for names in _WHERE.values() for name in names)


def __getattr__(name: str) -> Any:
    for module, names in _WHERE.items():
        if name in names:
            return _loaded(module, name)
    raise AttributeError(f"module 'labkit' has no attribute {name!r}")


def _loaded(module: str, name: str) -> Any:
    """Load a module; what breaks it from outside (another SDK, a file of others) is named."""
    try:
        return getattr(import_module(module), name)
    except Exception as problem:
        from labkit.host import foreign, packages, sdk

        ways = (foreign.explained, sdk.explained, packages.explained)
        told = next((t for way in ways if (t := way(problem))), None)
        if told is None:
            raise
        raise told from problem


def __dir__() -> list[str]:
    return __all__


if "IPython" in sys.modules:  # a notebook: make its cell magic and the form of errors known
    import_module("labkit.workfiles").register()
    import_module("labkit.notebook.cellerrors").register()
