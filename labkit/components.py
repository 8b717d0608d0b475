"""Reads Dapr's component files, as far as the lab must know them; a wrong one is left alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

Component = Mapping[str, Any]
_FILES = ("secretsFile", "rootPath")
"""Metadata of components that name a file or folder: of a secret store, of a storage binding."""


def read(folders: Iterable[Path]) -> Iterator[Component]:
    """Yield the components in these folders; a file that is wrong is the sidecar's to report."""
    for folder in folders:
        for file in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
            with suppress(yaml.YAMLError, UnicodeDecodeError):
                for document in yaml.safe_load_all(file.read_text("utf-8")):
                    if isinstance(document, dict) and document.get("kind") == "Component":
                        yield document


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
