"""The apps of a ``dapr.yaml``, with the files that each sidecar would read.

The rules are those of the Dapr CLI, as in :mod:`labkit.runfile`. That module refuses a run file at
its first fault; here as much as possible is read, since every fault is worth a finding.
"""

from __future__ import annotations

import os
from pathlib import Path

from labkit.preflight.files import is_file, is_folder
from labkit.preflight.findings import Finding
from labkit.preflight.model import App
from labkit.preflight.parts import Part


def is_run_file(body: Part) -> bool:
    """Whether a document is a run file: it has ``apps`` and ``version``, and no ``kind``."""
    return bool(body.get("apps")) and bool(body.get("version")) and not body.get("kind")


def apps_of(body: Part) -> tuple[list[App], list[Finding]]:
    """Return the apps of a run file, and what it names that is not there."""
    wrong: list[Finding] = []
    entries = [e for e in body.get("apps").distinct if e.keys]
    return [_app(entry, body.get("common"), wrong) for entry in entries], wrong


def _app(entry: Part, common: Part, wrong: list[Finding]) -> App:
    here = entry.file.parent
    folder = _there(here, entry.get("appDirPath"), wrong)
    name = entry.get("appID").text or (folder.resolve().name if folder else "")
    own = entry.get("env", "NAMESPACE")
    resources, resources_at = _resources(entry, common, here, folder, wrong)
    config = _config(entry, common, here, folder, wrong)
    where = own.where if own else entry.where
    verb = "set" if own else "add to env"
    return App(
        name or "an app without a name",
        own.text or common.get("env", "NAMESPACE").text or "default",
        where=entry.where,
        namespace_at=where,
        set_namespace=f"{verb} NAMESPACE: {{}} in {where}",
        deployment=str(entry.file),
        resources=resources,
        resources_at=resources_at,
        folder=folder,
        config=str(config or ""),
        config_at=entry.where,
    )


def _resources(
    entry: Part, common: Part, here: Path, folder: Path | None, wrong: list[Finding]
) -> tuple[tuple[Path, ...], str]:
    """The files of the app's own folders, else of its default folder, else of the common ones."""
    default = folder / ".dapr" / "resources" if folder else None
    own = _paths(entry)
    if own:
        named, base = own, folder or here
    elif default and is_folder(default):
        return tuple(_resource_files(default)), entry.where
    else:
        named, base = _paths(common), here
    found = [_there(base, part, wrong) for part in named]
    files = [file for one in found if one for file in _resource_files(one)]
    return tuple(dict.fromkeys(files)), named[0].where if named else ""


def _paths(given: Part) -> list[Part]:
    many, one = given.get("resourcesPaths").items, given.get("resourcesPath")
    return [part for part in [*many, one] if part.text]


def _resource_files(folder: Path) -> list[Path]:
    """What daprd reads: YAML files directly in the folder."""
    try:
        inside = sorted(folder.iterdir()) if is_folder(folder) else [folder]
        found = [p for p in inside if p.suffix in (".yaml", ".yml") and is_file(p)]
    except OSError:  # told when it is named as a path; here nothing is in sight
        return []
    return found


def _config(
    entry: Part, common: Part, here: Path, folder: Path | None, wrong: list[Finding]
) -> Path | None:
    if entry.get("configFilePath").text:
        return _there(folder or here, entry.get("configFilePath"), wrong)
    default = folder / ".dapr" / "config.yaml" if folder else None
    if default and is_file(default):
        return default
    return _there(here, common.get("configFilePath"), wrong)


def _there(base: Path, named: Part, wrong: list[Finding]) -> Path | None:
    """The path that a part names, or None and a finding."""
    if not named.text:
        return None
    try:
        path = base / Path(named.text).expanduser()
        short = Path(os.path.normpath(path))
        if path.exists():  # a link before .. leads elsewhere than the text says
            return short if short.exists() and short.samefile(path) else path.resolve()
    except (OSError, ValueError, RuntimeError):  # e.g. a zero byte, an unknown ~user
        pass
    finding = Finding(
        "file",
        "broken",
        named.where,
        f"there is no {named.text}; dapr run refuses the run file",
        f"make it, or correct the path (it starts at {base})",
    )
    if finding not in wrong:  # a path in common is asked for by each app
        wrong.append(finding)
    return None
