"""Reads Dapr's component files, as far as the lab must know them; a wrong one is left alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from labkit import paths
from labkit.errors import DeploymentError
from labkit.reading import plainfile, yamltree
from labkit.reading.yamltree import MOST_BYTES, NotYaml

Component = Mapping[str, Any]
_FILES = ("secretsFile", "rootPath")
"""Metadata of components that name a file or folder: of a secret store, of a storage binding."""


MOST_BYTES_OF_DOCUMENT = 64 * 1024 - 1
"""Of one document of a resources file. At a longer one daprd 1.18.1 never gets ready and takes more
and more memory, without a word (pkg/internal/loader/disk/manifest.go:120; measured)."""


def read(folders: Iterable[Path]) -> Iterator[Component]:
    """Yield the components in these folders; a file that is wrong is the sidecar's to report.

    Values are texts, as they are written.
    """
    for _, component in read_with_files(folders):
        yield component


def read_with_files(folders: Iterable[Path]) -> Iterator[tuple[Path, Component]]:
    """Yield the components in these folders, each with its file; see :func:`read`."""
    for file in files(folders):
        with suppress(NotYaml, OSError):
            for node in yamltree.documents(plainfile.read(file, MOST_BYTES)):
                document = yamltree.plain(node)
                if isinstance(document, dict) and document.get("kind") == "Component":
                    yield file, document


def name(component: Component) -> str:
    """Return the name of a component; "" when it has none."""
    return str((component.get("metadata") or {}).get("name") or "")


def kind(component: Component) -> str:
    """Return the type of a component, such as ``state.redis``."""
    return str((component.get("spec") or {}).get("type") or "")


def values(component: Component) -> list[str]:
    """Return the values of its metadata that stand in the file itself."""
    return [str(m["value"]) for m in _metadata(component) if m.get("value") is not None]


class WrongComponent(DeploymentError):
    """A component file cannot be read."""

    code = "wrong-component"


def chosen(named: str | Path) -> Path:
    """Return a set of the course by its name, or a folder by its path.

    Raises:
        WrongComponent: there is no such folder.
    """
    sets = paths.repo() / "components"
    for folder in (sets / named, Path(named)):
        with suppress(OSError, ValueError):  # too long for a path, or with a zero byte
            if folder.is_dir():
                return folder.absolute()
    names = ", ".join(sorted(one.name for one in sets.iterdir() if one.is_dir()))
    raise WrongComponent(
        f"there is no folder of components {yamltree.cut(str(named))!r}",
        asked=f"components={yamltree.cut(str(named), 200)!r}",
        found=f"sets of the course: {names}",
        look_at=str(sets),
        fix="name one of these, or the path of a folder",
    )


def require_readable(folders: Iterable[Path]) -> None:
    """Refuse a component file that is not YAML: the sidecar would skip it without a word.

    So are those refused at which the sidecar waits for ever, or ends.

    Raises:
        WrongComponent: names the file and the line.
    """
    for file in files(folders):
        try:
            data = plainfile.read(file, MOST_BYTES)
            _require_maps(file, data)
        except OSError as problem:
            found = str(problem.strerror)
            raise _wrong(file, 1, "it cannot be read", found, "remove it, or correct it") from None
        except NotYaml as problem:
            raise _wrong(file, problem.line, problem.what, problem.what, problem.fix) from None
        line = too_long(data)
        if line:
            found = f"a document of more than {MOST_BYTES_OF_DOCUMENT:,} bytes"
            fix = "split it with a line ---, or shorten it"
            raise _wrong(
                file, line, "too long for a sidecar, which would never be ready", found, fix
            )


def too_long(data: bytes) -> int:
    """Return the line on which a document begins that a sidecar cannot read; 0 for none."""
    line = 1
    for document in re.split(rb"\n---", data):  # as daprd splits, manifest.go:168
        if len(document) > MOST_BYTES_OF_DOCUMENT:
            return line
        line += document.count(b"\n") + 1
    return 0


def _require_maps(file: Path, data: bytes) -> None:
    for node in yamltree.documents(data):
        if not isinstance(node, yaml.MappingNode) and not yamltree.is_null(node):
            line, found = yamltree.line_of(node), yamltree.shown(node)
            fix = "start it with apiVersion:, kind: and so on"
            raise _wrong(file, line, "this is not a map of keys", found, fix)


def _wrong(file: Path, line: int, what: str, found: str, fix: str) -> WrongComponent:
    return WrongComponent(
        f"{yamltree.cut(file.name)}, line {line}: {what}",
        asked=f"the components in {file.parent}",
        found=found,
        look_at=f"{file}:{line}",
        fix=f"{fix}, then lab.up()",
    )


def files(folders: Iterable[Path]) -> Iterator[Path]:
    """Yield what a sidecar reads of its resources: YAML files directly in the folders.

    A folder of such a name is skipped by daprd, and a link to a folder is not (measured on 1.18.1).
    """
    for folder in folders:
        if folder.is_file():
            yield folder
        with suppress(OSError):
            inside = sorted(os.scandir(folder), key=lambda entry: entry.name)
            yield from (Path(e.path) for e in inside if is_resource(e))


def is_resource(entry: os.DirEntry[str]) -> bool:
    """Whether daprd reads an entry of a folder (dirdata.go:73, and dapr/kit strings.IsYaml)."""
    is_yaml = entry.name.lower().endswith((".yaml", ".yml"))
    return is_yaml and not entry.is_dir(follow_symlinks=False)


def env_refs(component: Component) -> set[str]:
    """Return the environment variables that a component asks for."""
    return {str(m.get("envRef")) for m in _metadata(component)}


def sqlite_file(component: Component) -> str | None:
    """Return the file of a SQLite component as its metadata name it, or None."""
    if not str(_spec(component).get("type", "")).endswith(".sqlite"):
        return None
    values = {str(m.get("name")): m.get("value") for m in _metadata(component)}
    name = str(values.get("connectionString") or "").removeprefix("file:").split("?")[0]
    return name if name and ":memory:" not in name and "\0" not in name else None


def needs_folder(component: Component, folder: Path) -> bool:
    """Whether a component names something by a path that leads there only from this folder."""
    named = [str(m.get("value")) for m in _metadata(component) if m.get("name") in _FILES]
    store = Path(sqlite_file(component) or "")
    if len(store.parts) > 1:  # a store in a folder, which must be there
        named.append(str(store.parent))
    return any(not Path(n).is_absolute() and _is_there(folder / n) for n in named)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or with a zero byte: the sidecar's to report
        return False


def _spec(component: Component) -> Mapping[str, Any]:
    spec = component.get("spec")
    return spec if isinstance(spec, dict) else {}


def _metadata(component: Component) -> list[Mapping[str, Any]]:
    metadata = _spec(component).get("metadata")
    return [m for m in metadata if isinstance(m, dict)] if isinstance(metadata, list) else []
