"""Dapr's Python SDK: its two halves, which must be of one version, and its next release.

``dapr`` and ``dapr-ext-workflow`` share 59 files, and the one installed last wins. With two
versions nobody knows which code runs, and ``pip check`` finds nothing wrong.
"""

from __future__ import annotations

import sys
import sysconfig
from importlib import metadata
from pathlib import Path

from labkit import paths, versions
from labkit.errors import SetupError

HALVES = ("dapr", "dapr-ext-workflow")

NEXT = Path(".next-sdk")
"""Where ``./lab setup`` puts the next release, beside ``.venv``; that has what it needs."""

_warned: set[str] = set()


class MixedSdk(SetupError):
    """The SDK of this environment is not the one that the course was made with, and breaks it."""

    code = "mixed-sdk"


class NextSdkMissing(SetupError):
    """The next release of the SDK is not here."""

    code = "next-sdk-missing"


def folder(version: str) -> Path:
    """Return what a service puts on its PYTHONPATH to load this release.

    Args:
        version: the one of this environment, or the next one.

    Raises:
        NextSdkMissing: it is not here.
    """
    if version == versions.PYTHON_SDK:
        return Path(sysconfig.get_path("purelib"))
    found = paths.repo() / NEXT
    if not (found / f"dapr-{version}.dist-info").is_dir():
        raise NextSdkMissing(
            f"the Dapr SDK {version} is not here",
            asked=f"dapr {version} in {found}",
            found="no such package" if found.is_dir() else "no such folder",
            look_at=str(found),
            fix=f"rm -r {found}, then ./lab setup" if found.is_dir() else "./lab setup",
        )
    return found


def mirror(place: Path, when: str) -> None:
    """Make a mirror of packages, a folder for each release, as it is at some time.

    Args:
        place: the folder; what is in it already stays.
        when: "last week"; "yesterday", when the next release had come out.
    """
    known = [versions.PYTHON_SDK]
    known += [versions.NEXT_PYTHON_SDK] if when == "yesterday" else []
    place.mkdir(parents=True, exist_ok=True)
    for version in known:
        link = place / f"dapr-{version}"
        if not link.is_symlink():
            link.symlink_to(folder(version))


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
