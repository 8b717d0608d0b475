"""The rules for notebooks, by tags and counts; see docs/authoring.md."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from typing import Any

import yaml

from labkit import paths
from labkit.build.catalogue import Notebook
from labkit.build.source import read
from labkit.exercises import in_order

CELLS = (20, 40)
CODE_LINES, CODE_MEDIAN = 15, 5
WORDS, WORDS_MEDIAN = 120, 45
NEW_TERMS = 4
IGNORED_SHARE = 0.03
BANNED = re.compile(r"\b(simply|just|obvious|obviously|easy|easily|trivial|of course)\b", re.I)
VAGUE = re.compile(r"^\W*(understand|know|learn about|be aware|appreciate)\b", re.I)
FENCE = re.compile(r"(?m)^```(\w+)([^\n]*)\n(.*?)^```", re.S)
BOLD = re.compile(r"\*\*([^*\n]+)\*\*")


def problems(notebook: Notebook) -> Iterator[str]:
    """Yield what breaks a rule."""
    nb = read(notebook)
    if notebook.kind == "lesson":
        yield from lesson(nb, notebook.target.stem)
        yield from _practice(nb, notebook.target.stem[:2])
    yield from cells(nb)


def lesson(nb: Any, stem: str) -> Iterator[str]:
    """Yield what breaks a rule for whole lessons."""
    count = len(nb.cells)
    if not CELLS[0] <= count <= CELLS[1]:
        yield f"has {count} cells; lessons have {CELLS[0]} to {CELLS[1]}"
    yield from _sizes(nb)
    yield from _opening(nb.cells[0].source)
    yield from _order(nb, stem)
    yield from _terms(nb)
    for what in ("what you can now do", "claims", "next"):
        if what not in nb.cells[-2].source.lower():
            yield f"the close does not say: {what}"


def cells(nb: Any) -> Iterator[str]:
    """Yield what breaks a rule for single cells."""
    for cell in nb.cells:
        if not cell.metadata.get("tags"):
            yield f"cell {cell.id} has no tag"
        ignored = "nbval-ignore-output" in cell.metadata.get("tags", [])
        if ignored and not cell.metadata.get("reason"):
            yield f"cell {cell.id} ignores its output without a reason"
        if cell.cell_type == "markdown":
            yield from _prose(cell)


def _sizes(nb: Any) -> Iterator[str]:
    code = [c for c in nb.cells if c.cell_type == "code"]
    lines = {c.id: len(c.source.splitlines()) for c in code if not c.source.startswith("%%")}
    words = {c.id: len(_plain(c.source).split()) for c in nb.cells if c.cell_type == "markdown"}
    yield from (f"cell {i} has {n} lines of code" for i, n in lines.items() if n > CODE_LINES)
    yield from (f"cell {i} has {n} words" for i, n in words.items() if n > WORDS)
    if lines and statistics.median(lines.values()) > CODE_MEDIAN:
        yield f"the median code cell has more than {CODE_MEDIAN} lines"
    if words and statistics.median(words.values()) > WORDS_MEDIAN:
        yield f"the median text cell has more than {WORDS_MEDIAN} words"
    ignored = [c for c in code if "nbval-ignore-output" in c.metadata.get("tags", [])]
    if len(ignored) > max(1, IGNORED_SHARE * len(code)):
        yield f"{len(ignored)} of {len(code)} code cells ignore their output"


def _opening(text: str) -> Iterator[str]:
    if not re.search(r"\d+ minutes", text):
        yield "the opening does not say how many minutes"
    for heading in ("You will be able to", "You need"):
        if heading.lower() not in text.lower():
            yield f"the opening has no part {heading!r}"
    for line in text.splitlines():
        if line.startswith("- ") and VAGUE.match(line[2:]):
            yield f"an objective cannot be watched: {line[2:]!r}"


def _order(nb: Any, stem: str) -> Iterator[str]:
    tags = [(c.metadata.get("tags") or [""])[0] for c in nb.cells]
    recalls = [c for c, t in zip(nb.cells[:12], tags, strict=False) if t == "recall"]
    if not stem.startswith("00") and len([c for c in recalls if c.cell_type == "code"]) < 3:
        yield "it does not open with three recall questions"
    taught = _taught_in()
    unknown = [q for q in _ids(nb, "quiz") if q not in taught]
    yield from (f"asks {q!r}, which no quiz file has" for q in unknown)
    early = re.findall(r"quiz\(\"([^\"]+)", "\n".join(c.source for c in recalls))
    yield from (f"recalls {q!r} before its lesson" for q in early if taught.get(q, "") >= stem[:2])
    for number, cell in enumerate(nb.cells):
        if tags[number] == "run" and "predict" not in tags[max(0, number - 3) : number]:
            yield f"cell {cell.id} runs something new without a prediction before it"
    asked, seen = _ids(nb, "predict"), _ids(nb, "observe")
    for id in asked:
        if id not in seen:
            yield f"the prediction {id!r} is never observed"
    for id in seen:
        if id not in asked:
            yield f"the observation {id!r} was never predicted"


def _taught_in() -> dict[str, str]:
    """The number of the lesson to which each question belongs, by the name of its file."""
    files = sorted((paths.repo() / "authoring" / "quizzes").glob("*.yaml"))
    read = ((f.stem[:2], yaml.safe_load(f.read_text("utf-8")) or []) for f in files)
    return {str(entry["id"]): number for number, entries in read for entry in entries}


def _practice(nb: Any, number: str) -> Iterator[str]:
    close = nb.cells[-2].source
    mine = [e.id for e in in_order() if e.lesson == number]
    yield from (
        f"the close does not name its exercise {id}" for id in mine if f"`{id}`" not in close
    )


def _ids(nb: Any, function: str) -> list[str]:
    found = []
    for cell in nb.cells:
        if cell.cell_type == "code" and not cell.source.startswith("%%"):
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == function:
                    found.append(ast.literal_eval(node.args[0]))
    return found


def _terms(nb: Any) -> Iterator[str]:
    text = (paths.repo() / "authoring" / "glossary.yaml").read_text("utf-8")
    known = {str(e["term"]).lower() for e in yaml.safe_load(text) or []}
    prose = [c.source for c in nb.cells[1:] if c.cell_type == "markdown"]
    used = {m.lower() for p in prose for m in BOLD.findall(p) if not m.endswith("?")}
    terms = {t for t in used if t in known}
    yield from (f"the bold term {t!r} is not in the glossary" for t in sorted(used - known))
    if len(terms) > NEW_TERMS:
        yield f"it brings {len(terms)} new terms; at most {NEW_TERMS}: {sorted(terms)}"


def _prose(cell: Any) -> Iterator[str]:
    for word in BANNED.findall(_plain(cell.source)):
        yield f"cell {cell.id} says {word!r}"
    for language, rest, _ in FENCE.findall(cell.source):
        if language in ("python", "yaml", "sh", "bash") and "illustration:" not in rest:
            yield f"cell {cell.id} has a {language} block that nobody runs"
    for image in re.findall(r"!\[\s*\]\(", cell.source):
        yield f"cell {cell.id} has a picture without words: {image}"


def _plain(text: str) -> str:
    """Return prose without code."""
    return re.sub(r"`[^`]*`", "code", re.sub(r"(?ms)^```.*?^```", "", text))
