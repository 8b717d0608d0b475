"""What preflight answers: one finding per question, and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["holds", "broken", "cannot be known", "note"]
SIGNS: dict[State, str] = {"holds": "✓", "broken": "✗", "cannot be known": "?", "note": "i"}


@dataclass(frozen=True)
class Finding:
    """One answer.

    Attributes:
        requirement: ``namespace``, ``state store``, ``names``, ``file``, ``resiliency`` or
            ``configuration``.
        state: a ``note`` is no verdict: something that is there and does not act on workflows.
        where: ``file:line``, the line to change; with a column where a file cannot be read.
        fix: what to change; empty when it holds.
    """

    requirement: str
    state: State
    where: str
    why: str
    fix: str = ""


def shown(finding: Finding) -> str:
    """Return a finding as lines of text."""
    head = f"{SIGNS[finding.state]} {finding.requirement}: {finding.why}\n    {finding.where}"
    return f"{head}\n    fix  {finding.fix}" if finding.fix else head
