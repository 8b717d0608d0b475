"""Keeps JupyterLab's checkpoints below ``.lab``, not in a hidden folder beside each notebook."""

from __future__ import annotations

from pathlib import Path

from jupyter_server.services.contents.filecheckpoints import AsyncGenericFileCheckpoints


class Checkpoints(AsyncGenericFileCheckpoints):
    """Checkpoints in a folder of their own, ``Checkpoints.root_dir``, laid out as the notebooks."""

    def checkpoint_path(self, checkpoint_id: str, path: str) -> str:
        """Return the file of a checkpoint; without its folder upstream would write to ``/tmp``."""
        parent = path.strip("/").rpartition("/")[0]
        Path(self._get_os_path(path=parent)).mkdir(parents=True, exist_ok=True)  # type: ignore[no-untyped-call]
        return str(super().checkpoint_path(checkpoint_id, path))  # type: ignore[no-untyped-call]
