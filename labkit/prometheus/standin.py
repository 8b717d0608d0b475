"""Stands in for Prometheus and promtool where they are missing, with what they once answered.

The answers are those of a real run of lesson 15 (``python -m tests.support.record_lesson`` makes
them again), and each carries a mark that says so. A question that was not asked then gets no
answer. Only the lesson asks here: a check asks promtool itself, and is unknown without it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from labkit.errors import LabError
from labkit.prometheus import grading
from labkit.prometheus.grading import Grade, recordings
from labkit.prometheus.handle import Alert, Prometheus
from labkit.prometheus.programs import NoPrometheus, missing
from labkit.prometheus.samples import Sample

FILE = grading.FOLDER / "lesson.json"
UNANSWERED = "no answer: promtool is missing, and this was not recorded"
T = TypeVar("T")


class Answers(list[T]):
    """Answers, with a mark when nobody gave them now.

    Attributes:
        mark: "" for an answer of now; else that it was recorded, or that there is none.
        answered: whether somebody answered, now or then.
    """

    def __init__(self, found: Iterable[T] = (), mark: str = "", answered: bool = True) -> None:
        super().__init__(found)
        self.mark, self.answered = mark, answered

    def __repr__(self) -> str:
        said = super().__repr__()
        return (f"{said} ({self.mark})" if self.mark else said) if self.answered else self.mark


class Unanswered(Grade):
    """The grade of rules that nobody has played."""

    @property
    def said(self) -> str:
        """That there is no answer."""
        return UNANSWERED


@dataclass(frozen=True)
class RecordedPanel:
    """What a panel of a dashboard showed in the recorded run.

    Attributes:
        text: a table with values, for reading and for screen readers.
        svg: the picture.
        said: the names of the curves.
        mark: what says that it is none of now.
    """

    text: str
    svg: str
    said: str
    mark: str

    def __repr__(self) -> str:
        return f"{self.said} ({self.mark})"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": f"<p>{self.mark}</p>{self.svg}", "text/plain": repr(self)}


class RecordedPrometheus(Prometheus):
    """What Prometheus answered in the recorded run, in the order in which it did.

    Each question moves on to the next answer that was another one, so a wait for an alert ends as
    it did then. The last answer stays.

    Attributes:
        mark: what says that it is no Prometheus of now.
    """

    def __init__(self, why: NoPrometheus, told: Mapping[str, Any], rules: str | None) -> None:
        super().__init__("")
        self.mark = _mark(told, "" if rules in (None, told["rules"]) else " with other rules")
        self._why = why
        self._left = {question: list(found) for question, found in told["asked"].items()}
        self._panels = told["panels"]

    def __repr__(self) -> str:
        return f"Prometheus({self.mark})"

    def alerts(self) -> list[Alert]:
        """Return the alerts that were pending or firing."""
        return Answers(super().alerts(), self.mark)

    def firing(self) -> list[str]:
        """Return the names of the alerts that fired, each once."""
        return Answers(super().firing(), self.mark)

    def rules(self) -> list[str]:
        """Return the names of the rules that it evaluated."""
        return Answers(super().rules(), self.mark)

    def query(self, expression: str, at: float | None = None) -> list[Sample]:
        """Return what an expression yielded.

        Raises:
            NoPrometheus: it was not asked in the recorded run.
        """
        return Answers(super().query(expression, at), self.mark)

    def panel(  # type: ignore[override]
        self, title: str, dashboard: str | Path = "workflows", *_: Any, **__: Any
    ) -> RecordedPanel:
        """Return what a panel of a dashboard showed.

        Raises:
            NoPrometheus: it was not asked for in the recorded run.
        """
        found = self._panels.get(panel_key(title, dashboard))
        if found is None:
            raise _not_recorded(self._why, f"the panel {title!r} of {dashboard}")
        return RecordedPanel(**found, mark=self.mark)

    def _get(self, path: str, asked: Mapping[str, str]) -> dict[str, Any]:
        found = self._left.get(question(path, asked))
        if not found:
            raise _not_recorded(self._why, question(path, asked))
        return dict(found.pop(0) if len(found) > 1 else found[0])


def question(path: str, asked: Mapping[str, str]) -> str:
    """Return a question to Prometheus as the recording names it."""
    return f"{path} {json.dumps(dict(asked), sort_keys=True)}" if asked else path


def panel_key(title: str, dashboard: str | Path) -> str:
    """Return a panel as the recording names it."""
    return f"{dashboard}: {title}"


def instead(rules: Path | None) -> RecordedPrometheus | None:
    """Return the recorded Prometheus, and print why; None where the real one is on this machine.

    Args:
        rules: the file with rules that was named.
    """
    why = missing()
    if why is None:
        return None
    _say(why)
    return RecordedPrometheus(why, _told(), rules.read_text("utf-8") if rules else None)


def played(rules: str | Path, series: Mapping[str, str], seconds: int = 60) -> Answers[str]:
    """Return what :func:`labkit.prometheus.played` returns; without promtool, what it once did.

    It has an answer only for the rules and the values that the lesson has given it.
    """
    try:
        return Answers(grading.played(rules, series, seconds))
    except NoPrometheus as why:
        asked = {"rules": _text(rules), "series": dict(series), "seconds": seconds}
        found = _recorded("played", asked)
        _say(why, known=found is not None)
        if found is None:
            return Answers([], UNANSWERED, answered=False)
        return Answers(found, _mark(_told()))


def graded(rules: str | Path) -> Answers[Grade]:
    """Return what :func:`labkit.prometheus.graded` returns; without promtool, what it once did.

    It has an answer only for the rules that the lesson has given it; rules of a learner's own need
    promtool, and their grades say so.
    """
    try:
        return Answers(grading.graded(rules))
    except NoPrometheus as why:
        found = _recorded("graded", {"rules": _text(rules)})
        _say(why, known=found is not None)
        if found is None:
            grades = [Unanswered(r, ()) for r in recordings()]
            return Answers(grades, UNANSWERED, answered=False)
        mark = _mark(_told())
        return Answers([Grade(r, tuple(found[r.name]), mark) for r in recordings()], mark)


def _recorded(kind: str, asked: Mapping[str, Any]) -> Any:
    """Return the answer to a question to promtool; None when it was another one."""
    return next((one["fired"] for one in _told()[kind] if one["asked"] == asked), None)


@cache
def _told() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
    return told


def _mark(told: Mapping[str, Any], more: str = "") -> str:
    return f"recorded on {told['runtime']}{more}, not your run"


def _text(rules: str | Path) -> str:
    return Path(rules).read_text("utf-8")


_said: set[str] = set()


def _say(why: LabError, known: bool = True) -> None:
    """Print what is missing and how to get it; once, as long as there are answers all the same."""
    if known and why.fix in _said:
        return
    _said.add(why.fix)
    then = "Until then, recorded answers take its place, each with a mark."
    own = "These are not the recorded rules and values, so only promtool can answer."
    print(f"{why.title}: {why.fix}.\n{then if known else own}")


def _not_recorded(why: NoPrometheus, asked: str) -> NoPrometheus:
    return NoPrometheus(
        "Prometheus is not on this machine, and this was not asked in the recorded run",
        asked=asked,
        found=why.found,
        look_at=why.look_at,
        fix=why.fix,
    )
