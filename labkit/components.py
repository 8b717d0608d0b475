"""Reads Dapr's component files, as far as the lab must know them; a wrong one is left alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from labkit.errors import DeploymentError

Component = Mapping[str, Any]
_FILES = ("secretsFile", "rootPath")
"""Metadata of components that name a file or folder: of a secret store, of a storage binding."""


def read(folders: Iterable[Path]) -> Iterator[Component]:
    """Yield the components in these folders; a file that is wrong is the sidecar's to report."""
    for _, component in read_with_files(folders):
        yield component


def read_with_files(folders: Iterable[Path]) -> Iterator[tuple[Path, Component]]:
    """Yield the components in these folders, each with its file; see :func:`read`."""
    for file in _files(folders):
        with suppress(yaml.YAMLError, UnicodeDecodeError):
            for document in yaml.safe_load_all(file.read_text("utf-8")):
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


def require_readable(folders: Iterable[Path]) -> None:
    """Refuse a component file that is not YAML: the sidecar would skip it without a word.

    Raises:
        WrongComponent: names the file and the line.
    """
    for file in _files(folders):
        try:
            for node in yaml.compose_all(file.read_text("utf-8"), Loader=yaml.SafeLoader):
                if not isinstance(node, yaml.MappingNode) and not _is_empty(node):
                    line = node.start_mark.line + 1
                    raise _wrong(file, line, "this is not a map of keys", "apiVersion, kind, ...")
        except (yaml.YAMLError, UnicodeDecodeError) as problem:
            mark = getattr(problem, "problem_mark", None)
            line = mark.line + 1 if mark else 1
            raise _wrong(file, line, "not valid YAML", str(problem)) from problem


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value in ("", "~", "null")


def _wrong(file: Path, line: int, what: str, said: str) -> WrongComponent:
    return WrongComponent(
        f"{file.name}, line {line}: {what}",
        asked=f"the components in {file.parent}",
        found=said,
        look_at=f"{file}:{line}",
        fix="correct that line, then lab.up()",
    )


def _files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        if folder.is_file():
            yield folder
        yield from sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])


def env_refs(component: Component) -> set[str]:
    """Return the environment variables that a component asks for."""
    return {str(m.get("envRef")) for m in _metadata(component)}


def sqlite_file(component: Component) -> str | None:
    """Return the file of a SQLite component as its metadata name it, or None."""
    if not str((component.get("spec") or {}).get("type", "")).endswith(".sqlite"):
        return None
    values = {m.get("name"): m.get("value") for m in _metadata(component)}
    name = str(values.get("connectionString") or "").removeprefix("file:").split("?")[0]
    return name if name and ":memory:" not in name else None


def needs_folder(component: Component, folder: Path) -> bool:
    """Whether a component names something by a path that leads there only from this folder."""
    named = [str(m.get("value")) for m in _metadata(component) if m.get("name") in _FILES]
    store = Path(sqlite_file(component) or "")
    if len(store.parts) > 1:  # a store in a folder, which must be there
        named.append(str(store.parent))
    return any(not Path(n).is_absolute() and (folder / n).exists() for n in named)


def _metadata(component: Component) -> list[Mapping[str, Any]]:
    metadata = (component.get("spec") or {}).get("metadata") or []
    return [m for m in metadata if isinstance(m, dict)]
