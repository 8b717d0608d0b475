"""Overload as a picture: how many mails were at the provider, second by second, run by run.

Takes what :class:`labkit.mail.server.MailServer` has noted, and what became of the orders; asks
nobody. The table holds the same figures as the picture.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from labkit.mail.server import Try, most_at_once
from labkit.notebook.strips import Strip, picture
from labkit.notebook.texts import Text


@dataclass(frozen=True)
class Played:
    """One run under load.

    Attributes:
        name: of the protection, in words.
        tries: the mails that reached the provider.
        statuses: how each order has ended.
        began: when the first order was made, in seconds of the epoch.
    """

    name: str
    tries: tuple[Try, ...]
    statuses: tuple[str, ...]
    began: float

    @property
    def mails(self) -> int:
        """How many mails reached the provider."""
        return len(self.tries)

    @property
    def most(self) -> int:
        """How many mails were there at one moment, at most."""
        return most_at_once(self.tries)

    @property
    def seconds(self) -> float:
        """When the last mail was done, from the first order on."""
        return max((t.done or t.came for t in self.tries), default=self.began) - self.began

    @property
    def ends(self) -> str:
        """How the orders have ended, in words."""
        return ", ".join(f"{n} {status}" for status, n in Counter(self.statuses).most_common())

    def steps(self) -> Iterator[tuple[float, int]]:
        """Yield each moment, in seconds, and how many mails are at the provider from then on."""
        moves = [(t.came, 1) for t in self.tries] + [(t.done, -1) for t in self.tries if t.done]
        now = 0
        for at, step in sorted(moves):
            now += step
            yield at - self.began, now


class Curves:
    """Runs under load, one curve below the other, on one scale.

    Args:
        runs: what was measured, in the order in which it is shown.
        at_once: how many mails the provider delivers at once.
    """

    def __init__(self, runs: Sequence[Played], at_once: int) -> None:
        self.runs, self.at_once = tuple(runs), at_once

    def __repr__(self) -> str:
        return f"{len(self.runs)} runs: {', '.join(r.name for r in self.runs)}"

    def _repr_html_(self) -> str:
        return self.svg()

    def table(self) -> Text:
        """Return the figures of the picture."""
        rows = [("run", "orders", "mails", "at most at once", "seconds")]
        rows += [(r.name, r.ends, f"{r.mails}", f"{r.most}", f"{r.seconds:.1f}") for r in self.runs]
        widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
        lines = ("  ".join(f"{c:<{w}}" for c, w in zip(r, widths, strict=True)) for r in rows)
        return Text("\n".join(line.rstrip() for line in lines))

    def svg(self) -> str:
        """Return an SVG that works in light and dark, and on its own."""
        title = f"mails at the provider, which delivers {self.at_once} at once"
        strips = [Strip(_words(r), list(_corners(r.steps()))) for r in self.runs]
        return picture(title, self.table(), strips, bound=self.at_once)


def _words(run: Played) -> str:
    said = f"{run.name}: {run.ends}; {run.mails} mails, at most {run.most} at once,"
    return f"{said} {run.seconds:.1f} s"


def _corners(steps: Iterable[tuple[float, int]]) -> Iterator[tuple[float, int]]:
    """Yield the corners of a curve that keeps each value until the next."""
    level = 0
    yield 0.0, level
    for at, now in steps:
        yield from ((at, level), (at, now))
        level = now
