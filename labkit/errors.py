"""The one tree of errors that labkit shows to a person.

::

    LabError
    ├── SetupError        the machine, the environment or the runtime is not ready
    ├── StartError        something of the lab did not start, or is not running
    ├── ObservationError  a question to a running system had no usable answer
    ├── DeploymentError   a file that describes a deployment is wrong (dapr.yaml, a component)
    └── AuthoringError    a source of the course is wrong

Every error says what was asked, what was found, where to look and what fixes it. Text, HTML and
JSON are renderings of the same fields. This module holds no logic and imports nothing of labkit.
"""

from __future__ import annotations

from html import escape
from typing import Any, ClassVar

FIELDS = ("asked", "found", "look_at", "fix")
_LABELS = {"asked": "asked", "found": "found", "look_at": "look at", "fix": "fix"}


class LabError(Exception):
    """An error that a learner can act on.

    Args:
        title: what is wrong, in the learner's terms, under 15 words.
        asked: what was asked of us.
        found: what the system said, with values, quoted and not paraphrased.
        look_at: the file, log or command that shows more.
        fix: the command or action that fixes it.
    """

    code: ClassVar[str] = "lab-error"

    def __init__(self, title: str, *, asked: str, found: str, look_at: str, fix: str) -> None:
        super().__init__(title)
        self.title = title
        self.asked = asked
        self.found = found
        self.look_at = look_at
        self.fix = fix

    def __str__(self) -> str:
        rows = [f"{self.code}: {self.title}"]
        for field in FIELDS:
            text = str(getattr(self, field)).rstrip().replace("\n", "\n" + " " * 11)
            rows.append(f"  {_LABELS[field]:<9}{text}")
        return "\n".join(rows)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.as_dict())

    def as_dict(self) -> dict[str, str]:
        """Return the fields for ``--json``."""
        return {"code": self.code, "title": self.title} | {f: getattr(self, f) for f in FIELDS}

    def _repr_html_(self) -> str:
        left = "text-align:left;vertical-align:top"
        rows = "".join(
            f'<tr><th style="{left};padding-right:1em">{_LABELS[f]}</th>'
            f'<td style="{left};white-space:pre-wrap">{escape(str(getattr(self, f)))}</td></tr>'
            for f in FIELDS
        )
        head = f"<strong>{escape(self.code)}</strong>: {escape(self.title)}"
        return f'<div role="alert"><p>{head}</p><table>{rows}</table></div>'


def _rebuild(kind: type[LabError], fields: dict[str, str]) -> LabError:
    return kind(fields["title"], **{f: fields[f] for f in FIELDS})


class SetupError(LabError):
    """The machine, the environment or the runtime is not ready."""

    code = "setup-failed"


class StartError(LabError):
    """Something of the lab did not start, or is not running."""

    code = "start-failed"


class ObservationError(LabError):
    """A question to a running system had no usable answer."""

    code = "no-observation"


class DeploymentError(LabError):
    """A file that describes a deployment is wrong."""

    code = "wrong-deployment"


class AuthoringError(LabError):
    """A source of the course is wrong."""

    code = "wrong-source"
