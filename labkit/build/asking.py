"""The cells of a notebook that only ask a question: what they show depends on no run of a lab."""

from __future__ import annotations

import ast
from typing import Any

ASKS = ("predict", "quiz")


def questions(nb: Any) -> list[Any]:
    """Return the cells of code that import, name constants, and ask with these; in order."""
    named: set[str] = set()
    found = []
    for cell in nb.cells:
        if cell.cell_type == "code" and _only_asks(cell.source, named):
            found.append(cell)
    return found


def _only_asks(source: str, named: set[str]) -> bool:
    """Whether a cell ends with a question, and does nothing else; notes which names it gives."""
    try:
        *first, last = ast.parse(source).body
    except (SyntaxError, ValueError):  # a magic, or nothing at all
        return False
    given: set[str] = set()
    for statement in first:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            continue
        if not isinstance(statement, ast.Assign) or not _constant(statement.value):
            return False
        given |= {target.id for target in statement.targets if isinstance(target, ast.Name)}
    call = last.value if isinstance(last, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.keywords:
        return False
    given |= named
    if call.func.id not in ASKS or not all(_known(a, given) for a in call.args):
        return False
    named |= given
    return True


def _known(value: ast.expr, named: set[str]) -> bool:
    return (isinstance(value, ast.Name) and value.id in named) or _constant(value)


def _constant(value: ast.expr) -> bool:
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError):
        return False
    return True
