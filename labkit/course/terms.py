"""The words of the course: looked up in a notebook, or all on one page.

They stand in ``authoring/glossary.yaml``; ``docs/glossary.md`` is made from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from html import escape
from pathlib import Path

import yaml

from labkit import paths

NEAR = 3


@dataclass(frozen=True)
class Term:
    """One word of the course.

    Attributes:
        also: other words for the same thing.
        see: related terms.
    """

    term: str
    meaning: str
    also: tuple[str, ...] = field(default=())
    see: tuple[str, ...] = field(default=())

    def answers(self, word: str) -> bool:
        """Whether it is what ``word`` means; case and a plural do not count."""
        return any(_plain(w) == _plain(word) for w in (self.term, *self.also))


@dataclass(frozen=True, repr=False)
class Glossary:
    """Terms to show, after a line that says why they are shown."""

    head: str
    terms: tuple[Term, ...]

    def __repr__(self) -> str:
        rows = [f"{t.term}{_also(t)}: {t.meaning}{_see(t)}" for t in self.terms]
        return "\n".join(filter(None, [self.head, *rows]))

    def _repr_html_(self) -> str:
        head = f"<p>{escape(self.head)}</p>" if self.head else ""
        rows = "".join(
            f"<dt><b>{escape(t.term)}</b>{escape(_also(t))}</dt>"
            f'<dd style="margin:0 0 .6em 1.5em">{escape(t.meaning + _see(t))}</dd>'
            for t in self.terms
        )
        return f'{head}<dl style="margin:0;line-height:1.45">{rows}</dl>'


def glossary(word: str = "") -> Glossary:
    """Return what a word of the course means; without a word, all of them.

    A word that the glossary does not have is answered with those that are near.
    """
    known = terms()
    if not word.strip():
        return Glossary("", known)
    found = tuple(t for t in known if t.answers(word))
    if found:
        return Glossary("", found)
    near = _near(word, known)
    if near:
        return Glossary(f"The glossary has no entry for “{word}”. Near it:", near)
    names = ", ".join(t.term for t in known)
    return Glossary(f"The glossary has no entry for “{word}”. It has: {names}.", ())


def terms() -> tuple[Term, ...]:
    """Return all terms, by name."""
    file = paths.repo() / "authoring" / "glossary.yaml"
    return _read(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _read(file: Path, changed: int) -> tuple[Term, ...]:
    entries = yaml.safe_load(file.read_text("utf-8")) or []
    found = [
        Term(
            str(e["term"]),
            str(e["meaning"]),
            tuple(map(str, e.get("also", ()))),
            tuple(map(str, e.get("see", ()))),
        )
        for e in entries
    ]
    return tuple(sorted(found, key=lambda t: t.term.lower()))


def _near(word: str, known: Sequence[Term]) -> tuple[Term, ...]:
    """Terms that hold the word, or are spelled much like it."""
    wanted = _plain(word)
    names = {_plain(w): t for t in known for w in (t.term, *t.also)}
    holds = [name for name in names if len(wanted) > 2 and (wanted in name or name in wanted)]
    alike = get_close_matches(wanted, names, n=NEAR, cutoff=0.65)
    return tuple(dict.fromkeys(names[n] for n in [*alike, *holds]))[:NEAR]


def _plain(word: str) -> str:
    return " ".join(word.lower().replace("-", " ").replace("_", " ").split()).removesuffix("s")


def _also(term: Term) -> str:
    return f" (also: {', '.join(term.also)})" if term.also else ""


def _see(term: Term) -> str:
    return f" See: {', '.join(term.see)}." if term.see else ""
