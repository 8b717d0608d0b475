"""Which folder of this machine stands for a container image, and what is run in it.

An image is not opened and nothing is pulled: the folder has the name of the image (ADR 022).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from labkit import paths
from labkit.manifests.wrong import WrongManifest, wrong
from labkit.preflight.parts import Part

MAIN = "main.py"
OWN_PYTHON = Path(".venv", "bin", "python")
_PYTHON = re.compile(r"(/\S*/)?python(3(\.\d+)?)?")


def name_of(image: str) -> str:
    """Return the last part of the name of an image, without tag and digest.

    >>> name_of("registry.example.com:5000/team/audit-service:1.0@sha256:ab12")
    'audit-service'
    """
    return without_tag(image).rpartition("/")[2]


def without_tag(image: str) -> str:
    """Return an image without tag and digest.

    >>> without_tag("registry.example.com:5000/audit-service:1.0")
    'registry.example.com:5000/audit-service'
    """
    first, slash, last = image.partition("@")[0].rpartition("/")
    return f"{first}{slash}{last.partition(':')[0]}"


def folder_of(image: Part, beside: Path, images: Mapping[str, str | Path]) -> Path:
    """Return the folder that stands for an image.

    Args:
        image: its value in the manifest.
        beside: the folder that holds the folder of manifests; services there come first.
        images: folders by image, with or without tag; relative ones start at the repository.

    Raises:
        WrongManifest: there is no such folder.
    """
    given = next((images[k] for k in (image.text, without_tag(image.text)) if k in images), None)
    name = name_of(image.text)
    places = [paths.repo() / given] if given else [beside / name, paths.repo() / "services" / name]
    found = next((p for p in places if name and p.is_dir()), None)
    if found is None:
        raise _no_folder(image, places)
    return found.resolve()


def command_of(container: Part, folder: Path) -> tuple[str, ...]:
    """Return what is run for a container: its command and args, else ``python3 main.py``.

    Python is the one of the folder's own environment where there is one, as in its image.

    Raises:
        WrongManifest: the container gives no command, and the folder has no ``main.py``.
    """
    given, args = ([w.text for w in container.get(k).items] for k in ("command", "args"))
    if not given and not (folder / MAIN).is_file():
        image = container.get("image")
        fix = f"add {MAIN}, or give the container a command"
        raise wrong(image.where, "nothing to run", f"{folder} has no {MAIN}, no command", fix)
    words = [*(given or ["python3", MAIN]), *args]
    is_python = _PYTHON.fullmatch(words[0])
    if is_python:
        words[0] = str(OWN_PYTHON) if (folder / OWN_PYTHON).exists() else "python3"
    return tuple(words)


def _no_folder(image: Part, places: list[Path]) -> WrongManifest:
    what = f"no folder for the image {image.text or '(none)'}"
    found = f"not there: {', '.join(map(str, places))}"
    fix = f"name a folder: Lab.from_manifests(..., images={{{without_tag(image.text)!r}: FOLDER}})"
    return wrong(image.where, what, found, fix)
