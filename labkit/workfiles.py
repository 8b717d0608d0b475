"""Files that a learner writes in a lesson, below ``learn/files``.

``%%workfile PATH`` saves a cell as a file, ``%%workfile PATH --part N`` as the N-th part of one, so
that a file can grow over several cells and any of them can be run again. A file that was edited by
hand is kept as a copy before it is written again.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml

from labkit import paths, runfile
from labkit.errors import AuthoringError
from labkit.reading import yamltree


class WrongMagic(AuthoringError):
    """``%%workfile`` was used in a way that it does not have."""

    code = "wrong-workfile"


def workspace(lesson: str, components: str = "default") -> Path:
    """Return the folder for the files of a lesson or exercise, with components in it.

    Args:
        components: the set of ``components/`` that is copied when the folder has none yet.
    """
    folder = paths.work() / lesson
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "components").exists():
        shutil.copytree(paths.repo() / "components" / components, folder / "components")
    return folder


def save(path: str, text: str, part: int | None = None) -> str:
    """Write a file, or one part of it; return what was done in a line.

    Parts are joined with two empty lines between them. A whole file replaces all parts; the line
    says which later ones are gone. It also says which earlier parts are not there yet.

    A file that is not as we last wrote it is the learner's: it is kept as ``NAME.yours-N``.

    Raises:
        WrongMagic: the path is not below the folder of the learner's files.
    """
    file = paths.work() / path
    if paths.work().resolve() not in file.resolve().parents or path.endswith("/"):
        raise WrongMagic(
            "the path leaves the folder of your files, or names none",
            asked=f"save {path}",
            found=f"it is {file.resolve()}",
            look_at=shown(paths.work()),
            fix="write a path below this folder, without .. and without / at its beginning or end",
        )
    parts = paths.parts() / path
    parts.mkdir(parents=True, exist_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    removed = [n for n in _numbers(parts) if n > 1] if part is None else []
    for number in removed:
        (parts / f"part-{number:03}").unlink()
    (parts / f"part-{part or 1:03}").write_text(text, "utf-8")
    lacking = sorted(set(range(1, part or 1)) - set(_numbers(parts)))
    texts = [p.read_text("utf-8").strip("\n") for p in sorted(parts.glob("part-*"))]
    whole = "\n\n\n".join(texts) + "\n"
    kept = _keep_if_edited(file, parts / "written", whole)
    file.write_text(whole, "utf-8")
    (parts / "written").write_text(whole, "utf-8")
    told = [f"saved {path}: {len(whole.splitlines())} lines"]
    if removed:
        were, whose = ("was", "its cell") if len(removed) == 1 else ("were", "their cells")
        told.append(f"{_named(removed)} {were} removed: run {whose} again")
    if lacking:
        are, whose = ("is", "its cell") if len(lacking) == 1 else ("are", "their cells")
        told.append(f"{_named(lacking)} {are} not saved yet: run {whose}")
    if kept:
        told.append(f"your edited version is kept as {kept.name}")
    return "; ".join(told)


def copy_of_services(
    lesson: str,
    *app_ids: str,
    components: str = "default",
    env: Mapping[str, str] | None = None,
    services: str = "",
) -> Path:
    """Copy services of the course into a lesson's folder, with a run file for them.

    A folder that is there already is the learner's and stays as it is.

    Args:
        components: the set of ``components/`` that is copied when the folder has none yet.
        env: environment variables that the run file gives to all apps.
        services: the folder below ``services/`` whose run file names the apps; "" for itself.

    Returns:
        The run file.
    """
    folder = workspace(lesson, components)
    copy_of_folders(folder, app_ids, services)
    run_file = folder / "dapr.yaml"
    if not run_file.exists():
        run_file.write_text(run_file_text(app_ids, services, env), "utf-8")
    return run_file


def run_file_text(app_ids: Iterable[str], services: str, env: Mapping[str, str] | None) -> str:
    """Return the run file for copies of services that stand beside it; see copy_of_services."""
    apps = "".join(_entry(app_id, services) for app_id in app_ids)
    variables = "".join(f'    {name}: "{value}"\n' for name, value in (env or {}).items())
    variables = f"  env:\n{variables}" if env else ""
    return f"version: 1\ncommon:\n  resourcesPath: components\n{variables}apps:\n{apps}"


def copy_of_folders(folder: Path, app_ids: Iterable[str], services: str = "") -> None:
    """Copy the folders of services of the course into a folder; one that is there stays as it is.

    Args:
        services: the folder below ``services/`` whose run file names the apps; "" for itself.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for app_id in app_ids:
        source, target = folder_of(app_id, services), folder / app_id
        if not target.exists():
            own = shutil.ignore_patterns("__pycache__", "*.sqlite*", ".venv")
            shutil.copytree(source, target, ignore=own)
            if (source / ".venv").is_dir():  # too large for a copy, and nothing to edit
                (target / ".venv").symlink_to(source / ".venv")


def set_aside(path: Path) -> Path | None:
    """Rename a file or folder to ``NAME.kept-N``, the first that is free.

    Returns:
        The new path; None if there was nothing to rename.
    """
    if not os.path.lexists(path):
        return None
    name, end = (path.stem, path.suffix) if path.suffix == ".ipynb" else (path.name, "")
    number = 1
    while os.path.lexists(kept := path.with_name(f"{name}.kept-{number}{end}")):
        number += 1
    return path.rename(kept)


def shown(path: Path) -> str:
    """Return a path of the learner's folder as a person sees it: ``learn/files/03-shapes``."""
    return str(path.relative_to(paths.learn().parent))


def folder_of(app_id: str, services: str = "") -> Path:
    """Return the folder of an app of the course, as the run file below ``services/`` names it."""
    apps = runfile.read(_run_file(services)).apps
    return next(app.folder for app in apps if app.app_id == app_id).resolve()


def _run_file(services: str) -> Path:
    return paths.repo() / "services" / services / "dapr.yaml"


def _entry(app_id: str, services: str) -> str:
    """Return the entry of an app for a run file beside the app's folder, without comments."""
    data = _run_file(services).read_bytes()
    lines = data.decode().splitlines(keepends=True)
    entry = _node_of(app_id, data)
    folder = yamltree.find(entry, "appDirPath")
    assert folder is not None, "a run file of the course names the folder of each app"
    place = folder[1].start_mark
    lines[place.line] = f"{lines[place.line][: place.column]}{app_id}\n"
    first, *rest = lines[yamltree.line_of(entry) - 1 :]
    depth = entry.start_mark.column
    own = takewhile(lambda line: not line.strip() or line[:depth].isspace(), rest)
    return "".join(line for line in (first, *own) if not line.lstrip().startswith("#"))


def _node_of(app_id: str, data: bytes) -> yaml.Node:
    """Return the entry of an app in a run file of the course."""
    apps = yamltree.find(next(yamltree.documents(data)), "apps")
    entries: list[yaml.Node] = apps[1].value if apps else []
    for entry in entries:
        found = yamltree.find(entry, "appID")
        if found and found[1].value == app_id:
            return entry
    raise AssertionError(f"a run file of the course names {app_id}")


def workfile(line: str, cell: str) -> None:
    """The cell magic: see the module."""
    words = shlex.split(line)
    part = None
    if len(words) == 3 and words[1] == "--part" and words[2].isdigit():
        part = int(words[2])
    elif len(words) != 1:
        raise WrongMagic(
            "the line %%workfile is not complete",
            asked=f"%%workfile {line}",
            found=f"{len(words)} words",
            look_at="the first line of the cell",
            fix="write %%workfile PATH, or %%workfile PATH --part NUMBER",
        )
    print(save(words[0], cell, part))


def register() -> None:
    """Make ``%%workfile`` known to the notebook, if there is one."""
    with suppress(ImportError):
        from IPython import get_ipython

        shell: Any = get_ipython()
        if shell is not None:
            shell.register_magic_function(workfile, "cell", "workfile")


def _numbers(parts: Path) -> list[int]:
    """The numbers of the parts that are saved, in order."""
    return sorted(int(p.name.removeprefix("part-")) for p in parts.glob("part-*"))


def _named(numbers: list[int]) -> str:
    """Return "part 2", "parts 2 and 3" or "parts 2, 3 and 4"."""
    *first, last = map(str, numbers)
    return f"parts {', '.join(first)} and {last}" if first else f"part {last}"


def _keep_if_edited(file: Path, written: Path, new: str) -> Path | None:
    if not file.exists() or file.read_bytes() == new.encode():
        return None
    text = file.read_bytes()
    if written.exists() and written.read_bytes() == text:
        return None
    number = 1
    while (copy := file.with_name(f"{file.name}.yours-{number}")).exists():
        if copy.read_bytes() == text:
            return copy
        number += 1
    copy.write_bytes(text)
    return copy
