"""What makes manifests unusable, with file and line."""

from __future__ import annotations

from pathlib import Path

from labkit.errors import DeploymentError
from labkit.preflight import Finding
from labkit.reading.yamltree import cut


class WrongManifest(DeploymentError):
    """A manifest cannot be used as it is, or names what is not there."""

    code = "wrong-manifest"


def wrong(where: str, what: str, found: str, fix: str) -> WrongManifest:
    """Return an error about a place.

    Args:
        where: ``file:line``, with or without a column.
        what: under ten words; the place is put before it.
    """
    return WrongManifest(
        f"{place(where)}: {what}",
        asked="apps for a lab from Kubernetes manifests",
        found=cut(found, 400),
        look_at=where,
        fix=fix,
    )


def refused(finding: Finding) -> WrongManifest:
    """Return a finding of preflight as an error."""
    fix = finding.fix or "correct it, or take the file out of the folder"
    return wrong(finding.where, "it cannot be applied", finding.why, fix)


def place(where: str) -> str:
    """Return ``file:line`` as it is said: the name of the file, and the line.

    >>> place("/home/me/manifests/apps.yaml:12:3")
    'apps.yaml, line 12'
    """
    file, *numbers = where.split(":")
    name = cut(Path(file).name)
    return f"{name}, line {numbers[0]}" if numbers else name
