"""How JupyterLab reads and writes the files of the course."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_server.services.contents.filecheckpoints import AsyncGenericFileCheckpoints
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.web import HTTPError

BUILT = ("lessons", "exercises", "solutions")
"""Folders of built notebooks: for readers and tests. A learner works on the copies in ``learn``."""


class Contents(AsyncLargeFileManager):
    """Files as Jupyter Server has them, with the built notebooks of the course read-only.

    Without this, opening and running one would change files that git follows.
    """

    async def get(self, path: str, *args: Any, **options: Any) -> dict[str, Any]:
        """Return the model of a file or folder; a built notebook is marked as not writable."""
        got = super().get(path, *args, **options)  # type: ignore[no-untyped-call]
        model: dict[str, Any] = await got
        if _is_built(path):
            model["writable"] = False
        return model

    async def save(self, model: dict[str, Any], path: str = "") -> Any:
        """Save a file.

        Raises:
            HTTPError: 403 for a built notebook.
        """
        if _is_built(path):
            raise HTTPError(403, f"{path} belongs to the course; work on your copy in learn/")
        return await super().save(model, path)  # type: ignore[no-untyped-call]


def _is_built(path: str) -> bool:
    folder, _, name = path.strip("/").partition("/")
    return folder in BUILT and name.endswith(".ipynb")


class Checkpoints(AsyncGenericFileCheckpoints):
    """Checkpoints in a folder of their own, ``Checkpoints.root_dir``, laid out as the notebooks.

    Upstream writes them to a hidden folder beside each notebook.
    """

    def checkpoint_path(self, checkpoint_id: str, path: str) -> str:
        """Return the file of a checkpoint; without its folder upstream would write to ``/tmp``."""
        parent = path.strip("/").rpartition("/")[0]
        Path(self._get_os_path(path=parent)).mkdir(parents=True, exist_ok=True)  # type: ignore[no-untyped-call]
        return str(super().checkpoint_path(checkpoint_id, path))  # type: ignore[no-untyped-call]
