"""The rules for notebooks, by tags and counts; see docs/authoring.md."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import jupytext
import yaml

from labkit import paths
from labkit.build import frame
from labkit.build.catalogue import Notebook
from labkit.build.source import read
from labkit.course import terms as glossary
from labkit.exercises import load

CELLS = (20, 40)
CODE_LINES, CODE_MEDIAN = 15, 5
WORDS, WORDS_MEDIAN = 120, 45
NEW_TERMS = 4
IGNORED_SHARE = 0.03
BANNED = re.compile(r"\b(simply|just|obvious|obviously|easy|easily|trivial|of course)\b", re.I)
VAGUE = re.compile(r"^\W*(understand|know|learn about|be aware|appreciate)\b", re.I)
FENCE = re.compile(r"(?m)^```(\w+)([^\n]*)\n(.*?)^```", re.S)
GLOSSARY = "(../docs/glossary.md)"
BOLD = re.compile(r"\*\*([^*\n]+)\*\*")


def problems(notebook: Notebook) -> Iterator[str]:
    """Yield what breaks a rule."""
    nb = read(notebook)
    if notebook.kind == "lesson":
        yield from lesson(nb, notebook.target.stem)
    else:
        own = jupytext.read(notebook.source, fmt="py:percent").cells
        yield from frame.problems(load(notebook.source.parent.name), own)
        bare = [cell for cell in own if cell.cell_type == "code" and _needs_a_failure(cell)]
        yield from (f"{c.source!r} does not ask whether there still is a failure" for c in bare)
    yield from cells(nb)


def lesson(nb: Any, stem: str) -> Iterator[str]:
    """Yield what breaks a rule for whole lessons."""
    count = len(nb.cells)
    if not CELLS[0] <= count <= CELLS[1]:
        yield f"has {count} cells; lessons have {CELLS[0]} to {CELLS[1]}"
    yield from _sizes(nb)
    yield from _opening(nb.cells[0].source)
    yield from _order(nb, stem)
    yield from _questions(nb)
    yield from _parts(nb)
    yield from _glossary(nb)
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


def _needs_a_failure(cell: Any) -> bool:
    """Whether a cell raises AttributeError once nothing fails any more: after the repair."""
    tree = ast.parse("" if cell.source.startswith("%%") else cell.source)
    kinds = (ast.If, ast.IfExp, ast.GeneratorExp, ast.ListComp, ast.SetComp)
    choices = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    guarded = {id(inner) for choice in choices for inner in ast.walk(choice)}
    return any(
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "failure"
        and id(node) not in guarded
        for node in ast.walk(tree)
    )


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
    missing = [id for id in _ids(nb, "quiz") if id not in taught]
    yield from (f"asks {id!r}, which no quiz file has" for id in missing)
    early = re.findall(r"quiz\(\"([^\"]+)", "\n".join(c.source for c in recalls))
    yield from (f"recalls {q!r} before its lesson" for q in early if taught.get(q, "") >= stem[:2])
    for number, cell in enumerate(nb.cells):
        if tags[number] == "run" and "predict" not in tags[max(0, number - 3) : number]:
            yield f"cell {cell.id} runs something new without a prediction before it"
    asked, seen = _ids(nb, "predict"), _ids(nb, "observe")
    for id in asked:
        if id not in seen:
            yield f"the prediction {id!r} is never observed"
    for number, cell in enumerate(nb.cells):
        if cell.cell_type == "code" and "observe" in _called(cell) and tags[number] != "run":
            yield f"cell {cell.id} observes outside a run cell, so also what was not run"
    for id in seen:
        if id not in asked:
            yield f"the observation {id!r} was never predicted"


def _questions(nb: Any) -> Iterator[str]:
    """A prediction is asked for in the text right before its buttons."""
    for before, cell in zip([None, *nb.cells], nb.cells, strict=False):
        if cell.cell_type != "code" or "predict" not in _called(cell):
            continue
        if before is None or before.cell_type != "markdown" or "?" not in _plain(before.source):
            yield f"cell {cell.id} asks for a prediction, and the text before it has no question"


def _parts(nb: Any) -> Iterator[str]:
    """A file that grows is never saved whole, so that running its first cell keeps the rest."""
    saved = [c.source.split("\n", 1)[0].split() for c in nb.cells]
    saved = [words for words in saved if words[:1] == ["%%workfile"]]
    grow = {words[1] for words in saved if len(words) > 2}
    yield from (
        f"{words[1]} grows in parts, and a cell saves it whole: write --part 1"
        for words in saved
        if len(words) == 2 and words[1] in grow
    )


def _glossary(nb: Any) -> Iterator[str]:
    """A lesson links the glossary where it begins or ends."""
    if not any(GLOSSARY in nb.cells[i].source for i in (0, -2)):
        yield f"neither the opening nor the close links the glossary: {GLOSSARY}"


def _taught_in() -> dict[str, str]:
    """The number of the lesson to which each question belongs, by the name of its file."""
    files = sorted((paths.repo() / "authoring" / "quizzes").glob("*.yaml"))
    read = ((f.stem[:2], yaml.safe_load(f.read_text("utf-8")) or []) for f in files)
    return {str(entry["id"]): number for number, entries in read for entry in entries}


def _ids(nb: Any, function: str) -> list[str]:
    cells = [c for c in nb.cells if c.cell_type == "code"]
    return [id for cell in cells for id in _called(cell).get(function, [])]


def _called(cell: Any) -> dict[str, list[str]]:
    """The functions that a code cell calls by their names, each with its first arguments."""
    found: dict[str, list[str]] = {}
    for node in ast.walk(ast.parse("" if cell.source.startswith("%%") else cell.source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            with suppress(ValueError):  # not a literal, so no id
                found.setdefault(node.func.id, []).append(ast.literal_eval(node.args[0]))
    return found


def _terms(nb: Any) -> Iterator[str]:
    known = {t.term.lower() for t in glossary.terms()}
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
