"""What apps find around them in a lab: a mail catcher, Redis where it is used, prepared stores.

Redis is started when a component asks for the variable ``REDIS_HOST``; nothing else of the lab
needs it. SQLite files are created in WAL mode before the first sidecar starts: several sidecars
that open a new file together race, and one exits (measured on 1.18.1).
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import yaml

from labkit import paths
from labkit.ports import PortBlock
from labkit.processes import Process, Supervisor

HOST = "127.0.0.1"
CONFIG = """\
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata:
  name: lab
spec:
  # Workflow calls need no name resolution. A resolver that does not exist keeps mDNS off the
  # network and leaves the sidecar healthy (measured on 1.18.1).
  nameResolution:
    component: "off"
    version: v1
"""


class Infrastructure:
    """The processes beside the apps, and the files that must be there before them."""

    def __init__(
        self, supervisor: Supervisor, ports: PortBlock, folder: Path, env: Mapping[str, str]
    ) -> None:
        self._supervisor, self._folder, self._env = supervisor, folder, env
        self._smtp_port, self._redis_port = ports.take(), ports.take()
        self._processes: dict[str, Process] = {}
        self.config = folder / "config.yaml"
        self.config.write_text(CONFIG, "utf-8")
        (folder / "ledgers").mkdir(exist_ok=True)

    def env(self) -> dict[str, str]:
        """Return the variables by which apps find these things."""
        return {
            "SMTP_HOST": HOST,
            "SMTP_PORT": str(self._smtp_port),
            "REDIS_HOST": f"{HOST}:{self._redis_port}",
        }

    def start(self, resource_folders: Iterable[Path]) -> None:
        """Prepare the stores and start what is not running; does not wait."""
        components = list(_components(resource_folders))
        for component in components:
            create_sqlite_store(component, self._folder)
        self._keep("mail", self._mail_command())
        if any("REDIS_HOST" in _env_refs(c) for c in components):
            self._keep("redis", self._redis_command())

    def processes(self) -> list[Process]:
        """Return the newest process of each kind."""
        return list(self._processes.values())

    def _keep(self, name: str, argv: Sequence[str]) -> None:
        running = self._processes.get(name)
        if running is None or not running.is_alive:
            log = self._folder / "logs" / f"{name}.log"
            self._processes[name] = self._supervisor.start(name, argv, self._env, self._folder, log)

    def _mail_command(self) -> list[str]:
        program = [sys.executable, str(paths.repo() / "labkit" / "mailcatcher.py")]
        return [*program, "--port", str(self._smtp_port), "--inbox", str(self._folder / "inbox")]

    def _redis_command(self) -> list[str]:
        from labkit import redis

        folder = self._folder / "redis"
        folder.mkdir(exist_ok=True)
        return redis.command(self._redis_port, folder)


def create_sqlite_store(component: Mapping[str, Any], folder: Path) -> None:
    """Create the file of a ``state.sqlite`` component in WAL mode; leaves other kinds alone."""
    spec = component.get("spec") or {}
    if not str(spec.get("type", "")).endswith(".sqlite"):
        return
    values = {m.get("name"): m.get("value") for m in spec.get("metadata") or []}
    name = str(values.get("connectionString") or "").removeprefix("file:").split("?")[0]
    if name and ":memory:" not in name:
        with closing(sqlite3.connect(folder / name)) as db:
            db.execute("PRAGMA journal_mode=WAL")


def _components(folders: Iterable[Path]) -> Iterable[dict[str, Any]]:
    """Yield the components in these folders; a file that is wrong is the sidecar's to report."""
    for folder in folders:
        for file in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
            with suppress(yaml.YAMLError, UnicodeDecodeError):
                for document in yaml.safe_load_all(file.read_text("utf-8")):
                    if isinstance(document, dict) and document.get("kind") == "Component":
                        yield document


def _env_refs(component: Mapping[str, Any]) -> set[str]:
    metadata = (component.get("spec") or {}).get("metadata") or []
    return {str(m.get("envRef")) for m in metadata if isinstance(m, dict)}
