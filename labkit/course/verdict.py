"""The record of a check: what was checked, expected and observed, and where to look."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from html import escape
from typing import Any, Literal

Outcome = Literal["passed", "failed", "unknown"]
WHERE = {
    "your lab": "your lab",
    "second lab": "a second lab that the check started from your files, with newly drawn data",
}
_LEFT = "text-align:left;vertical-align:top;white-space:pre-wrap;overflow-wrap:anywhere"
_SIGNS = {"passed": "✓", "failed": "✗", "unknown": "?"}


@dataclass(frozen=True)
class Row:
    """One step of a check.

    Attributes:
        step: its id; hints and mutants name it.
        checked: what was looked at, in words.
        observed: what the system said; for an unknown outcome, why it said nothing.
        where: "your lab" or "second lab": see :mod:`labkit.exercises.trial`.
    """

    step: str
    checked: str
    expected: str
    observed: str
    look_at: str
    outcome: Outcome
    where: str = "your lab"


@dataclass(frozen=True)
class Verdict:
    """The rows of a check, up to the first that did not pass.

    Attributes:
        notice: which lab was looked at, where there was a choice; else "".
    """

    exercise: str
    rows: tuple[Row, ...]
    notice: str = ""

    @property
    def outcome(self) -> Outcome:
        """Passed when every step passed; else the outcome of the step that stopped it."""
        return self.rows[-1].outcome if self.rows else "unknown"

    @property
    def passed(self) -> bool:
        """Whether every step passed."""
        return self.outcome == "passed"

    @property
    def stopped_at(self) -> Row | None:
        """The row that did not pass, or None."""
        return None if self.passed or not self.rows else self.rows[-1]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for ``--json``."""
        return {
            "exercise": self.exercise,
            "outcome": self.outcome,
            "notice": self.notice,
            "rows": [asdict(r) for r in self.rows],
        }

    def __repr__(self) -> str:
        lines = [f"{self.exercise}: {self.outcome}", *([self.notice] if self.notice else [])]
        where = ""
        for row in self.rows:
            if row.where != where:
                where = row.where
                lines.append(f"in {WHERE[where]}:")
            lines.append(f"{_SIGNS[row.outcome]} {row.checked}")
            if row.outcome != "passed":
                lines += [
                    f"  expected  {row.expected}",
                    f"  observed  {row.observed}",
                    f"  look at   {row.look_at}",
                ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        body, where = "", ""
        for row in self.rows:
            if row.where != where:
                where = row.where
                body += f'<tr><th colspan="5" scope="rowgroup" style="{_LEFT}">In '
                body += f"{escape(WHERE[where])}</th></tr>"
            body += _html(row)
        titles = ("", "Checked", "Expected", "Observed", "Where to look")
        head = "".join(f'<th scope="col" style="{_LEFT}">{title}</th>' for title in titles)
        sign = _SIGNS[self.outcome]
        title = f"<b>{sign} {escape(self.exercise)}: {self.outcome}</b>"
        title += f"<br>{escape(self.notice)}" if self.notice else ""
        return (
            f'<div role="status"><p>{title}</p>'
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )


def _html(row: Row) -> str:
    told = (row.checked, row.expected, row.observed, "" if row.outcome == "passed" else row.look_at)
    cells = "".join(f'<td style="{_LEFT}">{escape(text)}</td>' for text in told)
    return f'<tr><td title="{row.outcome}">{_SIGNS[row.outcome]} {row.outcome}</td>{cells}</tr>'
