"""The lines of the logs that belong to a run.

A sidecar names the instance in the lines about its workflow, and a service wherever its author
prints it; these are joined for certain. Warnings and errors of the same apps in the time of the
run are shown beside them, as what they are: joined by time only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal

from labkit.telemetry.metrics import table_of

Joined = Literal["id", "time"]
_FIELD = re.compile(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|(\S+))')
_JSON_TIME = re.compile(r'^\{"at": "([^"]+)"')
_SDK = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) \S+ (DEBUG|INFO|WARNING|ERROR)\b")
LOUD = ("warning", "error", "fatal")
SLACK = 1.0
"""So many seconds around a run count as its time."""


@dataclass(frozen=True)
class LogLine:
    """One line of a log.

    Attributes:
        level: "info", "warning", "error", …; "" where the line has none.
        at: seconds since the epoch; None where the line has no time.
        joined: "id" when it names the run, "time" when it fell into the time of the run.
    """

    app_id: str
    part: str
    level: str
    at: float | None
    text: str
    joined: Joined


class RunLogs(tuple[LogLine, ...]):
    """The lines of one run, by time."""

    def by(self, joined: Joined) -> list[LogLine]:
        """Return the lines that are joined in one way."""
        return [line for line in self if line.joined == joined]

    @property
    def text(self) -> str:
        """The lines with their app and level."""
        said = []
        for joined, head in HEADS.items():
            lines = self.by(joined)
            said += [f"{head}: {len(lines) or 'none'}"]
            said += [f"  {x.app_id} {x.part}: {x.level and x.level + ': '}{x.text}" for x in lines]
        return "\n".join(said)

    @property
    def summary(self) -> str:
        """How many lines of which app, in words that are the same in every run of its kind."""
        said = []
        for joined, head in HEADS.items():
            logs = sorted({f"{x.app_id} {x.part}" for x in self.by(joined)})
            said.append(f"{head}: {', '.join(logs) or 'none'}")
        return "\n".join(said)

    @property
    def html(self) -> str:
        """The lines as two tables."""
        return "".join(self._table(joined, head) for joined, head in HEADS.items())

    def _table(self, joined: Joined, head: str) -> str:
        rows = [(f"{x.app_id} {x.part}", x.level, x.text) for x in self.by(joined)]
        if not rows:
            return f"<p>{head}: none</p>"
        return table_of(f"{head}: {len(rows)}", ("log", "level", "line"), rows)

    def __repr__(self) -> str:
        return self.summary

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.summary}


HEADS: dict[Joined, str] = {
    "id": "lines that name the instance",
    "time": "warnings and errors of the same time",
}


def lines_of(
    app_id: str, part: str, log: str, instance_ids: Iterable[str], began: float, ended: float
) -> Iterator[LogLine]:
    """Yield the lines of one log that belong to a run.

    Args:
        log: the text of the log.
        instance_ids: of the workflow and its children.
        began, ended: the time of the run, in seconds since the epoch.
    """
    names = [_named(part, i) for i in instance_ids]
    for line in log.splitlines():
        level, at, text = _read(line)
        if any(name.search(text) for name in names):
            yield LogLine(app_id, part, level, at, text, "id")
        elif level in LOUD and at is not None and began - SLACK <= at <= ended + SLACK:
            yield LogLine(app_id, part, level, at, text, "time")


def _named(part: str, instance_id: str) -> re.Pattern[str]:
    """What finds an instance ID: in the log of a sidecar where daprd puts one, else as a word."""
    own = re.escape(instance_id)
    if part == "sidecar":
        return re.compile(rf"^{own}: |'{own}'|\|\|{own}(?=$|::|\|\||['\"\s,])")
    return re.compile(rf"(?<![\w-]){own}(?![\w-])")


def _read(line: str) -> tuple[str, float | None, str]:
    """Return the level, the time and the text of a line of daprd, of the SDK or of a service."""
    if line.startswith("time="):
        fields = {k: quoted or plain for k, quoted, plain in _FIELD.findall(line)}
        message = fields.get("msg", line).replace('\\"', '"')
        return fields.get("level", ""), _moment(fields["time"]), message
    if match := _JSON_TIME.match(line):
        return "", _moment(match[1]), line
    if match := _SDK.match(line):
        local = datetime.fromisoformat(match[1]).timestamp()
        return match[2].lower(), local, line
    return "", None, line


def _moment(text: str) -> float | None:
    """Return a moment in ISO form; Go writes nanoseconds, and Z for UTC."""
    cut = re.sub(r"(\.\d{6})\d*", r"\1", text.replace("Z", "+00:00"))
    try:
        moment = datetime.fromisoformat(cut)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
