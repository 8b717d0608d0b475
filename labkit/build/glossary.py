"""The glossary as a page. Makes ``docs/glossary.md``, where each term has an anchor."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from labkit import paths
from labkit.course import terms
from labkit.course.terms import Term

BOLD = re.compile(r"\*\*([^*\n]+)\*\*")
INTRO = (
    "The words of the course: what each means, and in which lesson it is new. In a notebook, "
    '`glossary("sidecar")` shows one of them.'
)


def page() -> str:
    """Return the page that readers see."""
    known, first = terms.terms(), _first_lessons()
    index = " · ".join(f"[{t.term}](#{anchor(t.term)})" for t in known)
    entries = [_entry(term, first) for term in known]
    return "\n".join(["# Glossary", "", INTRO, "", index, "", *entries])


def anchor(term: str) -> str:
    """Return the anchor that a heading gets: lower case, with hyphens."""
    return re.sub(r"[^a-z0-9 -]", "", term.lower()).replace(" ", "-")


def problems() -> Iterator[str]:
    """Yield what is wrong: a term twice, a reference to nothing, a page that drifted."""
    known = terms.terms()
    words = [w.lower() for t in known for w in (t.term, *t.also)]
    yield from (f"the glossary has {w!r} twice" for w in sorted(set(words)) if words.count(w) > 1)
    names = {t.term for t in known}
    for term in known:
        yield from (
            f"the glossary refers from {term.term!r} to {other!r}, which it does not have"
            for other in term.see
            if other not in names
        )
    file = target()
    if not file.exists() or file.read_text("utf-8") != page():
        yield "docs/glossary.md differs from authoring/glossary.yaml; run ./lab build pages"


def target() -> Path:
    """Return the file of the page."""
    return paths.repo() / "docs" / "glossary.md"


def _entry(term: Term, first: dict[str, str]) -> str:
    also = f" Also: {', '.join(term.also)}." if term.also else ""
    lesson = first.get(term.term.lower())
    new = f" New in lesson {lesson}." if lesson else ""
    see = ", ".join(f"[{other}](#{anchor(other)})" for other in term.see)
    related = f" See {see}." if see else ""
    return f"## {term.term}\n\n{term.meaning}{also}{new}{related}\n"


def _first_lessons() -> dict[str, str]:
    """The number of the first lesson that prints a term bold, by term."""
    found: dict[str, str] = {}
    for source in sorted((paths.repo() / "authoring" / "lessons").glob("*.py")):
        for bold in BOLD.findall(source.read_text("utf-8")):
            found.setdefault(bold.lower(), source.name[:2])
    return found
