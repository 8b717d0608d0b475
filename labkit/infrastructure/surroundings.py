"""What apps find around them in a lab: a mail catcher, prepared stores, and what a file asks for.

Redis is started when a component asks for the variable ``REDIS_HOST``, and a catcher of spans when
a Configuration of the run file sends them to ``$SPANS_HOST``; nothing else of the lab needs these.
SQLite files are created in WAL mode before the first sidecar starts: several sidecars
that open a new file together race, and one exits (measured on 1.18.1).
"""

from __future__ import annotations

import json
import re
import secrets
import signal
import sqlite3
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

import yaml

from labkit import prometheus, tracing
from labkit.infrastructure import components, redis
from labkit.infrastructure.components import Component
from labkit.processes.ports import PortBlock, is_listening
from labkit.processes.supervisor import Process, Supervisor
from labkit.reading import plainfile, yamltree
from labkit.tracing import zipkin
from labkit.waiting import poll

HOST = "127.0.0.1"
SPANS_DELAY, SPANS_MILLISECONDS = "OTEL_BSP_SCHEDULE_DELAY", 200
"""OpenTelemetry sends spans in batches, every 5 s unless this variable says otherwise."""
CATCHER_SECONDS = 3.0
MOST_APPS = 10
"""So many apps have a port for others from the start; a block of ports holds no more of them."""


class Infrastructure:
    """The processes beside the apps, and the files that must be there before them."""

    def __init__(
        self,
        supervisor: Supervisor,
        ports: PortBlock,
        folder: Path,
        env: Mapping[str, str],
        internal_ports: Mapping[str, int],
    ) -> None:
        self._supervisor, self._folder, self._env = supervisor, folder, env
        self._ports, self._zipkin_port = ports, 0
        self.ports = {name: ports.take() for name in ("mail", "redis", "spans", "prometheus")}
        self._password = secrets.token_hex(16)
        self._processes: dict[str, Process] = {}
        self.config = folder / "config.yaml"
        self.config.write_text(configuration(internal_ports), "utf-8")
        (folder / "ledgers").mkdir(exist_ok=True)

    def env(self) -> dict[str, str]:
        """Return the variables by which apps find these things."""
        return {
            "SMTP_HOST": HOST,
            "SMTP_PORT": str(self.ports["mail"]),
            redis.HOST_VARIABLE: f"{HOST}:{self.ports['redis']}",
            redis.PASSWORD_VARIABLE: self._password,
            tracing.HOST_VARIABLE: f"{HOST}:{self.ports['spans']}",
            SPANS_DELAY: str(SPANS_MILLISECONDS),
        }

    def start(self, resource_folders: Iterable[Path], configurations: Iterable[Path] = ()) -> None:
        """Prepare the stores and start what is not running; waits for the catcher of spans only."""
        found = list(components.read(resource_folders))
        for component in found:
            redis.require_password(component)
            create_sqlite_store(component, self._folder)
        self._keep("mail", self._mail_command())
        if any(redis.HOST_VARIABLE in components.env_refs(c) for c in found):
            self._keep("redis", self._redis_command())
        if any(sends_spans(file) for file in configurations):
            self._keep("spans", self._spans_command())
            # A sidecar that cannot send its spans complains in its log.
            poll(lambda: is_listening(HOST, self.ports["spans"]), CATCHER_SECONDS)
        if "prometheus" in self._processes:
            self.start_prometheus()
        if "zipkin" in self._processes:
            self.start_zipkin()

    def start_prometheus(self, rules: Path | None = None) -> Process:
        """Start Prometheus where it does not run, or let it read other rules; does not wait.

        Raises:
            NoPrometheus: it is not on this machine.
        """
        folder, running = self._folder / prometheus.FOLDER, self._processes.get("prometheus")
        self._keep("prometheus", prometheus.command(self.ports["prometheus"], folder, rules))
        if running is self._processes["prometheus"]:
            running.signal(signal.SIGHUP)
        return self._processes["prometheus"]

    def start_zipkin(self) -> tuple[Process, int]:
        """Start Zipkin where it does not run, and let the catcher send to it; does not wait.

        Returns:
            Its process and its port, which is taken when it is started for the first time.

        Raises:
            NoZipkin: it, or Java, is not on this machine.
        """
        running = self._processes.get("zipkin")
        if running is None or not running.is_alive:
            self._zipkin_port = self._zipkin_port or self._ports.take()
            self._keep("zipkin", zipkin.command(self._zipkin_port))
            where = f"{HOST}:{self._zipkin_port}\npid {self._processes['zipkin'].pid}\n"
            (self._folder / zipkin.ADDRESS).write_text(where, "utf-8")
        return self._processes["zipkin"], self._zipkin_port

    def is_listening(self) -> bool:
        """Whether everything that was started accepts connections; nothing waits for Zipkin."""
        return all(is_listening(HOST, self.ports[n]) for n in self._processes if n in self.ports)

    def processes(self) -> list[Process]:
        """Return the newest process of each kind."""
        return list(self._processes.values())

    def _keep(self, name: str, argv: Sequence[str]) -> None:
        running = self._processes.get(name)
        if running is None or not running.is_alive:
            log = self._folder / "logs" / f"{name}.log"
            self._processes[name] = self._supervisor.start(name, argv, self._env, self._folder, log)

    def _mail_command(self) -> list[str]:
        program = [sys.executable, str(Path(__file__).parents[1] / "mail" / "catcher.py")]
        return [*program, "--port", str(self.ports["mail"]), "--inbox", str(self._folder / "inbox")]

    def _spans_command(self) -> list[str]:
        file = self._folder / tracing.FILE
        file.touch(mode=0o600)
        program = [sys.executable, "-m", "labkit.tracing.catcher"]
        address = ["--forward-to", str(self._folder / zipkin.ADDRESS)]
        return [*program, "--port", str(self.ports["spans"]), "--file", str(file), *address]

    def _redis_command(self) -> list[str]:
        folder = self._folder / "redis"
        folder.mkdir(mode=0o700, exist_ok=True)
        return redis.command(self.ports["redis"], folder, self._password)


def configuration(internal_ports: Mapping[str, int]) -> str:
    """Return the Configuration of every sidecar: where the apps of the lab are, for each other.

    daprd's default asks the network by mDNS. Its resolver for Kubernetes takes a template and asks
    nobody then: components-contrib v1.18.0, nameresolution/kubernetes/kubernetes.go:94; the one
    for SQLite is not in the stable set of components. A field that does not exist makes the call
    fail, and names itself in the message.

    Args:
        internal_ports: app ID to the port on which its sidecar takes calls of others.
    """
    known = (f"{{{{if eq .ID {json.dumps(a)}}}}}{HOST}:{p}" for a, p in internal_ports.items())
    branches = "{{else}}".join([*known, "{{.ThisLabHasNoSuchApp}}"])
    template = branches + "{{end}}" * len(internal_ports)
    spec = {"component": "kubernetes", "version": "v1", "configuration": {"template": template}}
    document = {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Configuration",
        "metadata": {"name": "lab"},
        "spec": {"nameResolution": spec},
    }
    return yaml.safe_dump(document, sort_keys=False)


def sends_spans(configuration: Path) -> bool:
    """Whether a Configuration sends spans to the lab; daprd puts in the value of ``$NAME``."""
    name = tracing.HOST_VARIABLE
    with suppress(OSError):
        text = plainfile.read(configuration, yamltree.MOST_BYTES).decode("utf-8", "replace")
        return bool(re.search(rf"\$({name}\b|\{{{name}\}})", text))
    return False


def create_sqlite_store(component: Component, folder: Path) -> None:
    """Create the file of a SQLite component in WAL mode; leaves other kinds alone.

    One in a folder that is not there is the sidecar's to report.
    """
    name = components.sqlite_file(component)
    if name:
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(folder / name)) as db:
            db.execute("PRAGMA journal_mode=WAL")
