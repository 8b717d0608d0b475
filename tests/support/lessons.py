"""The services that lessons write cell by cell, as deployments: the last version of each file."""

from __future__ import annotations

import re
import shutil
import tempfile
from functools import cache
from pathlib import Path

import yaml

from labkit import paths

SOURCES = paths.repo() / "authoring" / "lessons"
_CELL = re.compile(r"(?m)^# %%(?: |$)")
_FILE = re.compile(r"(?m)^# %%workfile (\S+)(?: --part (\d+))?\n")
_kept: list[tempfile.TemporaryDirectory[str]] = []


def files_of(lesson: str) -> dict[str, str]:
    """Return the files that a lesson writes, by their paths; of a run file the first version."""
    parts: dict[str, dict[int, str]] = {}
    for cell in _CELL.split((SOURCES / f"{lesson}.py").read_text("utf-8")):
        if found := _FILE.search(cell):
            name, part = found[1], int(found[2] or 0)
            if not (name.endswith("dapr.yaml") and name in parts):
                parts.setdefault(name, {})[part] = cell[found.end() :]
    return {name: "".join(p[n] for n in sorted(p)) for name, p in parts.items()}


@cache
def deployed(*lessons: str) -> Path:
    """Write the services of some lessons as one deployment; return its run file."""
    _kept.append(tempfile.TemporaryDirectory())  # ends with the process
    folder = Path(_kept[-1].name)
    shutil.copytree(paths.repo() / "components" / "default", folder / "components")
    apps = []
    for lesson in lessons:
        for name, text in files_of(lesson).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, "utf-8")
            if name.endswith("dapr.yaml"):
                base = str(Path(name).parent)
                found = yaml.safe_load(text)["apps"]
                apps += [{**app, "appDirPath": f"{base}/{app['appDirPath']}"} for app in found]
    told = {"version": 1, "common": {"resourcesPath": "components"}, "apps": apps}
    (folder / "dapr.yaml").write_text(yaml.safe_dump(told), "utf-8")
    return folder / "dapr.yaml"
