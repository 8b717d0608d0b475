"""What came of one cut."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Outcome = Literal["held", "violated", "not ended", "not reached", "no answer", "no lab"]
BAD: tuple[Outcome, ...] = ("violated", "not ended", "no answer", "no lab")
MEANINGS: dict[Outcome, str] = {
    "held": "the workflow ended, and the invariant held",
    "violated": "the workflow ended, and the invariant did not hold",
    "not ended": "the workflow had not ended at the deadline",
    "not reached": "the run ended without the event, or before the cut could be made",
    "no answer": "the invariant raised an exception of its own, or did not return",
    "no lab": "the lab did not start, could not be brought back, or was ended by somebody else",
}


@dataclass(frozen=True)
class Result:
    """What came of one cut, or of the run without a cut.

    Attributes:
        cut: the name of the cut; "uncut" for the run without one.
        seconds: from the cut to the end of the workflow; of the whole workflow without a cut.
        late: how many events had been recorded after the event of the cut when it was made.
        status: of the workflow at the end, e.g. ``COMPLETED``.
        words: what the invariant or the lab said; "" when it held.
        folder: the run folder, where it is kept.
    """

    cut: str
    outcome: Outcome
    seconds: float = 0.0
    late: int = 0
    status: str = ""
    words: str = ""
    folder: str = ""

    @property
    def is_bad(self) -> bool:
        """Whether the promise was broken, or nobody can say."""
        return self.outcome in BAD

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, for JSON."""
        return asdict(self)
