"""The two halves of Dapr's Python SDK, which must be of one version.

``dapr`` and ``dapr-ext-workflow`` share 59 files, and the one installed last wins. With two
versions nobody knows which code runs, and ``pip check`` finds nothing wrong.
"""

from __future__ import annotations

import sys
from importlib import metadata

from labkit import versions
from labkit.errors import SetupError

HALVES = ("dapr", "dapr-ext-workflow")

_warned: set[str] = set()


class MixedSdk(SetupError):
    """The SDK of this environment is not the one that the course was made with, and breaks it."""

    code = "mixed-sdk"


def installed() -> dict[str, str]:
    """Return the version of each half in this environment; ``missing`` where there is none."""
    found = {}
    for name in HALVES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "missing"
    return found


def problem() -> str | None:
    """Say what is wrong with the SDK of this environment; None when it is the pinned one."""
    found = installed()
    if set(found.values()) == {versions.PYTHON_SDK}:
        return None
    listed = ", ".join(f"{k} {v}" for k, v in found.items())
    return f"{listed}, and the course was made with {versions.PYTHON_SDK} of both"


def fix() -> str:
    """Return the command that installs the pinned pair into this environment."""
    pair = " ".join(f"{name}=={versions.PYTHON_SDK}" for name in HALVES)
    return f"{sys.executable} -m pip install --force-reinstall --no-deps {pair}"


def explained(trouble: BaseException) -> MixedSdk | None:
    """Return that the SDK is the cause of an error while modules are loaded; None when it is not.

    A half of another version replaces, or removes, modules of both.
    """
    said = problem() if isinstance(trouble, (ImportError, AttributeError)) else None
    if said is None:
        return None
    return MixedSdk(
        "the Dapr SDK of this environment is not the one of the course",
        asked=f"{' and '.join(HALVES)} {versions.PYTHON_SDK}",
        found=f"{said}; {type(trouble).__name__}: {trouble}",
        look_at=f"{sys.executable} -m pip list",
        fix=fix(),
    )


def warn() -> None:
    """Say on standard error, once, that another SDK is installed than the course was made with."""
    said = problem()
    if said and said not in _warned:
        _warned.add(said)
        print(f"Dapr SDK: {said}\n  fix  {fix()}", file=sys.stderr)
