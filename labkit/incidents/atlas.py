"""The atlas: from a symptom, or the text of a message, to its causes and what decides between them.

It is made from the ``atlas`` of every break lab and from ``authoring/incidents.yaml``. It does not
say which break lab has which fault.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from labkit.incidents.faults import faults
from labkit.notebook.texts import Text

GROUPS = {
    "RUNNING": "It is RUNNING, and does not go on",
    "STALLED": "It is STALLED",
    "FAILED": "It is FAILED",
    "COMPLETED": "It is COMPLETED, and something is not right",
    "": "Nothing can be started, or something ends",
}
MOST_SHOWN = 5
MOST_REPEATED = 60
"""So many characters of a text that fits nothing are said again."""
ENOUGH = 0.25
"""Share of the words of an entry that a text must have, weighed by how rare they are."""
_QUOTED = re.compile(r"(['\"`])[^'\"`]*\1")
"""A name in quotation marks is somebody's own, and says nothing."""
_WORDS = re.compile(r"[a-z_]{3,}")


@dataclass(frozen=True)
class Entry:
    """One cause.

    Attributes:
        seen: the symptom.
        evidence: what decides that it is this cause.
        messages: as the runtime or a service words them.
    """

    seen: str
    cause: str
    evidence: str
    messages: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """The key in ``GROUPS`` of its symptom."""
        return next(g for g in GROUPS if self.seen.startswith(g))

    def __str__(self) -> str:
        said = [f"  message  {m}" for m in self.messages]
        return "\n".join(
            [self.seen, f"  cause    {self.cause}", f"  decides  {self.evidence}", *said]
        )


def entries() -> list[Entry]:
    """Return all causes, by symptom; the same cause with the same symptom stands once."""
    found = [Entry(f.seen, f.cause, f.evidence, f.messages) for f in faults().values()]
    joined: dict[tuple[str, str], Entry] = {}
    for one in found:
        joined.setdefault((one.seen, one.cause), one)
    order = list(GROUPS)
    return sorted(joined.values(), key=lambda e: (order.index(e.group), e.seen, e.cause))


def search(text: str, most: int = MOST_SHOWN) -> list[Entry]:
    """Return the entries that a text fits, the best first.

    Args:
        text: a symptom in words, or a message of the runtime as it stands in a log.
    """
    known = entries()
    scored = [(_score(text, e, _rarity(tuple(known))), e) for e in known]
    good = sorted((s for s in scored if s[0] >= ENOUGH), key=lambda s: -s[0])
    return [e for _, e in good[:most]]


def atlas(text: str = "") -> Text:
    """Return what the atlas says about a symptom or a message; without a text, all of it."""
    found = search(text) if text else entries()
    if not found:
        asked = text if len(text) <= MOST_REPEATED else f"{text[:MOST_REPEATED]} ..."
        return Text(f"The atlas knows nothing like {asked!r}. All of it: docs/atlas.md")
    return Text("\n\n".join(map(str, found)))


def _score(text: str, entry: Entry, rarity: Counter[str] | dict[str, float]) -> float:
    """Return how well a text fits: 2 and more where it holds a message, else a share of words."""
    plain = _plain(text)
    held = [m for m in entry.messages if _plain(m) in plain or (plain and plain in _plain(m))]
    if held:
        return 2 + max(map(len, held)) / 1000
    asked = set(_WORDS.findall(_plain(_QUOTED.sub(" ", text)) or plain))
    best = 0.0
    for part in (entry.seen, entry.cause, entry.evidence, *entry.messages):
        own = set(_WORDS.findall(_plain(part)))
        weight = sum(rarity[w] for w in asked if w in rarity) or 1.0
        best = max(best, sum(rarity[w] for w in own & asked) / weight)
    return best if asked else 0.0


@lru_cache(maxsize=4)
def _rarity(known: Sequence[Entry]) -> dict[str, float]:
    """Return for each word how much it says: the fewer entries have it, the more."""
    counts: Counter[str] = Counter()
    for e in known:
        counts.update(
            set(_WORDS.findall(_plain(" ".join((e.seen, e.cause, e.evidence, *e.messages)))))
        )
    return {word: math.log(1 + len(known) / count) for word, count in counts.items()}


def _plain(text: str) -> str:
    """Return a text without what differs from run to run: case, quotes, numbers, space."""
    text = re.sub(r"[\"'`\\]", "", text.lower())
    return " ".join(re.sub(r"\d+", "0", text).split())


# --- the page ------------------------------------------------------------------------------------

INTRO = (
    "From what you see to what it can be, and to the observation that decides. Look for your"
    " symptom first; where several causes fit, ask for the evidence in the third column. `./lab"
    " atlas TEXT` finds a line by the text of a message, as it stands in a log."
)


def page() -> str:
    """Return docs/atlas.md."""
    lines = ["# Atlas of symptoms", "", INTRO]
    groups: dict[str, list[Entry]] = defaultdict(list)
    for one in entries():
        groups[one.group].append(one)
    for group, title in GROUPS.items():
        if groups[group]:
            lines += ["", f"## {title}", "", "| seen | can be | what decides | message |"]
            lines += ["|---|---|---|---|", *map(_row, groups[group])]
    return "\n".join(lines) + "\n"


def _row(one: Entry) -> str:
    said = "; ".join(f"`{m}`" for m in one.messages)
    return f"| {one.seen} | {one.cause} | {one.evidence} | {said} |"
