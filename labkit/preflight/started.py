"""Which Python files a command runs: the one that it names, and what that imports beside it.

So apps that share a folder are told apart, and what lies in a folder and is never imported is not
taken for code of its app. Nothing is run: where imports are computed, or ``sys.path`` is changed,
or the command starts something else, the answer is that it cannot be told.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath

from labkit.preflight import sources
from labkit.preflight.files import is_file, is_folder

_SHELLS = ("sh", "bash", "dash", "zsh")
_SIGNS = re.compile(r"[;|&<>`$(){}*?\n]")
_OBJECT = re.compile(r"([A-Za-z_][\w.]*):[A-Za-z_][\w.()]*")
_COMPUTED = ("__import__", "exec", "importlib", "runpy", "pkgutil")


def files(folder: Path, command: Sequence[str]) -> list[Path] | None:
    """Return the Python files that a command runs in a folder; None when that cannot be told."""
    start = _start(folder, list(command))
    if start is None:
        return None
    root, waiting, tree = start
    found: dict[Path, None] = {}
    if tree is not None:
        waiting = list(_imported(tree, root, root))
    while waiting and len(found) <= sources.MOST_FILES:
        file = waiting.pop(0)
        if file in found:
            continue
        found[file] = None
        imports = _imports_of(file, root)
        if imports is None:
            return None
        waiting += imports
    return list(found) or None


def _start(folder: Path, words: list[str]) -> tuple[Path, list[Path], ast.Module | None] | None:
    """Where imports start, with the first files, or the program that the command line holds."""
    program = PurePath(words[0]).name if words else ""
    if program in _SHELLS and words[1:2] == ["-c"] and len(words) == 3:
        return None if _SIGNS.search(words[2]) else _start(folder, _split(words[2]))
    is_python = "python" in program
    for number, word in enumerate(words[1:], 1):
        before = words[number - 1]
        if before == "-c" and is_python:
            tree = _program(word)
            return (folder, [], tree) if tree else None
        if before == "-m" and (module := _module(folder, word, as_program=True)):
            return folder, module, None
        if word.endswith(".py") and is_file(folder / word):
            return (folder / word).parent, [folder / word], None
        named = _OBJECT.fullmatch(word)  # uvicorn main:app
        if named and (module := _module(folder, named[1])):
            return folder, module, None
    return None


def _split(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError:
        return []
    return words[1:] if words[:1] == ["exec"] else words


def _program(text: str) -> ast.Module | None:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return None if _is_computed(tree) else tree


def _imports_of(file: Path, root: Path) -> list[Path] | None:
    """What a file imports; nothing for one that cannot be read, which is reported elsewhere."""
    try:
        tree = sources.parse(file)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OSError):
        return []
    return None if _is_computed(tree) else list(_imported(tree, root, file.parent))


def _is_computed(tree: ast.Module) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in _COMPUTED:
            return True
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.path":
            return True
        if isinstance(node, ast.ImportFrom) and node.module in _COMPUTED:
            return True
    return False


def _imported(tree: ast.Module, root: Path, here: Path) -> Iterator[Path]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                yield from _module(root, one.name)
        elif isinstance(node, ast.ImportFrom):
            base = here
            for _ in range(node.level - 1):
                base = base.parent
            base = base if node.level else root
            names = [f"{node.module}.{one.name}" if node.module else one.name for one in node.names]
            for name in [*([node.module] if node.module else []), *names]:
                yield from _module(base, name)


def _module(base: Path, name: str, as_program: bool = False) -> list[Path]:
    """The files of a module, with those of the packages it is in; none where it is not there."""
    found: list[Path] = []
    here = base
    for part in name.split("."):
        if is_file(here / f"{part}.py"):
            return [*found, here / f"{part}.py"]
        here = here / part
        if not part.isidentifier() or not is_folder(here):
            return found
        found += _existing([here / "__init__.py"])
    return [*found, *_existing([here / "__main__.py"] if as_program else [])]


def _existing(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if is_file(path)]
