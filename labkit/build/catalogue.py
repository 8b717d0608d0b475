"""Which notebooks there are, and what each is made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from labkit import paths

Kind = Literal["lesson", "exercise", "solution"]


@dataclass(frozen=True)
class Notebook:
    """One notebook to build.

    Attributes:
        executed: whether it is stored with outputs; a stub is not.
    """

    kind: Kind
    source: Path
    target: Path

    @property
    def executed(self) -> bool:
        """Lessons and solutions are run; the stub of an exercise is not."""
        return self.kind != "exercise"


def notebooks() -> list[Notebook]:
    """Return all notebooks in the order of their names."""
    repo, authoring = paths.repo(), paths.repo() / "authoring"
    found = [
        Notebook("lesson", source, repo / "lessons" / f"{source.stem}.ipynb")
        for source in sorted((authoring / "lessons").glob("*.py"))
    ]
    for source in sorted((authoring / "exercises").glob("*/exercise.py")):
        name = f"{source.parent.name}.ipynb"
        found.append(Notebook("exercise", source, repo / "exercises" / name))
        found.append(Notebook("solution", source, repo / "solutions" / name))
    return found


def orphans() -> list[Path]:
    """Return built notebooks that have no source."""
    known = {n.target for n in notebooks()}
    folders = [paths.repo() / f for f in ("lessons", "exercises", "solutions")]
    return [p for f in folders for p in sorted(f.glob("*.ipynb")) if p not in known]
