"""The Python files of an app, read together: what they register and what they call elsewhere."""

from __future__ import annotations

import ast
import errno
import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from labkit.preflight.files import is_file
from labkit.preflight.findings import Finding, State
from labkit.preflight.module import Call, Module, Registration, functions_of
from labkit.reading import plainfile

MOST_FILES, MOST_FOLDERS, MOST_BYTES, MOST_TOGETHER = 300, 2000, 1_000_000, 2_000_000
TOO_MUCH = f"with those before it, it is more than {MOST_TOGETHER // 1_000_000} MB of sources"


@dataclass
class Sources:
    """What a set of source files calls and registers.

    Attributes:
        is_worker: one of them uses the workflow SDK.
        is_complete: no file was too many, too large or no Python.
        has_runtime: one of them makes the runtime; else a module that was not read may register.
        is_started: these are the files that the command of the app runs, not all of its folder.
        not_run: the other files of the folder.
    """

    files: list[Path] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    registrations: list[Registration] = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)
    is_worker: bool = False
    is_complete: bool = True
    is_started: bool = False
    has_runtime: bool = False
    not_run: list[Path] = field(default_factory=list)

    @cached_property
    def beside(self) -> list[Registration]:
        """What the other files of the folder register; read when it is asked for."""
        return read(self.not_run).registrations


def calls_of(source: Path) -> list[Call]:
    """Return the calls to other apps in a Python source.

    Raises:
        SyntaxError: it is no Python.
    """
    tree = parse(source)
    return Module(source, tree, functions_of(tree)).calls()


def read(files: Iterable[Path], if_wrong: State = "broken") -> Sources:
    """Read files that belong together: a function of one may be called in another."""
    found, trees, left = Sources(), list[tuple[Path, ast.Module]](), MOST_TOGETHER
    for file in files:
        try:
            size = file.stat().st_size
            if size > left:
                raise OSError(errno.EFBIG, TOO_MUCH)
            trees.append((file, parse(file)))
            left -= size
        except (SyntaxError, ValueError, RecursionError, MemoryError, OSError) as problem:
            found.is_complete = False
            found.problems.append(_wrong(file, problem, if_wrong))
    everywhere: dict[str, str | None] = {}
    for _, tree in trees:
        for name, registered in functions_of(tree).items():
            same = everywhere.get(name, registered) == registered
            everywhere[name] = registered if same else None
    modules = [Module(f, tree, {**everywhere, **functions_of(tree)}) for f, tree in trees]
    found.has_runtime = any(module.makes_runtime() for module in modules)
    for (file, _), module in zip(trees, modules, strict=True):
        found.files.append(file)
        found.calls += module.calls()
        found.registrations += module.registrations()
        found.is_worker |= module.uses_sdk()
    found.is_worker |= bool(found.registrations)
    return found


def python_files(folder: Path, leave_out: Iterable[str] = ()) -> tuple[list[Path], bool]:
    """Return the Python files of a folder, and whether these are all.

    Hidden folders, environments, tests and the folders to leave out, without links, are not
    entered.
    """
    out, found = set(leave_out), list[Path]()
    for number, (here, below, names) in enumerate(os.walk(folder)):
        if number >= MOST_FOLDERS or len(found) > MOST_FILES:
            return found[:MOST_FILES], False
        inside = [Path(here, n) for n in sorted(below)]
        below[:] = [p.name for p in inside if _is_own(p) and os.path.realpath(p) not in out]
        found += [Path(here, n) for n in sorted(names) if _is_source(n)]
    return [f for f in found[:MOST_FILES] if is_file(f)], len(found) <= MOST_FILES


def _is_own(folder: Path) -> bool:
    strange = folder.name in ("node_modules", "site-packages", "__pycache__", "test", "tests")
    return not (strange or folder.name.startswith(".") or is_file(folder / "pyvenv.cfg"))


def _is_source(name: str) -> bool:
    # Tests register and call what they like, and no app runs them.
    return name.endswith(".py") and not name.startswith(("test_", "conftest."))


def parse(file: Path) -> ast.Module:
    """Return the syntax tree of a file.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it is not valid Python.
        OSError: it cannot be read, or is too large.
    """
    data = plainfile.read(file, MOST_BYTES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes in texts that are not ours
        return ast.parse(data)


def _wrong(source: Path, problem: BaseException, state: State) -> Finding:
    line, column = getattr(problem, "lineno", None) or 1, getattr(problem, "offset", None) or 1
    if isinstance(problem, OSError):
        return Finding("file", "cannot be known", str(source), *plainfile.why_not(problem))
    what = getattr(problem, "msg", None) or problem or type(problem).__name__
    place, why = f"{source}:{line}:{column}", f"it is not valid Python: {what}"
    return Finding("file", state, place, why, "correct that line")
