"""What one Python source registers, and what it calls in other apps; nothing is run.

Only what stands there as text is known: a constant of the module is looked up, everything else is
computed. A function object stands for the name it is registered under.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

CALLS = ("call_activity", "call_child_workflow")
# What registers: a decorator or a method, and the kind that it registers.
REGISTERS = {
    "activity": "activity",
    "workflow": "workflow",
    "versioned_workflow": "workflow",
    "register_activity": "activity",
    "register_workflow": "workflow",
    "register_versioned_workflow": "workflow",
}
RUNTIME = "WorkflowRuntime"
Names = Mapping[str, "str | None"]
Function = ast.FunctionDef | ast.AsyncFunctionDef
_KEPT = (
    *(ast.Name, ast.arg, ast.Call, ast.Import, ast.ImportFrom),
    *(ast.FunctionDef, ast.AsyncFunctionDef),
)


@dataclass(frozen=True)
class Call:
    """A remote call in a workflow's source; what is computed at run time is None.

    Attributes:
        kind: ``call_activity`` or ``call_child_workflow``.
        where: ``file:line``.
        is_sure: False when the name is that of a function whose source was not read; it may be
            registered under another one.
    """

    app_id: str | None
    name: str | None
    where: str
    kind: str
    is_sure: bool = True


@dataclass(frozen=True)
class Registration:
    """A name that a source registers; None when it is computed at run time.

    Attributes:
        kind: ``activity`` or ``workflow``.
        is_sure: as for a call.
    """

    kind: str
    name: str | None
    where: str
    is_sure: bool = True


class Module:
    """One source; ``functions`` gives the registered name of each function known."""

    def __init__(self, file: Path, tree: ast.Module, functions: Names) -> None:
        self.file, self.tree, self.functions = file, tree, functions
        self.constants = _constants(tree)
        self.variables = set(_bound(tree))
        self.imported = {
            a.asname or a.name: a.name.split(".")[-1]
            for n in nodes(tree)
            if isinstance(n, (ast.Import, ast.ImportFrom))
            for a in n.names
        }

    def uses_sdk(self) -> bool:
        """Whether it imports the workflow SDK."""
        for node in nodes(self.tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{a.name}" for a in node.names]
            if any(n.startswith(("dapr.ext.workflow", "durabletask")) for n in names):
                return True
        return False

    def calls(self) -> list[Call]:
        """The calls to other apps."""
        found = []
        for node in nodes(self.tree):
            if not isinstance(node, ast.Call):
                continue
            keywords = _keywords(node)
            app_id, kind = keywords.get("app_id"), self._kind_of_call(node.func)
            is_local = app_id is None or _is_none(app_id)
            if kind in CALLS and not is_local:
                first = node.args[0] if node.args else None
                first = first or keywords.get("workflow") or keywords.get("activity")
                name, is_sure = self._called(first)
                app, where = _text(app_id, self.constants), f"{self.file}:{node.lineno}"
                found.append(Call(app, name, where, kind, is_sure))
            found += self._given_away(node)
        return found

    def _kind_of_call(self, called: ast.expr) -> str:
        """The method of the context that is called: as it is, by another name or by ``getattr``."""
        if isinstance(called, ast.Call) and _last(called.func) == "getattr":
            return _text(called.args[1], self.constants) or "" if len(called.args) > 1 else ""
        if isinstance(called, ast.Name):
            return self._other_names.get(called.id, "")
        return _last(called)

    @cached_property
    def _other_names(self) -> dict[str, str]:
        """Names that are bound to a method that calls: ``call = ctx.call_activity``."""
        bound = (n for n in ast.walk(self.tree) if isinstance(n, (ast.Assign, ast.AnnAssign)))
        return {
            target.id: self._kind_of_call(node.value)
            for node in bound
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name) and node.value is not None
            if not isinstance(node.value, ast.Name)
            if self._kind_of_call(node.value) in CALLS
        }

    def _given_away(self, node: ast.Call) -> list[Call]:
        """A method that calls is given to other code: what that calls, and where, is not known.

        With ``partial`` the app may stand there; ``map`` hands on no app, so its calls are local.
        """
        if _last(node.func) == "map":
            return []
        given = [a for a in node.args if isinstance(a, ast.Attribute) and a.attr in CALLS]
        app = _text(_keywords(node).get("app_id"), self.constants)
        return [Call(app, None, f"{self.file}:{node.lineno}", a.attr) for a in given]

    def registrations(self) -> list[Registration]:
        """What it registers, by decorator or by method."""
        found = []
        for node in nodes(self.tree):
            if isinstance(node, Function):
                for decorator in node.decorator_list:
                    found += self._registered(decorator, node, node.lineno)
            elif isinstance(node, ast.Call):
                direct = node.args[0] if node.args else _keywords(node).get("fn")
                if isinstance(node.func, ast.Call):  # runtime.activity(name="x")(function)
                    found += self._registered(node.func, direct, node.lineno)
                elif direct is not None:
                    found += self._registered(node, direct, node.lineno)
        return found + self._handed_on()

    def makes_runtime(self) -> bool:
        """Whether it makes a ``WorkflowRuntime``, and so decides itself what is registered."""
        return any(isinstance(n, ast.Call) and self._is_runtime(n) for n in nodes(self.tree))

    def _is_runtime(self, call: ast.Call) -> bool:
        name = _last(call.func)
        return self.imported.get(name, name) == RUNTIME

    def _runtimes(self) -> set[str]:
        """The names of the runtimes that it makes."""
        bound = [n for n in ast.walk(self.tree) if isinstance(n, (ast.Assign, ast.AnnAssign))]
        made = [n for n in bound if isinstance(n.value, ast.Call) and self._is_runtime(n.value)]
        targets: list[ast.expr] = []
        for node in made:
            targets += node.targets if isinstance(node, ast.Assign) else [node.target]
        return {t.id for t in targets if isinstance(t, ast.Name)}

    def _handed_on(self) -> list[Registration]:
        """Where a runtime, or a method of it, is given away: what registers there is not known.

        A function whose source is among those that were read shows what it registers itself.
        """
        names = self._runtimes()
        if not names:
            return []
        kept = {id(part) for node in ast.walk(self.tree) for part in _plain_uses(node)}
        kept |= {
            id(part)
            for node in nodes(self.tree)
            if isinstance(node, ast.Call) and _last(node.func) in self.functions
            for part in [*node.args, *(k.value for k in node.keywords)]
        }
        return [
            Registration(kind, None, f"{self.file}:{node.lineno}")
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Name) and _is_load(node)
            if node.id in names and id(node) not in kept
            for kind in ("activity", "workflow")
        ]

    def _registered(self, by: ast.expr, function: ast.AST | None, line: int) -> list[Registration]:
        kind = REGISTERS.get(_last(by.func if isinstance(by, ast.Call) else by))
        if kind is None or isinstance(function, ast.Constant):
            return []
        given = _keywords(by) if isinstance(by, ast.Call) else {}
        computed = None in given or isinstance(function, ast.Starred)
        if "name" in given and not _is_none(given["name"]):
            name, is_sure = _text(given["name"], self.constants), True
        else:
            name, is_sure = (None, True) if computed else self._called(function)
        return [Registration(kind, name, f"{self.file}:{line}", is_sure)]

    def _called(self, node: ast.AST | None) -> tuple[str | None, bool]:
        """The name that a text or a function stands for, and whether that is sure."""
        if isinstance(node, Function):
            return _name_of(node, self.constants), True
        name = _text(node, self.constants)
        is_of_module = isinstance(node, ast.Attribute) and _last(node.value) in self.imported
        is_name = isinstance(node, ast.Name) and node.id not in self.variables
        if name is not None or not (is_name or is_of_module):
            return name, True
        function = self.imported.get(_last(node), _last(node))
        if function in self.functions:
            return self.functions[function], True
        is_imported = is_of_module or _last(node) in self.imported  # else e.g. a built-in
        return (function if is_imported else None), False


def functions_of(tree: ast.Module) -> dict[str, str | None]:
    """Return each function with the name it is registered under; without one its own name."""
    constants, found = _constants(tree), dict[str, "str | None"]()
    for node in nodes(tree):
        if isinstance(node, Function):
            found[node.name] = _name_of(node, constants)
    for node in nodes(tree):
        if isinstance(node, ast.Call) and _last(node.func).startswith("register_"):
            given = _keywords(node)
            function = _last(node.args[0] if node.args else given.get("fn"))
            if _last(node.func) in REGISTERS and function in found and "name" in given:
                found[function] = _text(given["name"], constants)
    return found


def _name_of(node: Function, constants: Names) -> str | None:
    for decorator in node.decorator_list:
        if not isinstance(decorator, ast.Call):
            continue
        given = _keywords(decorator)
        if _last(decorator.func) == "alternate_name" and decorator.args:
            return _text(decorator.args[0], constants)
        is_naming = _last(decorator.func) in (*REGISTERS, "alternate_name")
        if is_naming and "name" in given and not _is_none(given["name"]):
            return _text(given["name"], constants)
    return node.name


@lru_cache(maxsize=400)
def nodes(tree: ast.Module) -> tuple[ast.AST, ...]:
    """The nodes that matter here, outer ones first; a tree is walked once, since that is slow."""
    return tuple(n for n in ast.walk(tree) if isinstance(n, _KEPT) and not _is_load(n))


def _is_load(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)


@lru_cache(maxsize=400)
def _constants(tree: ast.Module) -> dict[str, str | None]:
    """Names that the module binds once, at its top, to a text."""
    bound = Counter(_bound(tree))
    found: dict[str, str | None] = {}
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        if not isinstance(node, (ast.Assign, ast.AnnAssign)):
            continue
        for target in targets:
            if isinstance(target, ast.Name) and bound[target.id] == 1:
                found[target.id] = _text(node.value, found)
    return found


def _bound(tree: ast.Module) -> Iterator[str]:
    for node in nodes(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg


def _text(node: ast.AST | None, constants: Names) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    if isinstance(node, ast.JoinedStr):
        parts = [_text(part, constants) for part in node.values]
        known = [part for part in parts if part is not None]
        return "".join(known) if len(known) == len(parts) else None
    if isinstance(node, ast.FormattedValue) and node.conversion == -1 and not node.format_spec:
        return _text(node.value, constants)
    return None


def _plain_uses(node: ast.AST) -> Iterator[ast.AST]:
    """The ``wfr`` of ``wfr.start()``, of ``@wfr.activity`` and of ``with wfr``."""
    used: list[ast.AST] = [node.func] if isinstance(node, ast.Call) else []
    if isinstance(node, Function):
        used += node.decorator_list
    yield from (part.value for part in used if isinstance(part, ast.Attribute))
    if isinstance(node, ast.withitem):
        yield node.context_expr


def _keywords(call: ast.Call) -> dict[str | None, ast.expr]:
    """Keyword arguments; what is given with ``**`` is under None."""
    return {k.arg: k.value for k in call.keywords}


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _last(node: ast.AST | None) -> str:
    """The last name of ``a.b.c``, "" for anything else."""
    return getattr(node, "attr", "") or getattr(node, "id", "")
